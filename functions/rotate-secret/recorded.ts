import { config } from '../../shared/config.ts';
import { firestore } from '../../shared/gcp/firestore.ts';
import { classify } from '../../shared/operation/classify.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import type { OperationError } from '../../shared/operation/errors.ts';
import type { Outcome } from '../../shared/operation/outcome.ts';
import { publishEvent } from '../../shared/operation/report.ts';
import { type Breaker, countFailure, countSuccess, scopesOf } from '../../shared/registry/secrets/breaker.ts';
import { readSecretRecord, recordFailure, secretRef } from '../../shared/registry/secrets/store.ts';
import type { RotateSecretMessage } from './message.ts';

/** Refusals of what was asked, which say nothing about the secret. */
const refusals = new Set([
  'GRACE_PERIOD',
  'ROTATION_UNDER_WAY',
  'NOT_ALLOWED',
  'SECRET_MISMATCH',
  'INVALID_MESSAGE',
]);

/**
 * Runs an action and writes into the secret's history what failed for good. Of those that a schedule asked for, series of
 * failures are counted, so that a wave of rotations stops before it has failed everywhere.
 */
export async function recorded(
  message: RotateSecretMessage,
  operation: OperationContext,
  run: () => Promise<Outcome>,
): Promise<Outcome> {
  const { secret, action, scheduled } = message;
  if (operation.dryRun) return run();
  try {
    const outcome = await run();
    if (scheduled && !isNoOp(outcome))
      await countSuccess(await firestore(), await scopesFor(secret, operation));
    return outcome;
  } catch (error) {
    const known = classify(error);
    const { code, retryable } = known;
    if (operation.signal.aborted || code === 'LEASE_LOST') throw error;
    const isRefusal = refusals.has(code) && !scheduled;
    if (!retryable && !isRefusal) {
      const actor = operation.asked.claimedActor;
      const event = { action, code, ...(actor === undefined ? {} : { actor }) };
      await recordFailure(operation, secret, event, scheduled);
    }
    if (scheduled && code !== 'ROTATION_UNDER_WAY') await count(secret, known, operation);
    throw error;
  }
}

function isNoOp({ notes = [] }: Outcome): boolean {
  return notes.some(({ code }) => code === 'ROTATED_RECENTLY');
}

async function scopesFor(secret: string, operation: OperationContext): Promise<string[]> {
  const record = readSecretRecord(await (await secretRef(operation, secret)).get());
  return scopesOf(record?.instance ?? null);
}

async function count(secret: string, { code }: OperationError, operation: OperationContext): Promise<void> {
  const scopes = await scopesFor(secret, operation);
  const limit = config().DROVER_ROTATION_FAILURES;
  const halted = await countFailure(await firestore(), scopes, { code, operation: operation.id, limit });
  for (const breaker of halted) {
    operation.log.log('ERROR', 'scheduled rotations halted', { scope: breaker.scope, code });
    await publishEvent(haltedEvent(breaker), { function: 'rotate-secret' });
  }
}

/** Its id is made of when it is over, so that whoever sees it twice can tell. */
function haltedEvent({ scope, failures, haltedUntil, lastCode }: Breaker) {
  const until = haltedUntil?.toISOString() ?? '';
  return {
    specversion: '1.0',
    id: `rotations-halted.${scope}.${until}`,
    source: `//drover/projects/${config().GOOGLE_CLOUD_PROJECT}/functions/rotate-secret`,
    type: 'drover.rotations.halted',
    subject: scope,
    time: new Date().toISOString(),
    datacontenttype: 'application/json',
    data: { scope, failures, until, code: lastCode },
  };
}
