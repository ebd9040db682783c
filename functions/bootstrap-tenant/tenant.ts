import { config } from '../../shared/config.ts';
import { classify } from '../../shared/operation/classify.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import { OperationError } from '../../shared/operation/errors.ts';
import type { Outcome } from '../../shared/operation/outcome.ts';
import type { Reason, TenantRecord } from '../../shared/registry/tenants/model.ts';
import { beginTenant } from '../../shared/registry/tenants/store.ts';
import type { TenantMessage } from './message.ts';
import { announceStep, freshStep, reasonOf, reserved, setState } from './saga/books.ts';
import { compensate, runSteps } from './saga/run.ts';
import type { Made, Saga, Step } from './saga/step.ts';
import { tenantSteps } from './steps/all.ts';
import { wantedTenant } from './wish.ts';

/**
 * Scope tenant: reserves the id, makes all that a tenant has, and announces it in one transaction. What fails for a
 * while is gone on with at the next delivery; after what fails for good, all that this operation made is taken back.
 */
export async function bootstrapTenant(message: TenantMessage, operation: OperationContext): Promise<Outcome> {
  const { ref, record, decision } = await beginTenant(
    operation,
    message.tenant,
    { action: 'bootstrap', reuse: message.reuse },
    (found, decided) => {
      if (decided.kind === 'done' && found) return found;
      if (decided.kind === 'begin') refuseForeignArchive(message);
      return wantedTenant(message, found, decided, operation);
    },
    (wanted, decided) => (decided.kind === 'begin' ? firstSteps(wanted, operation) : []),
  );
  const saga: Saga = { operation, ref, record };
  const steps = tenantSteps.filter(({ applies }) => applies(record));
  if (operation.dryRun) return plan(saga, steps);
  if (decision === 'done') return { changes: [], result: resultOf(record) };
  if (decision === 'compensate') return giveUp(saga, recalled(record.failure));
  let made: Made[];
  try {
    made = await runSteps(saga, steps);
  } catch (error) {
    const classified = classify(error);
    if (operation.signal.aborted || classified.retryable) throw classified;
    return giveUp(saga, classified);
  }
  await announce(saga);
  return {
    changes: made.flatMap(({ changes }) => changes),
    notes: made.flatMap(({ notes = [] }) => notes),
    summary: { steps: steps.length },
    result: resultOf(record),
  };
}

/**
 * What an archive says is run, as whoever Drover is: so it has to be from where only Drover, and whom its administrators
 * trust, can write.
 *
 * @throws OperationError `NOT_ALLOWED`, `ARCHIVE_BUCKET_MISSING`
 */
function refuseForeignArchive({ restore }: TenantMessage): void {
  const { DROVER_ARCHIVE_BUCKET: bucket } = config();
  if (restore === undefined || (bucket !== '' && restore.startsWith(`gs://${bucket}/`))) return;
  if (bucket === '') {
    throw new OperationError(
      'ARCHIVE_BUCKET_MISSING',
      'There is no bucket to restore from: set DROVER_ARCHIVE_BUCKET.',
    );
  }
  throw new OperationError(
    'NOT_ALLOWED',
    `Archives are restored from gs://${bucket}/ alone, for what they say is run. Copy this one there, and restore that.`,
    { details: { problems: [{ path: 'data.restore', message: `is not in gs://${bucket}/` }] } },
  );
}

function firstSteps(record: TenantRecord, operation: OperationContext) {
  const steps = tenantSteps.filter(({ applies }) => applies(record));
  return [
    reserved(operation.id, 'absent', record.createdAt),
    ...steps.map(({ name, position }) => freshStep(name, position, operation.id)),
    freshStep(announceStep, announcePosition, operation.id),
  ];
}

const announcePosition = 99;

/** From here on the tenant is there: its API key is good, too. */
async function announce(saga: Saga): Promise<void> {
  const now = new Date();
  await setState(
    saga,
    'active',
    { holder: null, failure: null, before: null },
    {
      ...freshStep(announceStep, announcePosition, saga.operation.id),
      state: 'done',
      attempts: 1,
      startedAt: now,
      finishedAt: now,
    },
  );
}

/** What the tenant's team has to know: names and places. */
export function resultOf({
  tenant,
  displayName,
  contact,
  plan,
  limits,
  isolation,
  place,
  scopes,
}: TenantRecord) {
  const { instance, database, schema, logins, secret, apiKeySecret, dataset, storage } = place;
  return {
    tenant,
    displayName,
    contact,
    plan,
    limits,
    isolation,
    instance,
    database,
    schema,
    logins,
    credentialSecret: secret,
    ...(apiKeySecret ? { apiKeySecret, scopes } : {}),
    ...(dataset ? { dataset } : {}),
    ...(storage ? { storage } : {}),
  };
}

/**
 * Takes back what this operation made.
 *
 * @throws OperationError always: why, and what is left
 */
async function giveUp(saga: Saga, cause: OperationError): Promise<never> {
  const { record } = saga;
  const failure = reasonOf(cause, String(cause.details?.['step'] ?? ''));
  // One that was there before goes on as it was, and the registry doesn't say that it was changed.
  const wasThere = record.state === 'active';
  if (!wasThere) await setState(saga, 'compensating', { failure });
  const { changes, left } = await compensate(saga, tenantSteps);
  const ended = { holder: null, failure, before: null };
  await (wasThere
    ? setState(saga, 'active', { ...record.before, ...ended })
    : setState(saga, 'failed', ended));
  const { code, message, details } = cause;
  const rest = left.map((one) => `${one.step}: ${one.message}`).join(' ');
  throw new OperationError(code, left.length > 0 ? `${message} Not taken back: ${rest}` : message, {
    details: { ...details, compensated: changes, ...(left.length > 0 ? { left } : {}) },
    cause,
  });
}

/** The error that an earlier attempt had begun to take back for. */
function recalled(failure: Reason | null): OperationError {
  const { code, message, step } = failure ?? { code: 'INTERNAL', message: 'the reason was lost', step: '' };
  return new OperationError(code, message, { details: { step } });
}

async function plan(saga: Saga, steps: readonly Step[]): Promise<Outcome> {
  const parts: Made[] = [];
  for (const step of steps) parts.push(await step.plan(saga, await lookAhead(saga, step, parts)));
  return {
    changes: parts.flatMap(({ changes }) => changes),
    notes: parts.flatMap(({ notes = [] }) => notes),
    statements: parts.flatMap(({ statements = [] }) => statements),
    summary: { steps: steps.length },
    result: resultOf(saga.record),
  };
}

/** Where the database is only planned, nothing in it can be looked at. */
async function lookAhead(saga: Saga, step: Step, parts: readonly Made[]): Promise<'absent' | 'present'> {
  const isPlanned = parts.some(({ changes }) => changes.some(({ kind }) => kind === 'database'));
  return isPlanned && ['schema', 'restore', 'login'].includes(step.name) ? 'absent' : step.look(saga);
}
