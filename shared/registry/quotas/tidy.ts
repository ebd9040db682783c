import type { Firestore } from '@google-cloud/firestore';
import { hasStatus } from '../../gcp/status.ts';
import { type QuotaRecord, quotasCollection, usageAt } from './model.ts';

/**
 * Begins the new day (UTC) for tenants who have asked for nothing on it, so that what is shown of them is right. Nothing
 * is decided by it: the figures of another day count for nothing.
 *
 * @returns how many
 */
export async function tidyQuotas(db: Firestore, now: Date, limit: number): Promise<number> {
  const { day } = usageAt(undefined, now);
  const { docs, readTime } = await db.collection(quotasCollection).where('day', '<', day).limit(limit).get();
  // By a clock of ours that is ahead of Firestore's, a tenant would have a new day's operations before it begins.
  if (usageAt(undefined, readTime.toDate()).day < day) return 0;
  const written = await Promise.all(
    docs.map(async (document) => {
      try {
        const usage = { ...usageAt(document.data() as QuotaRecord, now) };
        await document.ref.update(usage, { lastUpdateTime: document.updateTime });
        return 1;
      } catch (error) {
        // Its tenant has begun the day itself, or is gone.
        if (hasStatus(error, 'FAILED_PRECONDITION') || hasStatus(error, 'NOT_FOUND')) return 0;
        throw error;
      }
    }),
  );
  return written.filter((one) => one > 0).length;
}
