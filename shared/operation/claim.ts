import { isFinal, type OperationRecord } from '../registry/operations.ts';

/** What to do with a message whose operation already has a record. */
export type ClaimDecision =
  /** Nobody works on it: take it over. */
  | 'take-over'
  /** A live worker has it: leave the message unacknowledged, it comes again. */
  | 'busy'
  /** It ended and was reported: acknowledge. */
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
 */
export function decideClaim(
  existing: Pick<OperationRecord, 'messageHash' | 'state' | 'reported' | 'leaseSeconds'>,
  messageHash: string,
  silentSeconds: number,
): ClaimDecision {
  if (existing.messageHash !== messageHash) return 'conflict';
  if (isFinal(existing.state)) return existing.reported ? 'done' : 'report';
  if (existing.state === 'pending') return 'take-over';
  return silentSeconds > existing.leaseSeconds ? 'take-over' : 'busy';
}
