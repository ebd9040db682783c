import { describe, expect, it } from 'vitest';
import {
  customRoleDefinition,
  maxCustomRoleName,
  nativeRoles,
} from '../../../../shared/postgres/custom-role.ts';
import { maxIdentifierBytes } from '../../../../shared/postgres/target.ts';
import { type GrantSetWish, merge, withdraw } from '../../../../shared/registry/grants/merge.ts';
import {
  emptySet,
  type GrantSet,
  grantsCollection,
  mostCustomRoles,
  mostGrantsPerSet,
  mostHistory,
  mostLive,
  mostTombstones,
} from '../../../../shared/registry/grants/model.ts';
import { dueGrants, expire, settle } from '../../../../shared/registry/grants/outcome.ts';
import { useRegistry } from '../fixture.ts';
import { keepDays, minute } from './world.ts';

const registry = useRegistry();

const scope = {
  instance: `${'p'.repeat(90)}:northamerica-northeast1:main`,
  database: 'é'.repeat(31),
  schema: 's'.repeat(maxIdentifierBytes),
};
const role = 'r'.repeat(maxCustomRoleName);
/** As long as the message's contract lets them be, in the characters that take the most bytes. */
const [reason, actor] = ['字'.repeat(200), '字'.repeat(256)];
const principal = (n: number) => `${n}@p.iam`.padStart(maxIdentifierBytes, 'a');
const range = (from: number, count: number) => Array.from({ length: count }, (_, n) => from + n);
const operationOf = (n: number) => String(n).padStart(40, '0');
const end = minute(1_000_000);

let turn = 0;

function wish(
  mode: GrantSetWish['mode'],
  who: readonly number[],
  more: Partial<GrantSetWish> = {},
): GrantSetWish {
  turn += 1;
  const author = { operation: operationOf(turn), publishedAt: minute(turn), revision: 10 ** 15 + turn };
  const grants = who.map((n) => ({
    ...{ principal: principal(n), kind: 'iam-service-account' as const, role },
    ...(mode === 'revoke' ? {} : { expiresAt: end, reason }),
  }));
  return { mode, author, actor, grants, customRoles: [], ...more };
}

const settled = (set: GrantSet, operation: string) =>
  settle(set, { operation, epoch: turn }, { now: minute(turn), keepDays }).set;

function asked(set: GrantSet, wished: GrantSetWish): GrantSet {
  return settled(merge(set, wished).set, wished.author.operation);
}

/** A hundred at a time, as messages are. */
function asMessages(set: GrantSet, mode: GrantSetWish['mode'], who: readonly number[]): GrantSet {
  let rest = set;
  for (let at = 0; at < who.length; at += 100) rest = asked(rest, wish(mode, who.slice(at, at + 100)));
  return rest;
}

const definitions = (version: number, from: number, count: number) =>
  range(from, count).map((n) =>
    customRoleDefinition.parse({
      name: `role_${n}_`.padEnd(maxCustomRoleName, 'x'),
      version,
      inherits: ['writer', 'reader', 'analyst'],
      privileges: {
        tables: ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'],
        sequences: ['USAGE', 'SELECT', 'UPDATE'],
        routines: ['EXECUTE'],
      },
      native: [...nativeRoles],
    }),
  );

/** As many as the registry lets there be of everything, each as long as it can be. */
function largest(): GrantSet {
  let set: GrantSet = { ...emptySet(scope), epoch: 1, reached: true };
  const expiring = 'e'.repeat(40);
  for (let from = 0; from < mostTombstones; from += 100) {
    set = asMessages(set, 'add', range(10_000 + from, 100));
    set = settled(expire(set, dueGrants(set, end, expiring), expiring), expiring);
  }
  for (const version of [1, 2]) {
    for (let from = 0; from < mostCustomRoles; from += 20) {
      const one = wish('add', [], { customRoles: definitions(version * 10 ** 8, from, 20) });
      set = version === 1 ? asked(set, one) : merge(set, one).set;
    }
  }
  set = asMessages(set, 'add', range(0, mostGrantsPerSet));
  // While some are being taken back others find room; then that turns out to be impossible.
  const impossible = wish('revoke', range(0, mostLive - mostGrantsPerSet));
  set = merge(set, impossible).set;
  set = asMessages(set, 'add', range(mostGrantsPerSet, mostLive - mostGrantsPerSet));
  set = withdraw(set, impossible.author.operation);
  set = expire(set, dueGrants(set, end, expiring), expiring);
  const others = range(0, 8).map((n) => operationOf(10 ** 6 + n));
  return {
    ...set,
    exact: { value: { operation: operationOf(1), publishedAt: minute(1), revision: 1 }, undecided: true },
    overwritten: Object.fromEntries(range(0, 100).map((n) => [operationOf(10 ** 7 + n), others])),
  };
}

