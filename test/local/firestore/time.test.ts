import { expect, test } from 'vitest';
import { systemClock, TimestampOracle } from '../../../local/firestore/time.ts';

test('the time has microseconds, not milliseconds with zeros', () => {
  const times = Array.from({ length: 100 }, () => systemClock.now());
  expect(times.some((time) => time % 1000 !== 0)).toBe(true);
});

test('issued times rise even while the clock stands still or goes back', () => {
  let now = 5000;
  const oracle = new TimestampOracle({ now: () => now, after: () => () => undefined });
  const times = [oracle.next(), oracle.next()];
  now = 4000;
  times.push(oracle.next());
  expect(times).toEqual([5000, 5001, 5002]);
});
