import { second } from './time.ts';

/** Milliseconds, as in the subscription's retry policy. */
export interface RetryPolicy {
  readonly minimumBackoff: number;
  readonly maximumBackoff: number;
}

const smallestStep = 10;

/**
 * Milliseconds to wait after a message failed: doubling from the minimum to the maximum, per message. The real
 * service adds some imprecision; this one doesn't.
 *
 * @param failures of this message until now, 1 or more
 * @see https://cloud.google.com/pubsub/docs/handling-failures#exponential_backoff
 */
export function backoffDelay(policy: RetryPolicy, failures: number): number {
  if (policy.minimumBackoff === 0 && failures === 1) return 0;
  // A minimum of zero must grow from something.
  const [first, doublings] =
    policy.minimumBackoff === 0 ? [smallestStep, failures - 2] : [policy.minimumBackoff, failures - 1];
  return Math.min(policy.maximumBackoff, first * 2 ** Math.min(doublings, 60));
}

/** Milliseconds until a failed message is delivered again; without a policy, as soon as possible. */
export function retryDelay(policy: RetryPolicy | undefined, failures: number): number {
  return policy === undefined ? 0 : backoffDelay(policy, failures);
}

/**
 * Whether a failed message goes to the dead-letter topic.
 *
 * @param failures of this message, the latest included: the number of times it was delivered
 * @param maxDeliveryAttempts of the dead-letter policy, if there is one
 * @see https://cloud.google.com/pubsub/docs/dead-letter-topics
 */
export function isExhausted(failures: number, maxDeliveryAttempts: number | undefined): boolean {
  return maxDeliveryAttempts !== undefined && failures >= maxDeliveryAttempts;
}

const firstPushPause = 100;
const longestPushPause = 60 * second;

/**
 * Milliseconds for which a push subscription without a retry policy makes no request, after its endpoint
 * failed `pauses` times with no success in between: 100 ms doubling to 60 s.
 *
 * @see https://cloud.google.com/pubsub/docs/push#push_backoff
 */
export function pushPause(pauses: number): number {
  return Math.min(longestPushPause, firstPushPause * 2 ** Math.min(pauses - 1, 60));
}
