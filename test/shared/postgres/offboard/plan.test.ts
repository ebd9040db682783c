import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Note } from '../../../../shared/operation/outcome.ts';
import { formatMarker } from '../../../../shared/postgres/marker.ts';
import type { PlanBasis } from '../../../../shared/postgres/offboard/change.ts';
import { type InspectedMembership, planClosing } from '../../../../shared/postgres/offboard/close.ts';
import { planDatabase } from '../../../../shared/postgres/offboard/database.ts';
import { planDrop } from '../../../../shared/postgres/offboard/drop.ts';
import type {
  HeldPrivileges,
  InspectedDatabase,
  InspectedPlace,
  OwnedObjects,
} from '../../../../shared/postgres/offboard/inspect.ts';
import type { InspectedPrincipal, Reach } from '../../../../shared/postgres/offboard/principal.ts';
import { Script } from '../../../../shared/postgres/offboard/script.ts';

const role: InspectedPrincipal = {
  oid: '16400',
  login: true,
  superuser: false,
  replication: false,
  comment: null,
  writer: false,
  admin: 'drover_admin_03',
};

function planned<Found>(
  plan: (basis: PlanBasis<Found>) => readonly Note[],
  found: Found,
  more: Partial<InspectedPrincipal> = {},
  serverVersion = 180000,
) {
  const script = new Script('drover_admin_00', serverVersion);
  const notes = plan({ principal: 'pat', serverVersion, role: { ...role, ...more }, found, script });
  return { notes, changes: script.changes, statements: script.statements().map(({ text }) => text) };
}

const membership: InspectedMembership = {
  role: 'team',
  member: 'pat',
  grantor: 'drover_admin_09',
  admin: false,
  superuser: false,
  settable: true,
  grantorAdmin: null,
};

describe('shutting out', () => {
  const close = (memberships: readonly InspectedMembership[], more = {}, version = 180000) =>
    planned(planClosing, { memberships }, { login: false, ...more }, version);

  test('revokes each grant of a membership as its grantor, with what the principal passed on', () => {
    const { statements, notes } = close([
      membership,
      { ...membership, grantor: 'drover_admin', admin: true },
      { ...membership, grantor: 'made', settable: false, grantorAdmin: 'drover_admin_11' },
    ]);
    expect(notes).toEqual([]);
    expect(statements).toEqual([
      'SET LOCAL ROLE "drover_admin_11"',
      'GRANT "made" TO "drover_admin_11" WITH INHERIT TRUE, SET TRUE',
      'SET LOCAL ROLE "drover_admin_09"',
      'REVOKE "team" FROM "pat" GRANTED BY "drover_admin_09"',
      'SET LOCAL ROLE "drover_admin"',
      'REVOKE "team" FROM "pat" GRANTED BY "drover_admin" CASCADE',
      'SET LOCAL ROLE "made"',
      'REVOKE "team" FROM "pat" GRANTED BY "made"',
      'SET LOCAL ROLE "drover_admin_11"',
      'REVOKE "made" FROM "drover_admin_11"',
    ]);
  });

  test('before 16 revokes them whoever granted them, but not of a superuser', () => {
    const { statements, notes } = close(
      [
        { ...membership, grantor: 'bob', settable: false },
        { ...membership, role: 'root', superuser: true },
      ],
      {},
      150000,
    );
    expect(statements).toEqual(['SET LOCAL ROLE "drover_admin_03"', 'REVOKE "team" FROM "pat"']);
    expect(notes).toMatchObject([
      { code: 'OFFBOARD_OUT_OF_REACH', statements: ['REVOKE "root" FROM "pat"'] },
    ]);
  });

  test('takes the login, but before 16 not from who has REPLICATION', () => {
    const alter = 'ALTER ROLE "pat" NOLOGIN';
    const replication = { login: true, replication: true };
    expect(close([], { login: true }).statements).toContain(alter);
    expect(close([], replication).statements).toContain(alter);
    expect(close([], { login: true, admin: null }).notes).toMatchObject([{ statements: [alter] }]);
    expect(close([], replication, 150000)).toMatchObject({
      statements: [],
      notes: [{ statements: [alter] }],
    });
  });
});

