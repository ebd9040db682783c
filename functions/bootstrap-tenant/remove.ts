import { config } from '../../shared/config.ts';
import { classify } from '../../shared/operation/classify.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import { OperationError } from '../../shared/operation/errors.ts';
import type { Change, Outcome } from '../../shared/operation/outcome.ts';
import { authorize } from '../../shared/operation/policy.ts';
import type { TenantRecord } from '../../shared/registry/tenants/model.ts';
import { beginTenant, confirmationOf } from '../../shared/registry/tenants/store.ts';
import type { RemoveMessage } from './message.ts';
import { archiveOf } from './removal/archive.ts';
import { findArchive } from './removal/content.ts';
import { removalSteps } from './removal/steps.ts';
import { setState } from './saga/books.ts';
import { runSteps } from './saga/run.ts';
import type { Saga } from './saga/step.ts';

/**
 * Scope remove: shuts the tenant out, archives what it has, and only when all of that is safe deletes it. What fails is
 * gone on with at the next delivery, or by a replay: nothing of a removal is taken back.
 */
export async function removeTenant(message: RemoveMessage, operation: OperationContext): Promise<Outcome> {
  const { ref, record, decision } = await beginTenant(
    operation,
    message.tenant,
    { action: 'remove', reuse: false },
    (found) => toRemove(message, found, operation),
    () => [],
  );
  if (decision === 'done') {
    const gone = `The tenant ${message.tenant} was removed before; nothing was done.`;
    const notes = [{ code: 'ALREADY_REMOVED', message: gone }];
    return { changes: [], notes, result: resultOf(record) };
  }
  const saga: Saga = { operation, ref, record };
  const steps = removalSteps(message, record);
  if (operation.dryRun) return { changes: planned(message, record), summary: { steps: steps.length } };
  try {
    const made = await runSteps(saga, steps);
    const archive = await findArchive(saga);
    await setState(saga, 'removed', { holder: null, failure: null, archive, removedAt: new Date() });
    return {
      changes: made.flatMap(({ changes }) => changes),
      notes: made.flatMap(({ notes = [] }) => notes),
      summary: { steps: steps.length },
      result: resultOf({ ...record, archive }),
    };
  } catch (error) {
    const classified = classify(operation.signal.aborted ? operation.signal.reason : error);
    // Another message may go on with it, and a replay of this one.
    if (!classified.retryable) await setState(saga, 'removing', { holder: null });
    throw classified;
  }
}

function resultOf({ tenant, incarnation, archive }: TenantRecord) {
  return { tenant, ...(archive === null ? {} : { archive: archiveOf({ tenant, incarnation }).folder }) };
}

/**
 * The record of a tenant that is being removed.
 *
 * @throws OperationError `NOT_ALLOWED`, `CONFIRMATION_NEEDED`, `ARCHIVE_BUCKET_MISSING`
 */
function toRemove(
  { tenant, confirm, archive, dataset, storage }: RemoveMessage,
  found: TenantRecord | undefined,
  { id, asked }: OperationContext,
): TenantRecord {
  if (found === undefined) throw new Error('a tenant without a record was to be removed');
  const { instance, database } = found.place;
  const request = { target: { instance, database }, levels: [], principals: [], actions: ['remove'] };
  const refused = authorize('bootstrap-tenant', request, config().DROVER_POLICY.rules);
  if (refused) throw refused;
  if (confirm !== confirmationOf(found)) {
    throw new OperationError(
      'CONFIRMATION_NEEDED',
      `The value of confirm isn't that of the tenant ${tenant} as it is now. Look at what would be removed, and take it from there: drover tenants show ${tenant}`,
      { details: { problems: [{ path: 'data.confirm', message: 'is not this tenant’s' }] } },
    );
  }
  const archives = archive || dataset === 'export' || storage === 'archive';
  if (archives && config().DROVER_ARCHIVE_BUCKET === '') {
    throw new OperationError(
      'ARCHIVE_BUCKET_MISSING',
      'There is no bucket to archive to: set DROVER_ARCHIVE_BUCKET, or say "archive": false, "dataset": "delete" and "storage": "delete".',
    );
  }
  if (found.state === 'removed') return found;
  const { claimedActor: _, ...order } = asked;
  return {
    ...found,
    state: 'removing',
    before: null,
    holder: id,
    operation: id,
    order,
    changedAt: new Date(),
  };
}

/** What would be gone, and what would be kept of it. */
function planned({ archive, dataset, storage }: RemoveMessage, record: TenantRecord): Change[] {
  const { place, isolation } = record;
  const { folder } = archiveOf(record);
  const kept = (how: boolean) => (how ? `archived in ${folder}, then deleted` : 'deleted for good');
  const content =
    isolation === 'database'
      ? { kind: 'database', name: place.database }
      : { kind: 'schema', name: `${place.database}.${place.schema}` };
  const gone = (kind: string, name: string | null, detail: string): Change[] =>
    name === null ? [] : [{ action: 'revoke', kind, name, detail }];
  return [
    ...gone(content.kind, content.name, kept(archive)),
    ...place.logins.flatMap((login) => gone('login', login, 'deleted')),
    ...gone('secret', place.secret, 'deleted'),
    ...gone('secret', place.apiKeySecret, 'deleted'),
    ...(dataset === 'keep' ? [] : gone('dataset', place.dataset, kept(dataset === 'export'))),
    ...(storage === 'keep' ? [] : gone('storage', place.storage, kept(storage === 'archive'))),
  ];
}
