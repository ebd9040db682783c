import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { merge } from '../../../../shared/registry/grants/merge.ts';
import {
  emptySet,
  type GrantSet,
  grantKey,
  mostHistory,
  mostTombstones,
} from '../../../../shared/registry/grants/model.ts';
import {
  dueGrants,
  expire,
  settle,
  wantedOf,
  wantedOfAll,
} from '../../../../shared/registry/grants/outcome.ts';
import { keepDays, minute, scope } from './world.ts';

const wish = (
  operation: string,
  at: number,
  mode: 'add' | 'exact' | 'revoke',
  principals: readonly string[],
  expiresAt?: Date,
) => ({
  mode,
  author: { operation, publishedAt: minute(at) },
  grants: principals.map((principal) => ({
    principal,
    kind: 'login' as const,
    role: 'reader',
    ...(expiresAt ? { expiresAt } : {}),
  })),
  customRoles: [],
});
const done = (set: GrantSet, operation: string, now = minute(100), days = keepDays) =>
  settle(set, { operation, epoch: 1 }, { now, keepDays: days }).set;
const put = (set: GrantSet, ...[operation, ...rest]: Parameters<typeof wish>) =>
  done(merge(set, wish(operation, ...rest)).set, operation);
const empty = emptySet(scope);

const anyWish = fc
  .tuple(
    fc.constantFrom('a', 'b', 'c', 'd'),
    fc.nat({ max: 5 }),
    fc.constantFrom('add' as const, 'exact' as const, 'revoke' as const),
    fc.subarray(['alice', 'bob', 'carol']),
    fc.option(fc.integer({ min: 1, max: 9 }).map(minute), { nil: undefined }),
  )
  .map((parts) => wish(...parts));

/** Merged, one after the other; some of them settled. */
const anySet = fc.array(fc.tuple(anyWish, fc.boolean()), { maxLength: 6 }).map((steps) =>
  steps.reduce((set, [one, ends]) => {
    const merged = merge(set, one).set;
    return ends ? done(merged, one.author.operation) : merged;
  }, empty),
);

describe('a set, whatever became of it', () => {
  it('says when the next grant ends, and who has one or is being decided about', () => {
    fc.assert(
      fc.property(anySet, fc.constantFrom('a', 'b'), (set, operation) => {
        for (const one of [set, expire(set, dueGrants(set, minute(5), operation), operation)]) {
          const states = Object.values(one.grants).flatMap(({ principal, value, before }) =>
            [value, before].flatMap((state) => (state?.present ? [{ ...state, principal }] : [])),
          );
          const ends = states.flatMap(({ expiresAt }) => (expiresAt ? [expiresAt.getTime()] : []));
          expect(one.nextExpiry?.getTime()).toBe(ends.length > 0 ? Math.min(...ends) : undefined);
          const open = Object.values(one.grants).filter(({ undecided }) => undecided);
          const who = [...states, ...open].map(({ principal }) => principal);
          expect(one.principals).toEqual([...new Set(who)].sort());
        }
      }),
    );
  });

  it('is settled once: again changes nothing', () => {
    fc.assert(
      fc.property(anySet, fc.constantFrom('a', 'b', 'c', 'd'), (set, operation) => {
        const once = settle(set, { operation, epoch: 3 }, { now: minute(9), keepDays });
        const twice = settle(once.set, { operation, epoch: 3 }, { now: minute(10), keepDays });
        expect(twice).toEqual(once);
      }),
    );
  });

  it('has no open wish of an operation that is settled', () => {
    fc.assert(
      fc.property(anySet, (set) => {
        const { grants, exact } = done(set, 'a');
        const open = [exact, ...Object.values(grants)].filter((one) => one?.undecided);
        expect(open.filter((one) => one?.value.operation === 'a')).toEqual([]);
      }),
    );
  });
});

describe('the number of the last attempt that ended', () => {
  it('never falls', () => {
    const settled = (set: GrantSet, epoch: number) =>
      settle(set, { operation: 'a', epoch }, { now: minute(0), keepDays }).set;
    expect(settled(settled(empty, 5), 3).appliedEpoch).toBe(5);
    expect(settled(settled(empty, 3), 5).appliedEpoch).toBe(5);
  });
});

