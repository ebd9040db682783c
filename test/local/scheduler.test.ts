import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { startScheduler } from '../../local/scheduler.ts';
import { readManifests } from '../../shared/manifest.ts';

beforeEach(() => vi.useFakeTimers({ now: new Date('2026-01-31T23:58:30Z') }));

afterEach(() => vi.useRealTimers());

const job = (name: string, schedule?: string) => ({
  name,
  trigger: { topic: `${name}-topic`, ...(schedule === undefined ? {} : { schedule }) },
});

it('publishes when a schedule says so, in UTC, and goes on after an error', async () => {
  const published: string[] = [];
  const errors: unknown[] = [];
  const scheduler = startScheduler(
    [job('minutely', '* * * * *'), job('monthly', '0 0 1 * *'), job('broken', '59 23 * * *'), job('never')],
    async (topic) => {
      published.push(`${new Date().toISOString().slice(0, 16)} ${topic}`);
      if (topic === 'broken-topic') throw new Error('Pub/Sub is away');
    },
    (name, error) => errors.push(`${name}: ${error}`),
  );

  await vi.advanceTimersByTimeAsync(2 * 60_000);
  scheduler.stop();
  await vi.advanceTimersByTimeAsync(10 * 60_000);

  expect(published.sort()).toEqual([
    '2026-01-31T23:59 broken-topic',
    '2026-01-31T23:59 minutely-topic',
    '2026-02-01T00:00 minutely-topic',
    '2026-02-01T00:00 monthly-topic',
  ]);
  expect(errors).toEqual(['broken: Error: Pub/Sub is away']);
});

it('looks for grants that are due every minute, so that each is gone within two', async () => {
  const reconcile = readManifests().filter(({ name }) => name === 'reconcile');
  let times = 0;
  const scheduler = startScheduler(
    reconcile,
    async () => (times += 1),
    () => undefined,
  );

  await vi.advanceTimersByTimeAsync(10 * 60_000);
  scheduler.stop();

  expect(times).toBe(10);
});
