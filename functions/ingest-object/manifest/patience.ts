import type { SentOperation } from '../../../shared/registry/manifests/model.ts';
import type { OperationRecord } from '../../../shared/registry/operations.ts';

const minuteMs = 60_000;

/** Another message under the id of one that may still come is refused: the first one has half an hour to come. */
const comesMs = 30 * minuteMs;

/** What doesn't end in that time is nobody's to wait for. */
const longestMs = 24 * 60 * minuteMs;

/** How long a run waits for operations of its own, in milliseconds. */
export interface Patience {
  /** With less time left the operation waits for its next turn. */
  readonly reserveMs: number;
  /** Nor does it keep its place for longer than that where nothing moves. */
  readonly stillMs: number;
  /** A message of which there is no record for so long is published again. */
  readonly resendMs: number;
}

/**
 * What is to be done about an operation that hasn't ended: wait on, publish its message again, or give it up.
 *
 * @param sent undefined where it isn't known when that was
 * @param isSame whether the message would be the same
 */
export function decideWait(
  sent: Pick<SentOperation, 'at' | 'last'> | undefined,
  record: Pick<OperationRecord, 'state'> | undefined,
  { now, isSame, resendMs }: { readonly now: Date; readonly isSame: boolean } & Pick<Patience, 'resendMs'>,
): 'wait' | 'again' | 'give up' {
  // What waits for a tenant's quota ends when there is room.
  if (sent === undefined || record?.state === 'deferred') return 'wait';
  const [at, last] = [sent.at.getTime(), sent.last.getTime()];
  if (now.getTime() - at > longestMs) return 'give up';
  if (record !== undefined) return 'wait';
  // Where many messages wait, more of them help nobody: each time it takes twice as long.
  const atLeast = Math.max(isSame ? resendMs : comesMs, last - at);
  return now.getTime() - last > atLeast ? 'again' : 'wait';
}

/** Whether something of another run may still come about. */
export function mayCome(sent: SentOperation, record: OperationRecord | undefined, now: Date): boolean {
  if (record !== undefined && (record.state === 'succeeded' || record.state === 'failed')) return false;
  return decideWait(sent, record, { now, isSame: false, resendMs: comesMs }) === 'wait';
}

/**
 * When to look again: after as long as it has been waited already, from a minute to ten.
 *
 * @param since when each of those was sent that are waited for
 */
export function waitedFor(since: readonly Date[], now: Date): Date {
  const oldest = Math.min(now.getTime(), ...since.map((one) => one.getTime()));
  const wait = Math.min(Math.max(now.getTime() - oldest, minuteMs), 10 * minuteMs);
  return new Date(now.getTime() + wait);
}
