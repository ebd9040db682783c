import { describe, expect, it } from 'vitest';
import { type GrantSetWish, merge } from '../../../../shared/registry/grants/merge.ts';
import { emptySet, mostTombstones, type RegisteredGrant } from '../../../../shared/registry/grants/model.ts';
import { settle } from '../../../../shared/registry/grants/outcome.ts';
import { keepDays, minute, scope } from './world.ts';

const wish = (
  operation: string,
  at: number,
  mode: GrantSetWish['mode'],
  ...names: string[]
): GrantSetWish => ({
  mode,
  author: { operation, publishedAt: minute(at) },
  grants: names.map((principal) => ({ principal, kind: 'login', role: 'reader' })),
  customRoles: [],
});

const closed = new Map([['alice', { operation: 'offboarding', publishedAt: minute(10) }]]);

describe('who was offboarded', () => {
  it.each(['add', 'exact'] as const)('is not brought back by an older %s that comes late', (mode) => {
    const { set, superseded, by } = merge(emptySet(scope), wish('late', 5, mode, 'alice', 'bob'), closed);
    expect(superseded).toEqual(['reader:alice']);
    expect(by).toEqual(['offboarding']);
    expect(Object.keys(set.grants)).toEqual(['reader:bob']);
  });

  it('can be granted something again by a newer message', () => {
    const { set, superseded } = merge(emptySet(scope), wish('hired again', 15, 'add', 'alice'), closed);
    expect(superseded).toEqual([]);
    expect(set.principals).toEqual(['alice']);
  });
});

it('keeps in mind who is about to be decided on, so that an offboarding finds him', () => {
  const added = merge(emptySet(scope), wish('add', 1, 'add', 'alice')).set;
  expect(merge(added, wish('offboarding', 2, 'revoke', 'alice')).set.principals).toEqual(['alice']);
});

it('forgets the oldest of those that were taken back, when there are too many', () => {
  const grants = Object.fromEntries(
    Array.from({ length: mostTombstones + 5 }, (_, index): [string, RegisteredGrant] => {
      const value = { present: false, operation: `of ${index}`, publishedAt: minute(index / 100) };
      return [`reader:p${index}`, { principal: `p${index}`, kind: 'login', role: 'reader', value }];
    }),
  );
  const decided = { ...emptySet(scope), grants };
  const settled = settle(decided, { operation: 'none', epoch: 1 }, { now: minute(100), keepDays }).set;
  expect(Object.keys(settled.grants)).toHaveLength(mostTombstones);
  expect(settled.grants['reader:p0']).toBeUndefined();
  expect(settled.grants[`reader:p${mostTombstones + 4}`]).toBeDefined();
});
