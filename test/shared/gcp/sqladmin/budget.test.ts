import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { type Clock, createBudget } from '../../../../shared/gcp/sqladmin/budget.ts';
import { rejection } from '../../../../shared/postgres/rejection.ts';
import { signal, thrownBy } from './fixture.ts';

/** A clock that goes on when it is told to. */
function createClock(): Clock & { advance(ms: number): Promise<void> } {
  let time = 0;
  let sleepers: { until: number; wake: () => void }[] = [];
  return {
    now: () => time,
    delay: (ms, given) =>
      Promise.race([
        new Promise<void>((wake) => {
          sleepers.push({ until: time + ms, wake });
        }),
        rejection(given),
      ]),
    async advance(ms) {
      time += ms;
      const due = sleepers.filter(({ until }) => until <= time);
      sleepers = sleepers.filter(({ until }) => until > time);
      for (const { wake } of due) wake();
      await setImmediate();
    },
  };
}

/** Takes from a budget and notes who was let through. */
function takers(perMinute: number) {
  const clock = createClock();
  const budget = createBudget(perMinute, clock);
  const through: string[] = [];
  const take = (name: string, given = signal) => budget.take(given).then(() => void through.push(name));
  return { clock, through, take };
}

describe('a budget', () => {
  test('lets so many calls through at once, and the next one a minute after the first', async () => {
    const { clock, through, take } = takers(2);
    await take('a');
    await clock.advance(10_000);
    await take('b');
    void take('c');
    void take('d');

    await clock.advance(49_999);
    expect(through).toEqual(['a', 'b']);
    await clock.advance(1);
    expect(through).toEqual(['a', 'b', 'c']);
    await clock.advance(9_999);
    expect(through).toEqual(['a', 'b', 'c']);
    await clock.advance(1);
    expect(through).toEqual(['a', 'b', 'c', 'd']);
  });

  test('never lets more through within any minute', async () => {
    const { clock, through, take } = takers(3);
    const at: number[] = [];
    for (let n = 0; n < 30; n += 1) void take(String(n)).then(() => void at.push(clock.now()));

    for (let second = 0; second < 700; second += 1) await clock.advance(1_000);

    expect(through).toEqual(Array.from({ length: 30 }, (_, n) => String(n)));
    for (const [index, time] of at.entries()) {
      const fourth = at[index + 3];
      if (fourth !== undefined) expect(fourth - time).toBeGreaterThanOrEqual(60_000);
    }
  });

  test('who comes later waits behind those who wait already', async () => {
    const { clock, through, take } = takers(1);
    await take('a');
    void take('b');
    await clock.advance(59_999);

    const awake = clock.advance(1);
    void take('late');
    await awake;

    expect(through).toEqual(['a', 'b']);
  });

  test('who gives up is told at once that it may be tried again, and leaves its turn to the next', async () => {
    const { clock, through, take } = takers(1);
    await take('a');
    const controller = new AbortController();
    const impatient = take('b', controller.signal);
    void take('c');

    controller.abort(new Error('the time was over'));
    const error = await thrownBy(impatient);
    await clock.advance(60_000);

    expect(error).toMatchObject({
      code: 'ADMIN_API_BUDGET',
      retryable: true,
      cause: { message: 'the time was over' },
    });
    expect(through).toEqual(['a', 'c']);
  });

  test('a signal that fired before takes nothing', async () => {
    const { clock, through, take } = takers(1);

    await thrownBy(take('a', AbortSignal.abort(new Error('over'))));
    void take('b');
    await clock.advance(0);

    expect(through).toEqual(['b']);
  });
});
