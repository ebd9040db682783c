import { describe, expect, it } from 'vitest';
import type { CustomRole } from '../../../../shared/postgres/custom-role.ts';
import {
  type GrantSetWish,
  merge,
  newerUndecided,
  withdraw,
} from '../../../../shared/registry/grants/merge.ts';
import { emptySet, type GrantSet, mostGrantsPerSet } from '../../../../shared/registry/grants/model.ts';
import { settle } from '../../../../shared/registry/grants/outcome.ts';
import { mergeWhole } from '../../../../shared/registry/grants/store.ts';
import { keepDays, minute, scope } from './world.ts';

const empty = emptySet(scope);

const wishOf = (
  operation: string,
  at: number,
  mode: GrantSetWish['mode'],
  principals: readonly string[],
  more: Partial<GrantSetWish> & { expiresAt?: Date; revision?: number } = {},
): GrantSetWish => {
  const { expiresAt, revision, ...rest } = more;
  return {
    mode,
    author: { operation, publishedAt: minute(at), ...(revision === undefined ? {} : { revision }) },
    grants: principals.map((principal) => ({
      principal,
      kind: 'login',
      role: 'reader',
      ...(expiresAt ? { expiresAt } : {}),
    })),
    customRoles: [],
    ...rest,
  };
};

const roleOf = (
  version: number,
  name = 'auditor',
  tables: CustomRole['privileges']['tables'] = [],
): CustomRole => ({
  name,
  version,
  inherits: [],
  privileges: { tables, sequences: [], routines: [] },
  native: [],
});

const define = (operation: string, at: number, ...customRoles: CustomRole[]) =>
  wishOf(operation, at, 'add', [], { customRoles });

const done = (set: GrantSet, operation: string) =>
  settle(set, { operation, epoch: 1 }, { now: minute(100), keepDays }).set;

/** What came of these, one after the other. */
const resultOf = (...wishes: GrantSetWish[]): GrantSet =>
  wishes.reduce((set, wish) => done(merge(set, wish).set, wish.author.operation), empty);

const presentIn = ({ grants }: GrantSet) =>
  Object.values(grants)
    .filter(({ value }) => value.present)
    .map(({ principal }) => principal);

const versionIn = ({ customRoles }: GrantSet, name = 'auditor') =>
  customRoles[name]?.value.definition.version;

