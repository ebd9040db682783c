import { setTimeout as delay } from 'node:timers/promises';
import { OperationError } from '../../operation/errors.ts';
import { rejection } from '../../postgres/rejection.ts';

const minuteMs = 60_000;

/** How many calls may be made. */
export interface Budget {
  /**
   * Waits until one more call is within the budget; who came first goes first.
   *
   * @throws OperationError `ADMIN_API_BUDGET`, retryable, where the signal fires before
   */
  take(signal: AbortSignal): Promise<void>;
}

export interface Clock {
  /** Milliseconds that only rise. */
  now(): number;
  /** Rejects when the signal fires. */
  delay(ms: number, signal: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  delay: (ms, signal) => delay(ms, undefined, { signal }),
};

/** A budget of so many calls within any minute. */
export function createBudget(perMinute: number, clock = systemClock): Budget {
  /** When the calls of the last minute were made, the oldest first. */
  const made: number[] = [];
  let turn: Promise<unknown> = Promise.resolve();

  const wait = async (signal: AbortSignal): Promise<void> => {
    for (;;) {
      signal.throwIfAborted();
      const [oldest = 0] = made;
      const untilFree = made.length < perMinute ? 0 : oldest + minuteMs - clock.now();
      if (untilFree <= 0) break;
      await clock.delay(untilFree, signal);
    }
    if (made.length === perMinute) made.shift();
    made.push(clock.now());
  };

  return {
    async take(signal) {
      const mine = turn.then(() => wait(signal));
      turn = mine.catch(() => undefined);
      try {
        await Promise.race([mine, rejection(signal)]);
      } catch (error) {
        throw new OperationError(
          'ADMIN_API_BUDGET',
          `The ${perMinute} calls per minute that DROVER_ADMIN_API_PER_MINUTE allows this process were used up until its time was over`,
          { retryable: true, cause: error },
        );
      }
    },
  };
}
