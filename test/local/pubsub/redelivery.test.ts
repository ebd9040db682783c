import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { backoffDelay, isExhausted, pushPause, retryDelay } from '../../../local/pubsub/redelivery.ts';

const policies = fc
  .tuple(fc.integer({ min: 0, max: 600_000 }), fc.integer({ min: 0, max: 600_000 }))
  .map(([a, b]) => ({ minimumBackoff: Math.min(a, b), maximumBackoff: Math.max(a, b) }));

describe('backoff', () => {
  test('doubles from the minimum to the maximum', () => {
    const policy = { minimumBackoff: 200, maximumBackoff: 1000 };
    expect([1, 2, 3, 4, 5].map((failures) => backoffDelay(policy, failures))).toEqual([
      200, 400, 800, 1000, 1000,
    ]);
  });

  test('grows from a minimum of zero too', () => {
    const policy = { minimumBackoff: 0, maximumBackoff: 1000 };
    expect([1, 2, 3, 4].map((failures) => backoffDelay(policy, failures))).toEqual([0, 10, 20, 40]);
  });

  test('stays within its bounds and never shrinks', () => {
    fc.assert(
      fc.property(policies, fc.integer({ min: 1, max: 10_000 }), (policy, failures) => {
        const delay = backoffDelay(policy, failures);
        expect(delay).toBeGreaterThanOrEqual(policy.minimumBackoff);
        expect(delay).toBeLessThanOrEqual(policy.maximumBackoff);
        expect(backoffDelay(policy, failures + 1)).toBeGreaterThanOrEqual(delay);
      }),
    );
  });

  test('is none without a policy', () => {
    expect(retryDelay(undefined, 7)).toBe(0);
  });

  test('of a failing endpoint goes from 100 ms to a minute', () => {
    expect([1, 2, 3, 10, 11, 1000].map(pushPause)).toEqual([100, 200, 400, 51_200, 60_000, 60_000]);
  });
});

describe('delivery attempts', () => {
  test('are exhausted when the policy says so, and never without one', () => {
    expect([4, 5, 6].map((failures) => isExhausted(failures, 5))).toEqual([false, true, true]);
    expect(isExhausted(1000, undefined)).toBe(false);
  });
});
