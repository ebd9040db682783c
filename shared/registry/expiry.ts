import { config } from '../config.ts';

/** When Firestore's TTL may delete the record of an operation that ended. */
export function expiry(finishedAt: Date): Date {
  return new Date(finishedAt.getTime() + config().DROVER_RECORD_DAYS * 24 * 3600 * 1000);
}
