import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Backlog } from '../../../local/pubsub/backlog.ts';
import { Schedule } from '../../../local/pubsub/schedule.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('a schedule', () => {
  test('gives what is due in order of time, moved and removed items considered', () => {
    const commands = fc.array(
      fc.record({
        item: fc.integer({ min: 0, max: 20 }),
        delay: fc.option(fc.integer({ min: 0, max: 1000 }), { nil: undefined }),
      }),
      { maxLength: 100 },
    );
    fc.assert(
      fc.property(commands, (list) => {
        const fired: { id: number; at: number }[] = [];
        const start = performance.now();
        const schedule = new Schedule<{ id: number; due: number; heapIndex: number }>((due) => {
          for (const { id } of due) fired.push({ id, at: performance.now() - start });
        });
        const items = Array.from({ length: 21 }, (_, id) => ({ id, due: 0, heapIndex: -1 }));
        const expected = new Map<number, number>();
        for (const { item, delay } of list) {
          const target = items[item] ?? { id: -1, due: 0, heapIndex: -1 };
          if (delay === undefined) {
            schedule.delete(target);
            expected.delete(item);
          } else {
            schedule.set(target, delay);
            expected.set(item, delay);
          }
        }
        vi.advanceTimersByTime(1001);
        expect(new Map(fired.map(({ id, at }) => [id, Math.round(at)]))).toEqual(expected);
        expect(fired.map(({ at }) => at)).toEqual(fired.map(({ at }) => at).sort((a, b) => a - b));
      }),
      { numRuns: 1000 },
    );
  });

  test('that was cleared fires nothing', () => {
    const fired: unknown[] = [];
    const schedule = new Schedule((due) => fired.push(...due));
    schedule.set({ due: 0, heapIndex: -1 }, 5);
    schedule.clear();
    vi.advanceTimersByTime(10);
    expect(fired).toEqual([]);
  });
});

describe('a backlog', () => {
  test('gives items in the order they came, however many', () => {
    const backlog = new Backlog<number>();
    for (let n = 0; n < 5000; n += 1) backlog.push(n);
    expect(Array.from({ length: 5000 }, () => backlog.take())).toEqual(Array.from(Array(5000).keys()));
    expect(backlog.take()).toBeUndefined();
  });

  test('gives every item once where it is shuffled', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { maxLength: 50 }), (picks) => {
        const backlog = new Backlog<number>();
        picks.forEach((_, n) => {
          backlog.push(n);
        });
        const taken = picks.map((pick) => backlog.take(() => pick));
        expect(new Set(taken)).toEqual(new Set(picks.keys()));
      }),
    );
  });
});
