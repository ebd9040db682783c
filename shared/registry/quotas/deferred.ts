import type { Firestore, QueryDocumentSnapshot } from '@google-cloud/firestore';
import { hasStatus } from '../../gcp/status.ts';
import { type OperationRecord, operationsCollection } from '../operations.ts';
import { messageOf, type Replay } from '../replay.ts';

/**
 * When a message is published once more that was published and came to nobody: Pub/Sub delivers it until then, so this is
 * for one that was never published, because its publisher died.
 */
const againMs = 600_000;

/** A deferred operation whose time has come. */
export interface Due {
  readonly document: QueryDocumentSnapshot;
  readonly record: OperationRecord;
}

/** Those that have waited longest come first. */
export async function dueDeferred(db: Firestore, now: Date, limit: number): Promise<Due[]> {
  const query = db.collection(operationsCollection).where('state', '==', 'deferred');
  const { docs, readTime } = await query
    .where('publishAt', '<=', now)
    .orderBy('publishAt')
    .limit(limit)
    .get();
  const all = docs.map((document) => ({ document, record: document.data() as OperationRecord }));
  // A clock of ours that is ahead of Firestore's would have the message taken for a duplicate that comes too early.
  return all.filter(({ record }) => record.notBefore && record.notBefore.toMillis() <= readTime.toMillis());
}

/**
 * Takes it upon itself to publish the message of a deferred operation: nobody else does so for a while.
 *
 * @returns undefined where somebody was faster, or the operation is deferred no longer
 */
export async function takeDeferred({ document, record }: Due, now: Date): Promise<Replay | undefined> {
  const message = await messageOf(document.ref, record);
  const publishAt = new Date(now.getTime() + againMs);
  try {
    await document.ref.update({ publishAt }, { lastUpdateTime: document.updateTime });
  } catch (error) {
    if (hasStatus(error, 'FAILED_PRECONDITION') || hasStatus(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
  return message;
}