describe('a wish', () => {
  it('is open until it is settled, and says what was decided before', () => {
    const set = merge(resultOf(wishOf('a', 1, 'add', ['alice'])), wishOf('b', 2, 'revoke', ['alice'])).set;
    expect(set.grants['reader:alice']).toMatchObject({
      value: { present: false, operation: 'b' },
      undecided: true,
      before: { present: true, operation: 'a' },
    });
    expect(done(set, 'b').grants['reader:alice']).toEqual({
      principal: 'alice',
      kind: 'login',
      role: 'reader',
      value: { present: false, operation: 'b', publishedAt: minute(2) },
    });
  });

  it('carries why, until when and who asked', () => {
    const wish = wishOf('a', 1, 'add', [], { actor: 'ci' });
    const grants = [
      { principal: 'alice', kind: 'login' as const, role: 'reader', expiresAt: minute(9), reason: 'INC-1' },
    ];
    expect(resultOf({ ...wish, grants }).grants['reader:alice']?.value).toEqual({
      present: true,
      expiresAt: minute(9),
      reason: 'INC-1',
      actor: 'ci',
      operation: 'a',
      publishedAt: minute(1),
    });
  });

  it('of the same operation is one, however often it is tried', () => {
    const wish = wishOf('a', 1, 'exact', ['alice'], { customRoles: [roleOf(1)] });
    const once = merge(resultOf(wishOf('z', 0, 'add', ['bob'])), wish).set;
    expect(merge(once, wish).set).toEqual(once);
    const settled = done(once, 'a');
    expect(merge(settled, wish).set).toEqual(settled);
  });

  it('gives way to what is newer, grant by grant, and says to what', () => {
    const set = resultOf(wishOf('new', 5, 'revoke', ['alice']));
    const merged = merge(set, wishOf('old', 1, 'add', ['alice', 'bob']));
    expect(merged).toMatchObject({ superseded: ['reader:alice'], by: ['new'] });
    expect(presentIn(merged.set)).toEqual(['bob']);
    expect(() => mergeWhole(set, wishOf('old', 1, 'add', ['alice']))).toThrow(
      expect.objectContaining({ name: 'Superseded', by: 'new' }),
    );
  });

  it('counts by its revision where both have one, whatever the times', () => {
    const set = resultOf(wishOf('a', 5, 'add', ['alice'], { revision: 1 }));
    expect(presentIn(merge(set, wishOf('b', 1, 'revoke', ['alice'], { revision: 2 })).set)).toEqual([]);
    expect(presentIn(merge(set, wishOf('b', 9, 'revoke', ['alice'], { revision: 0 })).set)).toEqual([
      'alice',
    ]);
  });

  it('waits for newer ones that are open, about the same grants only', () => {
    const open = merge(empty, wishOf('new', 5, 'add', ['alice'])).set;
    expect(newerUndecided(open, wishOf('old', 1, 'add', ['alice']))).toEqual(['new']);
    expect(newerUndecided(open, wishOf('old', 1, 'add', ['bob']))).toEqual([]);
    expect(newerUndecided(open, wishOf('old', 1, 'exact', ['bob']))).toEqual(['new']);
    expect(newerUndecided(open, wishOf('newest', 9, 'exact', []))).toEqual([]);
    expect(newerUndecided(open, wishOf('new', 5, 'add', ['alice']))).toEqual([]);
    expect(newerUndecided(done(open, 'new'), wishOf('old', 1, 'add', ['alice']))).toEqual([]);
  });

  it('that takes an open one’s place is remembered until it is decided', () => {
    const first = merge(resultOf(wishOf('z', 0, 'add', ['alice'])), wishOf('a', 1, 'exact', [])).set;
    const second = merge(first, wishOf('b', 2, 'exact', ['bob'])).set;
    const settled = (set: GrantSet) =>
      settle(set, { operation: 'a', epoch: 1 }, { now: minute(100), keepDays }).overwrittenBy;
    expect(settled(second)).toEqual(['b']);
    expect(settled(withdraw(second, 'b'))).toEqual(['b']);
    expect(settled(done(second, 'b'))).toEqual([]);
    expect(settled(merge(withdraw(second, 'b'), wishOf('a', 1, 'exact', [])).set)).toEqual([]);
  });

  it('that was itself replaced is not yet decided for those whose place it took', () => {
    const [a, b, c] = [1, 2, 3].map((at) => wishOf(`${at}`, at, 'add', ['alice'])) as [
      GrantSetWish,
      GrantSetWish,
      GrantSetWish,
    ];
    const all = [a, b, c].reduce((set, wish) => merge(set, wish).set, empty);
    const second = done(all, '2');
    expect(
      settle(second, { operation: '1', epoch: 1 }, { now: minute(100), keepDays }).overwrittenBy,
    ).toEqual(['2']);
  });

  it('is refused where the set would become too large; what makes it no larger is not', () => {
    const many = (from: number, count: number) => [...Array(count).keys()].map((n) => `p${from + n}`);
    const full = resultOf(wishOf('a', 1, 'add', many(0, mostGrantsPerSet)));
    const one = wishOf('b', 2, 'add', ['one too many']);
    expect(() => merge(full, one)).toThrow(
      expect.objectContaining({ code: 'TOO_MANY_GRANTS', retryable: false }),
    );
    expect(presentIn(merge(full, wishOf('b', 2, 'revoke', ['p0'])).set)).toHaveLength(mostGrantsPerSet - 1);
    // While one was being taken back another was granted; then that turned out to be impossible.
    const over = withdraw(
      done(
        merge(merge(full, wishOf('b', 2, 'revoke', ['p0'])).set, {
          ...one,
          author: { ...one.author, operation: 'c' },
        }).set,
        'c',
      ),
      'b',
    );
    expect(presentIn(over)).toHaveLength(mostGrantsPerSet + 1);
    expect(presentIn(merge(over, wishOf('d', 3, 'revoke', ['nobody'])).set)).toHaveLength(
      mostGrantsPerSet + 1,
    );
    expect(presentIn(merge(over, wishOf('d', 3, 'exact', ['p1'])).set)).toEqual(['p1']);
  });
});

describe('a list of all grants', () => {
  it('takes away what is older and not in it', () => {
    expect(
      presentIn(resultOf(wishOf('a', 1, 'add', ['alice', 'bob']), wishOf('b', 2, 'exact', ['bob', 'carol']))),
    ).toEqual(['bob', 'carol']);
  });

  it('leaves what is newer, in it or not', () => {
    const set = resultOf(wishOf('a', 5, 'add', ['alice']), wishOf('b', 6, 'revoke', ['bob']));
    const merged = merge(set, wishOf('old', 1, 'exact', ['bob', 'carol']));
    expect(presentIn(merged.set)).toEqual(['alice', 'carol']);
    expect(merged.superseded).toEqual(['reader:bob']);
  });

  it('stands against what is older and comes later', () => {
    const set = resultOf(wishOf('list', 5, 'exact', ['alice']));
    for (const mode of ['add', 'revoke', 'exact'] as const) {
      const old = wishOf('old', 1, mode, mode === 'revoke' ? ['alice'] : ['bob']);
      expect(merge(set, old)).toMatchObject({ set, supersededBy: 'list', by: ['list'] });
      expect(() => mergeWhole(set, old)).toThrow(expect.objectContaining({ name: 'Superseded', by: 'list' }));
    }
  });

  it('that is older is still one where a part of it is superseded', () => {
    const set = resultOf(wishOf('new', 5, 'add', ['alice']));
    expect(mergeWhole(set, wishOf('old', 1, 'exact', ['alice'])).superseded).toEqual(['reader:alice']);
  });
});