describe('the history', () => {
  it('says what became of a grant, the newest first', () => {
    let set = put(empty, 'a', 1, 'add', ['alice'], minute(9));
    set = put(set, 'again', 2, 'add', ['alice'], minute(9));
    set = put(set, 'renewal', 3, 'add', ['alice'], minute(20));
    set = put(set, 'for good', 4, 'add', ['alice']);
    set = put(set, 'list', 5, 'exact', ['bob'], minute(50));
    set = put(set, 'nothing', 6, 'revoke', ['alice', 'carol']);
    set = done(expire(set, dueGrants(set, minute(50), 'cron'), 'cron'), 'cron');
    expect(
      set.history.map(({ action, principal, operation }) => `${action} ${principal} ${operation}`),
    ).toEqual([
      'expire bob cron',
      'revoke alice list',
      'grant bob list',
      'renew alice for good',
      'renew alice renewal',
      'grant alice a',
    ]);
  });

  it('is bounded', () => {
    const people = [...Array(90).keys()].map((n) => `p${n}`);
    let set = empty;
    for (let round = 0; round < 4; round += 1) {
      set = put(set, `list ${round}`, round + 1, 'exact', round % 2 === 0 ? people : []);
    }
    expect(set.history).toHaveLength(mostHistory);
    expect(set.history[0]?.operation).toBe('list 3');
  });
});

describe('what was taken back', () => {
  it('is remembered as long as an older message may come, and forgotten then', () => {
    const set = put(empty, 'a', 1, 'revoke', ['alice']);
    const day = 24 * 60;
    expect(Object.keys(done(set, 'b', minute(30 * day + 1), 30).grants)).toEqual(['reader:alice']);
    expect(Object.keys(done(set, 'b', minute(30 * day + 2), 30).grants)).toEqual([]);
  });

  it('is forgotten where there is too much of it, the oldest first, but for what is open', () => {
    const people = [...Array(mostTombstones + 2).keys()].map((n) => `p${n}`);
    const open = merge(empty, wish('open', 0, 'revoke', ['open'])).set;
    const set = people.reduce((rest, who, n) => put(rest, who, n + 1, 'revoke', [who]), open);
    const left = Object.values(set.grants).map(({ principal }) => principal);
    expect(left.sort()).toEqual(['open', ...people.slice(2)].sort());
  });

  it('is remembered however old, while somebody is about to decide on it', () => {
    const set = merge(put(empty, 'a', 1, 'revoke', ['alice']), wish('b', 2, 'revoke', ['alice'])).set;
    expect(Object.keys(done(set, 'c', minute(10 ** 7), 1).grants)).toEqual(['reader:alice']);
  });

  it('for its time gives way to any newer wish, and not to the message that had granted it', () => {
    const granted = put(empty, 'a', 1, 'add', ['alice'], minute(9));
    const expired = done(expire(granted, dueGrants(granted, minute(9), 'cron'), 'cron'), 'cron');
    expect(expired.grants['reader:alice']?.value).toMatchObject({ present: false, expired: true });
    expect(merge(expired, wish('b', 2, 'add', ['alice'])).set.grants['reader:alice']?.value.present).toBe(
      true,
    );
    expect(merge(expired, wish('a', 1, 'add', ['alice'], minute(9))).superseded).toEqual(['reader:alice']);
    expect(merge(expired, wish('z', 0, 'add', ['alice'])).superseded).toEqual(['reader:alice']);
  });
});

describe('what is due', () => {
  const granted = put(empty, 'a', 1, 'add', ['alice'], minute(9));
  const due = (set: GrantSet, now: number, operation = 'cron') =>
    dueGrants(set, minute(now), operation).map(grantKey);

  it('is a grant whose time is over, to the millisecond', () => {
    expect(due(granted, 8)).toEqual([]);
    expect(due(granted, 9)).toEqual(['reader:alice']);
    expect(dueGrants(granted, new Date(minute(9).getTime() - 1), 'cron')).toEqual([]);
    expect(due(put(empty, 'a', 1, 'add', ['alice']), 10 ** 7)).toEqual([]);
  });

  it('is what this operation is taking back already, and nobody else', () => {
    const expiring = expire(granted, dueGrants(granted, minute(9), 'cron'), 'cron');
    expect(due(expiring, 9)).toEqual(['reader:alice']);
    expect(due(expiring, 9, 'another')).toEqual([]);
    expect(expire(expiring, dueGrants(expiring, minute(9), 'cron'), 'cron')).toEqual(expiring);
  });

  it('is nothing that somebody is about to renew, and then what he couldn’t', () => {
    const renewing = merge(granted, wish('b', 2, 'add', ['alice'], minute(20))).set;
    expect(due(renewing, 9)).toEqual([]);
    expect(expire(renewing, Object.values(renewing.grants), 'cron')).toEqual(renewing);
    expect(due(done(renewing, 'b'), 9)).toEqual([]);
  });
});

