import { isFinal, isStuck, type OperationRecord } from '../registry/operations.ts';

/** What to do with a message whose operation already has a record. */
export type ClaimDecision =
  /** Nobody works on it: take it over. */
  | 'take-over'
  /** A live worker has it: leave the message unacknowledged, it comes again. */
  | 'busy'
  /** It ended and was reported, or is published again when its time has come: acknowledge. */
  | 'done'
  /** It ended, but nobody was told: report, then acknowledge. */
  | 'report'
  /** Same id, other content. */
  | 'conflict';

/**
 * Decides about a message whose operation exists.
 *
 * @param existing the record found
 * @param messageHash of the message in hand
 * @param silentSeconds how long ago the record was last written, by Firestore's own clock: workers' clocks differ
 * @param now by that clock, too
 */
export function decideClaim(
  existing: Pick<
    OperationRecord,
    'messageHash' | 'state' | 'reported' | 'leaseSeconds' | 'notBefore' | 'error'
  >,
  messageHash: string,
  silentSeconds: number,
  now: Date,
): ClaimDecision {
  if (existing.messageHash !== messageHash) return 'conflict';
  if (isStuck(existing)) return 'take-over';
  if (isFinal(existing.state)) return existing.reported ? 'done' : 'report';
  if (existing.state === 'pending') return 'take-over';
  if (existing.state === 'deferred') {
    return existing.notBefore && existing.notBefore.toDate() > now ? 'done' : 'take-over';
  }
  return silentSeconds > existing.leaseSeconds ? 'take-over' : 'busy';
}
