import type { Firestore } from '@google-cloud/firestore';
import { type OperationRecord, operationsCollection } from './operations.ts';

/** Who ended an operation reports it at once; after that long nobody is about to. */
const overdueMs = 300_000;

/** Operations that ended and of which nobody was told, the oldest first. */
export async function findUnreported(
  db: Firestore,
  now: Date,
  limit: number,
): Promise<{ id: string; record: OperationRecord }[]> {
  const { docs } = await db
    .collection(operationsCollection)
    .where('state', 'in', ['succeeded', 'planned', 'failed'])
    .where('reported', '==', false)
    .where('finishedAt', '<=', new Date(now.getTime() - overdueMs))
    .orderBy('finishedAt')
    .limit(limit)
    .get();
  return docs.map((document) => ({ id: document.id, record: document.data() as OperationRecord }));
}