describe('a wish that is withdrawn', () => {
  it('leaves what was decided before, and nothing of itself', () => {
    const before = resultOf(wishOf('a', 1, 'exact', ['alice', 'bob']), define('r', 1, roleOf(1)));
    const wish = wishOf('b', 2, 'exact', ['alice', 'carol'], {
      expiresAt: minute(9),
      customRoles: [roleOf(2), roleOf(1, 'other')],
    });
    expect(withdraw(merge(before, wish).set, 'b')).toEqual(before);
    expect(withdraw(merge(empty, wish).set, 'b')).toEqual({ ...empty, overwritten: {} });
  });

  it('stays where it is decided already', () => {
    const set = resultOf(wishOf('a', 1, 'exact', ['alice']));
    expect(withdraw(set, 'a')).toEqual(set);
  });

  it('leaves a newer one alone', () => {
    const both = merge(
      merge(empty, wishOf('a', 1, 'add', ['alice'])).set,
      wishOf('b', 2, 'add', ['alice']),
    ).set;
    expect(withdraw(both, 'a').grants).toEqual(both.grants);
  });
});

describe('a custom role', () => {
  it('has the definition of the highest version, whenever it comes', () => {
    expect(
      versionIn(resultOf(define('a', 1, roleOf(1)), define('b', 2, roleOf(3)), define('c', 3, roleOf(2)))),
    ).toBe(3);
    expect(merge(resultOf(define('a', 1, roleOf(3))), define('b', 2, roleOf(2)))).toMatchObject({
      superseded: ['auditor'],
      by: ['a'],
    });
  });

  it('is defined by a message that a newer list supersedes, too: the list says nothing about it', () => {
    const old = wishOf('old', 1, 'add', ['alice'], { customRoles: [roleOf(1)] });
    const merged = mergeWhole(resultOf(wishOf('list', 5, 'exact', ['bob'])), old);
    expect(presentIn(merged.set)).toEqual(['bob']);
    expect(versionIn(merged.set)).toBe(1);
    expect(merged.superseded).toEqual(['reader:alice']);
  });

  it('is the same with the same version, and refused with another definition', () => {
    const set = resultOf(define('a', 1, roleOf(1, 'auditor', ['SELECT', 'UPDATE'])));
    expect(merge(set, define('b', 2, roleOf(1, 'auditor', ['UPDATE', 'SELECT']))).set).toEqual(set);
    expect(() => merge(set, define('b', 2, roleOf(1, 'auditor', ['SELECT'])))).toThrow(
      expect.objectContaining({ code: 'ROLE_VERSION_CONFLICT', retryable: false }),
    );
  });

  it('waits for an open definition of the same or a higher version, which may yet fail', () => {
    const open = merge(empty, define('a', 1, roleOf(2))).set;
    expect(newerUndecided(open, define('b', 9, roleOf(1)))).toEqual(['a']);
    expect(newerUndecided(open, define('b', 9, roleOf(2)))).toEqual(['a']);
    expect(newerUndecided(open, define('b', 0, roleOf(3)))).toEqual([]);
    expect(newerUndecided(open, define('a', 1, roleOf(2)))).toEqual([]);
    expect(newerUndecided(done(open, 'a'), define('b', 9, roleOf(1)))).toEqual([]);
  });

  it('whose open definition is replaced is defined again where that fails', () => {
    const both = merge(merge(empty, define('a', 1, roleOf(1))).set, define('b', 2, roleOf(2))).set;
    const failed = withdraw(both, 'b');
    expect(settle(failed, { operation: 'a', epoch: 1 }, { now: minute(9), keepDays }).overwrittenBy).toEqual([
      'b',
    ]);
    expect(versionIn(merge(failed, define('a', 1, roleOf(1))).set)).toBe(1);
  });

  it('may be called like what every object has', () => {
    expect(versionIn(resultOf(define('a', 1, roleOf(1, 'constructor'))), 'constructor')).toBe(1);
  });
});
