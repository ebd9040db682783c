import type { Firestore, Query } from '@google-cloud/firestore';
import { isStuck, type OperationRecord, operationsCollection } from '../shared/registry/operations.ts';
import { type Found, foundIn } from './found.ts';
import { collect } from './paging.ts';

/** All of a record but its message, which may be long; that there is one shows by its attributes. */
const listedFields = [
  ...['function', 'operationId', 'dryRun', 'messageHash', 'messageId', 'publishedAt', 'revision'],
  ...[
    'claimedActor',
    'traceparent',
    'target',
    'tenant',
    'state',
    'notBefore',
    'epoch',
    'leaseSeconds',
    'renewedAt',
  ],
  ...['createdAt', 'startedAt', 'finishedAt', 'durationMs', 'changes', 'notes', 'truncated', 'error'],
  ...['reason', 'reported', 'deadLettered', 'payload.attributes', 'expireAt'],
] as const;

export interface Selection {
  readonly function?: string | undefined;
  /** All of them where undefined. */
  readonly states?: readonly string[] | undefined;
}

/**
 * Operations, newest first.
 *
 * @param accepts leaves out what the query can't, before `limit` counts
 */
export async function listOperations(
  selection: Selection,
  limit: number,
  accepts: (record: OperationRecord) => boolean = () => true,
): Promise<Found[]> {
  return collect(
    (db) => newestFirst(db, selection),
    limit,
    (document) => {
      const one = foundIn(document);
      return one && accepts(one.record) ? one : undefined;
    },
  );
}

function newestFirst(db: Firestore, selection: Selection): Query {
  let query: Query = db.collection(operationsCollection);
  if (selection.function !== undefined) query = query.where('function', '==', selection.function);
  if (selection.states !== undefined) query = query.where('state', 'in', selection.states);
  return query.orderBy('createdAt', 'desc').select(...listedFields);
}

/**
 * What failed for good and whose message was kept, or of which nothing was heard any more, and what was reopened since but hasn't run yet, so that a replay that
 * was cut short is seen. The newest operation first.
 */
export async function listDeadLetters(
  { function: name, code }: { function?: string | undefined; code?: string | undefined },
  limit = Number.POSITIVE_INFINITY,
): Promise<Found[]> {
  return listOperations(
    { function: name, states: ['failed', 'pending'] },
    limit,
    ({ state, payload, error }) =>
      (Boolean(payload) || isStuck({ state, error })) && (code === undefined || error?.code === code),
  );
}