describe('what the catalog has to be like', () => {
  const decided = put(put(empty, 'a', 1, 'add', ['alice']), 'b', 2, 'revoke', ['bob']);

  it('for an addition is that, and nothing else is said', () => {
    const one = wish('c', 3, 'add', ['carol']);
    expect(wantedOf(merge(decided, one).set, one, [])).toMatchObject({
      grants: [{ role: 'reader', principal: 'carol', present: true }],
      customRoles: [],
      surplus: 'ignore',
      undecided: [],
    });
  });

  it('is without what something newer has decided', () => {
    const one = wish('c', 0, 'add', ['bob', 'carol']);
    const { set, superseded } = merge(decided, one);
    expect(wantedOf(set, one, superseded).grants.map(({ principal }) => principal)).toEqual(['carol']);
  });

  it('for a list is all that is so then: older grants go, newer ones stay', () => {
    const one = wish('list', 1.5, 'exact', ['carol']);
    const newer = put(decided, 'd', 4, 'add', ['dave']);
    const wanted = wantedOf(merge(newer, one).set, one, []);
    expect(wanted.surplus).toBe('revoke');
    expect(Object.fromEntries(wanted.grants.map(({ principal, present }) => [principal, present]))).toEqual({
      alice: false,
      bob: false,
      carol: true,
      dave: true,
    });
  });

  it.each(['add', 'exact'] as const)('for %s ends with the time that the message itself gave', (mode) => {
    const one = wish('c', 3, mode, ['carol'], minute(9));
    const wanted = wantedOf(merge(decided, one).set, one, []);
    expect(wanted.grants.find(({ principal }) => principal === 'carol')).toEqual({
      role: 'reader',
      principal: 'carol',
      present: true,
      notAfter: minute(9),
    });
  });

  it('for a list ends nobody’s renewal with the time that the list gave', () => {
    const list = wish('list', 5, 'exact', ['alice', 'carol'], minute(9));
    const renewed = (end?: Date) => put(decided, 'renewal', 7, 'add', ['alice'], end);
    for (const newer of [renewed(), renewed(minute(20))]) {
      const { set, superseded } = merge(newer, list);
      expect(superseded).toEqual(['reader:alice']);
      const wanted = wantedOf(set, list, superseded);
      const [alice, carol] = ['alice', 'carol'].map((name) =>
        wanted.grants.find(({ principal }) => principal === name),
      );
      expect(alice).toEqual({ role: 'reader', principal: 'alice', present: true });
      expect(carol).toEqual({ role: 'reader', principal: 'carol', present: true, notAfter: minute(9) });
    }
  });

  it('for a list that comes again leaves a renewal of what it had granted its own end', () => {
    const list = wish('list', 5, 'exact', ['alice'], minute(9));
    const listed = put(decided, 'list', 5, 'exact', ['alice'], minute(9));
    const { set, superseded } = merge(put(listed, 'renewal', 7, 'add', ['alice'], minute(20)), list);
    expect(wantedOf(set, list, superseded).grants).toContainEqual({
      role: 'reader',
      principal: 'alice',
      present: true,
    });
  });

  it('gives what it takes back no end', () => {
    const granted = put(decided, 'c', 3, 'add', ['carol'], minute(9));
    const one = wish('d', 4, 'revoke', ['carol'], minute(9));
    expect(wantedOf(merge(granted, one).set, one, []).grants).toEqual([
      { role: 'reader', principal: 'carol', present: false },
    ]);
  });

  it('leaves open what others are about to decide', () => {
    const set = merge(decided, wish('c', 3, 'revoke', ['alice'])).set;
    expect(wantedOfAll(set)).toMatchObject({
      grants: [{ principal: 'bob', present: false }],
      undecided: [{ role: 'reader', principal: 'alice' }],
    });
    expect(wantedOfAll(set, 'c')).toMatchObject({
      grants: [
        { principal: 'alice', present: false },
        { principal: 'bob', present: false },
      ],
      undecided: [],
    });
  });
});
