import type { DocumentReference, Firestore } from '@google-cloud/firestore';
import { expiry } from './expiry.ts';
import { leftLine, type OperationRecord, operationsCollection, stuckCode } from './operations.ts';

/**
 * Longer than the longest backoff (600 s) and the longest run (540 s) together: if a delivery was still to come, it would
 * have come.
 */
export const stuckSeconds = 3600;

/** Operations that nothing has been heard of for so long: candidates, for the time in the record is a worker's. */
export async function findStuck(db: Firestore, now: Date, limit: number): Promise<DocumentReference[]> {
  const silentSince = new Date(now.getTime() - stuckSeconds * 1000);
  const { docs } = await db
    .collection(operationsCollection)
    .where('state', 'in', ['running', 'pending'])
    .where('renewedAt', '<=', silentSince)
    .orderBy('renewedAt')
    .limit(limit)
    .select()
    .get();
  return docs.map(({ ref }) => ref);
}

/**
 * Ends an operation that nothing has been heard of for an hour. Should its message come after all, it is run.
 *
 * @returns the record to report; undefined where something was heard of it
 */
export async function failStuck(db: Firestore, ref: DocumentReference): Promise<OperationRecord | undefined> {
  return db.runTransaction(async (transaction) => {
    const snapshot = await transaction.get(ref);
    const record = snapshot.data() as OperationRecord | undefined;
    if (record === undefined || snapshot.updateTime === undefined) return undefined;
    if (record.state !== 'running' && record.state !== 'pending') return undefined;
    const silentSeconds = (snapshot.readTime.toMillis() - snapshot.updateTime.toMillis()) / 1000;
    if (silentSeconds <= Math.max(stuckSeconds, record.leaseSeconds)) return undefined;
    const finishedAt = new Date();
    const { error: last, state, epoch } = record;
    const fields = {
      state: 'failed',
      reason: 'exhausted',
      error: {
        code: stuckCode,
        message:
          `Nothing has been heard of it for an hour; it was ${state}, and its message came no more. ` +
          `If it comes after all it is run; else publish it anew.${last ? ` The last attempt failed with ${last.code}: ${last.message}` : ''}`,
        details: last ? { last: { code: last.code, message: last.message } } : {},
      },
      // A worker that wakes up has lost it.
      owner: 'reconcile',
      epoch: epoch + 1,
      finishedAt,
      durationMs: 0,
      reported: false,
      expireAt: expiry(finishedAt),
      ...leftLine(record),
    };
    transaction.update(ref, fields);
    return { ...record, ...fields } as unknown as OperationRecord;
  });
}