describe('the largest set', () => {
  it('has all that the bounds let it have, and fits into a document', async () => {
    const set = largest();
    const grants = Object.values(set.grants);
    expect(grants.filter(({ undecided, before }) => undecided && before?.reason)).toHaveLength(mostLive);
    expect(grants.filter(({ undecided }) => !undecided)).toHaveLength(mostTombstones);
    expect(Object.keys(set.customRoles)).toHaveLength(mostCustomRoles);
    expect(set.history).toHaveLength(mostHistory);

    const ref = registry.db.collection(grantsCollection).doc('f'.repeat(40));
    await ref.set({ ...set });

    expect(Object.keys((await ref.get()).get('grants'))).toHaveLength(mostLive + mostTombstones);
  });

  it('lets everybody be taken out of it', async () => {
    const set = merge(largest(), wish('exact', [])).set;
    await registry.db
      .collection(grantsCollection)
      .doc('all')
      .set({ ...set });
    await registry.db
      .collection(grantsCollection)
      .doc('none')
      .set({ ...settled(set, operationOf(turn)) });
  });

  it('takes no custom role more, and another definition of one that it has', () => {
    const set = largest();
    const more = wish('add', [], { customRoles: definitions(1, mostCustomRoles, 1) });
    expect(() => merge(set, more)).toThrow(
      expect.objectContaining({
        code: 'TOO_MANY_CUSTOM_ROLES',
        retryable: false,
        details: { problems: [expect.objectContaining({ path: 'data.customRoles' })] },
      }),
    );
    const other = wish('add', [], { customRoles: definitions(9 * 10 ** 8, 0, 1) });
    expect(Object.keys(merge(set, other).set.customRoles)).toHaveLength(mostCustomRoles);
  });

  it('has others wait while all of it is changing, and nobody for ever', () => {
    const full = asMessages(emptySet(scope), 'add', range(0, mostGrantsPerSet));
    const open = merge(full, wish('revoke', range(0, 100))).set;
    const opener = operationOf(turn);
    const busy = merge(open, wish('revoke', range(1000, 100))).set;
    const next = wish('revoke', range(2000, 1));
    expect(() => merge(busy, next)).toThrow(
      expect.objectContaining({ code: 'TOO_MANY_UNDECIDED', retryable: true }),
    );
    expect(merge(settled(busy, opener), next).superseded).toEqual([]);
    expect(() => merge(full, wish('add', range(1000, 1)))).toThrow(
      expect.objectContaining({
        code: 'TOO_MANY_GRANTS',
        details: { problems: [expect.objectContaining({ path: 'data.grants' })] },
      }),
    );
  });
});

describe('what is written for people', () => {
  const words = (set: GrantSet) => Object.values(set.grants).map(({ value }) => value);

  it('is kept as it is where it is short, and cut between two characters where it is long', () => {
    const short = wish('add', [1]);
    const grants = short.grants.map((grant) => ({ ...grant, reason: 'r'.repeat(200) }));
    expect(words(merge(emptySet(scope), { ...short, actor: 'pat@acme.com', grants }).set)).toMatchObject([
      { reason: 'r'.repeat(200), actor: 'pat@acme.com' },
    ]);
    for (const letter of ['é', '字', '🐘']) {
      const long = grants.map((grant) => ({
        ...grant,
        reason: `r${letter.repeat(100)}${letter.repeat(99)}`,
      }));
      const [value] = words(merge(emptySet(scope), { ...short, grants: long }).set);
      expect(value?.reason).toMatch(new RegExp(`^r(?:${letter})+…$`, 'u'));
      expect(Buffer.byteLength(value?.reason ?? '')).toBeLessThanOrEqual(200);
      expect(Buffer.byteLength(value?.reason ?? '')).toBeGreaterThan(195);
    }
  });

  it('is in the history, and no longer with what was taken back', () => {
    const granted = asMessages(emptySet(scope), 'add', [1, 2]);
    const revoked = asMessages(granted, 'revoke', [1]);
    const expired = settled(expire(revoked, dueGrants(revoked, end, 'cron'), 'cron'), 'cron');
    for (const value of words(expired)) {
      expect(value).toMatchObject({ present: false });
      expect(value.reason ?? value.actor).toBeUndefined();
    }
    expect(expired.history.map(({ action, actor }) => [action, actor !== undefined])).toEqual([
      ['expire', true],
      ['revoke', true],
      ['grant', true],
      ['grant', true],
    ]);
  });
});

it('is told of a custom role whose version is taken, with its place', () => {
  const both = definitions(1, 0, 2);
  const set = asked(emptySet(scope), wish('add', [], { customRoles: both }));
  const other = both.map((one, index) => (index === 1 ? { ...one, inherits: [] } : one));
  expect(() => merge(set, wish('add', [], { customRoles: other }))).toThrow(
    expect.objectContaining({
      code: 'ROLE_VERSION_CONFLICT',
      details: expect.objectContaining({
        problems: [expect.objectContaining({ path: 'data.customRoles[1].version' })],
      }),
    }),
  );
});
