import fc from 'fast-check';
import { expect, it } from 'vitest';
import { againAt, dueAt, graceEnd } from '../../../shared/secrets/schedule.ts';

const dayMs = 86_400_000;
const moment = fc.date({ min: new Date('2020-01-01'), max: new Date('2100-01-01'), noInvalidDate: true });
const policies = fc.integer({ min: 1, max: 3650 }).chain((everyDays) =>
  fc.record({
    everyDays: fc.constant(everyDays),
    jitterDays: fc.double({ min: 0, max: everyDays / 2, noNaN: true }),
  }),
);

it('a secret is due within the jitter before its time, never after', () => {
  fc.assert(
    fc.property(moment, policies, fc.double({ min: 0, max: 1, noNaN: true }), (at, policy, random) => {
      const due = dueAt(at, policy, random)?.getTime() ?? 0;
      const latest = at.getTime() + policy.everyDays * dayMs;
      expect(due).toBeLessThanOrEqual(latest);
      expect(due).toBeGreaterThanOrEqual(latest - policy.jitterDays * dayMs - 1);
      expect(due).toBeGreaterThan(at.getTime());
    }),
  );
});

it('secrets that were made together are due apart', () => {
  const at = new Date('2026-03-01T00:00:00Z');
  const policy = { everyDays: 90, jitterDays: 9 };
  expect([0, 0.5, 1].map((random) => dueAt(at, policy, random)?.toISOString().slice(0, 13))).toEqual([
    '2026-05-30T00',
    '2026-05-25T12',
    '2026-05-21T00',
  ]);
});

it('a secret without a policy is never due', () => {
  expect(dueAt(new Date(), null, 0.5)).toBeNull();
});

it('what was replaced goes on working for the grace period', () => {
  expect(graceEnd(new Date('2026-03-01T12:00:00Z'), 90)).toEqual(new Date('2026-03-01T13:30:00Z'));
});

it('a rotation that failed is tried again after a day, after longer each time, and within a week', () => {
  const now = new Date('2026-03-01T12:00:00Z');
  const days = (failures: number) => (againAt(now, failures).getTime() - now.getTime()) / dayMs;
  expect([0, 1, 2, 3, 4, 5, 1000, 5000].map(days)).toEqual([1, 1, 2, 4, 7, 7, 7, 7]);
});
