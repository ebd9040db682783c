import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type GrantSetWish, merge, withdraw } from '../../../../shared/registry/grants/merge.ts';
import {
  emptySet,
  type GrantSet,
  mostGrantsPerSet,
  mostHistory,
  mostTombstones,
  type RegisteredGrant,
} from '../../../../shared/registry/grants/model.ts';
import { settle } from '../../../../shared/registry/grants/outcome.ts';
import { keepDays, minute, scope } from './world.ts';

const names = (from: number, count: number) => Array.from({ length: count }, (_, n) => `p${from + n}`);

const wish = (at: number, mode: GrantSetWish['mode'], principals: readonly string[]): GrantSetWish => ({
  mode,
  author: { operation: `of ${at}`, publishedAt: minute(at) },
  grants: principals.map((principal) => ({ principal, kind: 'login', role: 'reader' })),
  customRoles: [],
});

const settled = (set: GrantSet, operation: string) =>
  settle(set, { operation, epoch: 1 }, { now: minute(100), keepDays }).set;

const presentIn = ({ grants }: GrantSet) => Object.values(grants).filter(({ value }) => value.present).length;
const goneIn = ({ grants }: GrantSet) =>
  Object.values(grants).filter(({ value, undecided }) => !value.present && !undecided);

/** A few short of every bound: so many were granted, and as many more were taken back at times of their own. */
const nearly = (() => {
  const gone: GrantSet['grants'] = Object.fromEntries(
    names(10_000, mostTombstones - 3).map((principal, index): [string, RegisteredGrant] => {
      const value = { present: false, operation: 'before', publishedAt: minute(-index) };
      return [`reader:${principal}`, { principal, kind: 'login', role: 'reader', value }];
    }),
  );
  const set = { ...emptySet(scope), grants: gone };
  return settled(merge(set, wish(0, 'add', names(0, mostGrantsPerSet - 3))).set, 'of 0');
})();

const step = fc.record({
  mode: fc.constantFrom('add' as const, 'add' as const, 'revoke' as const, 'exact' as const),
  /** Some who are there, some who are not. */
  from: fc.oneof(
    fc.nat({ max: mostGrantsPerSet }),
    fc.nat({ max: 20 }).map((n) => mostGrantsPerSet - 8 + n),
  ),
  count: fc.integer({ min: 1, max: 12 }),
  ends: fc.constantFrom('settled', 'settled', 'withdrawn', 'open'),
});

describe('a set close to its bounds', () => {
  it('stays within them, whatever is asked for and comes of it', () => {
    expect(presentIn(nearly)).toBe(mostGrantsPerSet - 3);
    expect(goneIn(nearly)).toHaveLength(mostTombstones - 3);
    expect(nearly.history).toHaveLength(mostHistory);
    let [refused, forgot] = [0, 0];
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) => {
        let set = nearly;
        steps.forEach(({ mode, from, count, ends }, index) => {
          const one = wish(index + 1, mode, names(from, count));
          const { operation } = one.author;
          const allowed = Math.max(mostGrantsPerSet, presentIn(set));
          let wished: GrantSet;
          try {
            wished = merge(set, one).set;
          } catch (error) {
            expect(error).toMatchObject({ code: 'TOO_MANY_GRANTS', retryable: false });
            expect(mode).toBe('add');
            refused += 1;
            return;
          }
          expect(presentIn(wished)).toBeLessThanOrEqual(allowed);
          if (ends === 'open') set = wished;
          if (ends === 'withdrawn') set = withdraw(wished, operation);
          if (ends !== 'settled') return;
          set = settled(wished, operation);
          expect(set.history.length).toBeLessThanOrEqual(mostHistory);
          expect(goneIn(set).length).toBeLessThanOrEqual(mostTombstones);
          const oldest = Math.min(...goneIn(set).map(({ value }) => value.publishedAt.getTime()));
          const forgotten = Object.entries(wished.grants).filter(([key]) => !(key in set.grants));
          forgot += forgotten.length;
          for (const [, { value }] of forgotten) {
            expect(value.present).toBe(false);
            expect(value.publishedAt.getTime()).toBeLessThanOrEqual(oldest);
          }
        });
      }),
      { numRuns: 60 },
    );
    expect(refused, 'the bound was met').toBeGreaterThan(0);
    expect(forgot, 'the bound was met').toBeGreaterThan(0);
  });

  it('takes as many as are missing, and not one more', () => {
    const more = (count: number) => merge(nearly, wish(1, 'add', names(mostGrantsPerSet, count)));
    expect(presentIn(more(3).set)).toBe(mostGrantsPerSet);
    expect(() => more(4)).toThrow(expect.objectContaining({ code: 'TOO_MANY_GRANTS' }));
    expect(presentIn(merge(nearly, wish(1, 'add', names(0, 12))).set), 'who has it already').toBe(
      mostGrantsPerSet - 3,
    );
  });
});