describe('dropping', () => {
  const drop = (dependents: readonly { database: string | null; count: number }[], dryRun = false) =>
    planned((basis: PlanBasis<{ dependents: typeof dependents }>) => planDrop(basis, ['app'], dryRun), {
      dependents,
    });

  test('waits until nothing depends on the role anywhere', () => {
    expect(drop([]).statements).toContain('DROP ROLE "pat"');
    for (const database of [null, 'app', 'other']) {
      const { statements, notes } = drop([{ database, count: 1 }]);
      expect(statements).toEqual([]);
      expect(notes.at(-1)?.statements).toEqual(['DROP ROLE "pat"']);
      expect(notes).toHaveLength(database === 'other' ? 2 : 1);
    }
  });

  test('is planned in a dry run where what is in the way was looked into', () => {
    expect(drop([{ database: 'app', count: 3 }], true).statements).toContain('DROP ROLE "pat"');
    expect(drop([{ database: 'other', count: 3 }], true).statements).toEqual([]);
  });
});

const admin = fc.constantFrom(null, 'drover_admin_03', 'drover_admin_11');
const schemaNames = ['billing', 'loose', 'own'];
const grantors = ['bob', 'app__billing__owner', 'drover_admin'];

const reach = (name: string): fc.Arbitrary<Reach> =>
  fc.record({ role: fc.constant(name), settable: fc.boolean(), admin });

const place = (name: string): fc.Arbitrary<InspectedPlace> =>
  fc.record({
    name: fc.constant(name),
    owner: fc.constant(`owner_of_${name}`),
    comment: fc.constant(
      name === 'billing'
        ? formatMarker({ managedBy: 'drover', database: 'app', schema: 'billing', level: 'owner' })
        : null,
    ),
    own: fc.constant(name === 'own'),
    acting: fc.constantFrom(null, 'drover_admin_42'),
    ownerCreates: fc.boolean(),
    adminCreates: fc.boolean(),
    principalGrants: fc.boolean(),
    ownerReach: reach(`owner_of_${name}`),
  });

const owned: fc.Arbitrary<OwnedObjects> = fc.record({
  type: fc.constantFrom(
    'table',
    'sequence',
    'function',
    'schema',
    'server',
    'extension',
    'database',
    'large object',
  ),
  schema: fc.constantFrom(null, ...schemaNames),
  movable: fc.boolean(),
  creates: fc.boolean(),
  followsTable: fc.boolean(),
  names: fc.array(fc.constantFrom('one', 'two', 'three'), { minLength: 1, maxLength: 3 }),
});

const held: fc.Arbitrary<HeldPrivileges> = fc.record({
  grantor: fc.constantFrom(...grantors),
  type: fc.constantFrom('table', 'view', 'function', 'schema', 'database', 'large object', 'parameter ACL'),
  privileges: fc.constantFrom(['SELECT'], ['SELECT', 'UPDATE'], ['ALTER SYSTEM']),
  names: fc.array(fc.constantFrom('one', 'two'), { minLength: 1, maxLength: 2 }),
  columns: fc.constantFrom(null, ['a', 'b']),
  revocable: fc.boolean(),
});

const database: fc.Arbitrary<InspectedDatabase> = fc.record({
  database: fc.constant('app'),
  owned: fc.array(owned, { maxLength: 4 }),
  places: fc.tuple(...schemaNames.map(place)),
  held: fc.array(held, { maxLength: 4 }),
  passed: fc.constant([]),
  defaults: fc.array(
    fc.record({
      role: fc.constantFrom(...grantors),
      schema: fc.constantFrom(null, 'billing'),
      class: fc.constantFrom('r', 'S', 'f', 'T', 'n', 'L'),
    }),
    { maxLength: 2 },
  ),
  leftovers: fc.array(fc.record({ type: fc.constant('policy'), name: fc.constantFrom('a on b', 'c on d') }), {
    maxLength: 2,
  }),
  reaches: fc.tuple(...grantors.map(reach)),
});

/** What is to be true of every plan for a database. */
function everyPlan(
  check: (plan: ReturnType<typeof planned>, found: InspectedDatabase, admin: string | null) => void,
) {
  fc.assert(
    fc.property(database, admin, fc.constantFrom(150000, 180000), (found, by, version) => {
      check(planned(planDatabase, found, { admin: by }, version), found, by);
    }),
    { numRuns: 2000 },
  );
}

describe('the plan for a database, whatever is found', () => {
  test('leaves no membership behind that it made', () => {
    everyPlan(({ statements }) => {
      const made = statements.filter((text) => /^GRANT "[^"]+" TO "drover_admin_\d\d"/.test(text));
      const undone = statements.filter((text) => /^REVOKE "[^"]+" FROM "drover_admin_\d\d"$/.test(text));
      const names = (list: readonly string[]) => list.map((text) => text.match(/"[^"]+"/g)?.join(' '));
      expect(names(undone)).toEqual(names(made).reverse());
    });
  });

  test('lets drover_admin create in a schema only while things are being handed to it', () => {
    everyPlan(({ statements }) => {
      const opened = statements.filter((text) => text.startsWith('GRANT CREATE ON SCHEMA')).length;
      const closed = statements.filter((text) => text.startsWith('REVOKE CREATE ON SCHEMA "')).length;
      expect(closed).toBe(opened);
      if (opened > 0) expect(statements.some((text) => text.startsWith('REASSIGN OWNED'))).toBe(true);
    });
  });

  test('drops nothing but what DROP OWNED takes, and that only where the role owns nothing any more', () => {
    everyPlan(({ statements, notes }, found) => {
      const drops = statements.filter((text) => /\bDROP\b/.test(text));
      expect(drops.every((text) => text === 'DROP OWNED BY "pat"')).toBe(true);
      if (drops.length === 0) return;
      const [at] = drops.map((text) => statements.indexOf(text));
      const before = statements.slice(0, at);
      expect(before.some((text) => text.startsWith('DO $$'))).toBe(true);
      const inBilling = found.places.find(({ name }) => name === 'billing');
      const rest = found.owned.filter(
        ({ schema }) => schema !== 'billing' || !inBilling?.ownerCreates || inBilling.acting === null,
      );
      if (rest.length > 0) expect(before).toContain('REASSIGN OWNED BY "pat" TO "drover_admin"');
      expect(notes.flatMap(({ statements: said }) => said ?? [])).not.toContain('DROP OWNED BY "pat"');
    });
  });

  test('has an admin drop only after everything was handed over, in one transaction', () => {
    everyPlan(({ notes }) => {
      for (const { statements = [] } of notes) {
        const drop = statements.indexOf('DROP OWNED BY "pat"');
        if (drop < 0) continue;
        expect(statements.slice(drop - 1)).toEqual([
          'REASSIGN OWNED BY "pat" TO "drover_admin"',
          'DROP OWNED BY "pat"',
          'COMMIT',
        ]);
        expect(statements.indexOf('BEGIN')).toBeGreaterThanOrEqual(0);
      }
    });
  });

  test('without a hold on the role does only what other roles granted', () => {
    everyPlan(({ statements }, _, by) => {
      if (by !== null) return;
      const own = statements.filter(
        (text) => !/^(SET LOCAL ROLE|GRANT "|REVOKE |ALTER DEFAULT PRIVILEGES)/.test(text),
      );
      expect(own).toEqual([]);
      expect(statements.some((text) => text.startsWith('GRANT "pat"'))).toBe(false);
    });
  });

  test('says everything that it leaves', () => {
    everyPlan(({ notes }, found, by) => {
      const message = notes.map((note) => note.message).join();
      const reachable = new Set(
        found.reaches.filter((one) => one.settable || one.admin !== null).map((one) => one.role),
      );
      for (const one of found.held) {
        const stays = !one.revocable || !reachable.has(one.grantor);
        if (stays) expect(message).toContain(`granted by ${one.grantor}`);
      }
      if (by === null && found.owned.length + found.leftovers.length > 0) {
        expect(notes.some(({ code }) => code === 'OFFBOARD_OUT_OF_REACH')).toBe(true);
      }
    });
  });
});

test('where there is nothing, nothing is done or said', () => {
  const found = {
    database: 'app',
    owned: [],
    places: [],
    held: [],
    passed: [],
    defaults: [],
    leftovers: [],
    reaches: [],
  };
  expect(planned(planDatabase, found)).toEqual({ notes: [], changes: [], statements: [] });
});
