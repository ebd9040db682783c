import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { localPassword } from '../../../../local/postgres/cloudsql.ts';
import {
  type CustomRole,
  checksumOf,
  customRoleDefinition,
} from '../../../../shared/postgres/custom-role.ts';
import { parseMarker } from '../../../../shared/postgres/marker.ts';
import { schemaRoles } from '../../../../shared/postgres/schema/inspect.ts';
import type { DesiredSchema, SchemaRoles } from '../../../../shared/postgres/schema/model.ts';
import { connected, desired, type PreparedCluster, run, startPrepared } from '../../../support/postgres.ts';
import { type Fact, readCatalog } from './catalog.ts';

let cluster: PreparedCluster;

beforeAll(async () => {
  cluster = await startPrepared();
  for (const login of ['gina', 'sam']) await cluster.createLogin(login, 'iam');
});

afterAll(() => cluster.remove());

let count = 0;
let database: string;
let roles: SchemaRoles;
let support: string;

beforeEach(async () => {
  database = `app_${++count}`;
  roles = schemaRoles(database, 'billing', ['support']);
  support = `${database}__billing__support`;
  await cluster.open(database);
});

const define = (more: object = {}): CustomRole =>
  customRoleDefinition.parse({ name: 'support', version: 1, ...more });
const converge = (more: Partial<DesiredSchema> = {}, schema = 'billing') =>
  cluster.converge(desired(database, schema, { levels: [], ...more }));
const settle = async (...customRoles: CustomRole[]) => {
  const first = await converge({ customRoles });
  const again = await converge({ customRoles });
  expect(again.steps.map((step) => step.sql.text)).toEqual([]);
  return first;
};
const asSuperuser = (...statements: readonly string[]) => run(cluster.superuserUrl(database), ...statements);
const catalog = (): Promise<Fact[]> => connected(cluster.superuserUrl(database), readCatalog);
const memberships = async (member: string) =>
  (await catalog())
    .filter(({ area, who }) => area === 'membership' && who === member)
    .map(({ about }) => about);
const markerOf = async (role: string) => {
  const comments = (await catalog()).filter(
    ({ area, about }) => area === 'comment' && about === `role ${role}`,
  );
  return parseMarker(comments[0]?.what ?? null);
};

describe('a custom role', () => {
  test('is made with its schema and the levels that it inherits, and names itself', async () => {
    const definition = define({ version: 3, inherits: ['writer'], privileges: { tables: ['TRUNCATE'] } });

    const { roles: names, levels } = await settle(definition);

    expect(names.custom).toEqual({ support });
    expect(levels).toEqual(['owner', 'writer', 'reader']);
    expect(await memberships(support)).toEqual([roles.writer]);
    expect(await markerOf(support)).toEqual({
      managedBy: 'drover',
      database,
      schema: 'billing',
      level: 'support',
      version: 3,
      checksum: checksumOf(definition),
    });
  });

  test('goes on under a name of its own where the schema’s is not plain', async () => {
    const customRoles = [define({ name: 'x'.repeat(22), privileges: { tables: ['SELECT'] } })];
    const { roles: names } = await converge({ customRoles }, '_Odd');
    const found = (await catalog()).filter(({ area }) => area === 'role').map(({ about }) => about);
    expect(found).toContain(names.custom['x'.repeat(22)]);
    expect((await converge({ customRoles }, '_Odd')).steps).toEqual([]);
  });

  test('loses what a new definition no longer has, memberships and USAGE included', async () => {
    await settle(define({ inherits: ['reader', 'analyst'], privileges: { tables: ['UPDATE'] } }));
    await settle(define({ version: 2, inherits: ['analyst'], privileges: { routines: ['EXECUTE'] } }));
    expect(await memberships(support)).toEqual([roles.analyst]);
    await settle(define({ version: 3, privileges: { tables: ['SELECT'] } }));
    expect(await memberships(support)).toEqual([]);
    const held = async () =>
      (await catalog()).filter(({ area, who }) => who === support && ['privilege', 'default'].includes(area));
    expect((await held()).map(({ about, what }) => `${what} ${about}`)).toEqual([
      `SELECT ${roles.owner} r`,
      'USAGE schema billing',
    ]);

    await settle(define({ version: 4 }));

    expect(await held()).toEqual([]);
    expect(await markerOf(support)).toMatchObject({ version: 4 });
  });

  test('is no member of anything that its definition doesn’t name', async () => {
    await settle(define());
    await asSuperuser(`SET ROLE ${roles.acting}`, `GRANT ${roles.owner} TO ${support}`);

    const { steps } = await settle(define());

    expect(steps.map(({ change }) => change?.action)).toContain('revoke');
    expect(await memberships(support)).toEqual([]);
  });

  test('that somebody else made is refused, and nothing is changed', async () => {
    await asSuperuser(`CREATE ROLE ${support} ADMIN ${roles.acting}`);
    const before = await catalog();

    const attempt = converge({ customRoles: [define()] });

    await expect(attempt).rejects.toMatchObject({ code: 'ROLE_NOT_MANAGED', details: { role: support } });
    expect(await catalog()).toEqual(before);
  });
});

describe('predefined roles', () => {
  const native = define({ native: ['pg_signal_backend'] });

  test.each(['the acting admin', 'drover_admin'])(
    'that %s may pass on are granted, and taken back when the definition drops them',
    async (who) => {
      await converge();
      const admin = who === 'drover_admin' ? who : roles.acting;
      await asSuperuser(`GRANT pg_signal_backend TO ${admin} WITH ADMIN OPTION`);

      await settle(native);
      expect(await memberships(support)).toEqual(['pg_signal_backend']);
      const { notes } = await settle(define({ version: 2 }));

      expect(await memberships(support)).toEqual([]);
      expect(notes.filter(({ message }) => message.includes(support))).toEqual([]);
      await asSuperuser(`REVOKE pg_signal_backend FROM ${admin} CASCADE`);
    },
  );

  test('that somebody else granted stay where the definition drops them, with a note that says who', async () => {
    const { notes: missing } = await settle(native);
    await asSuperuser(...(missing.find(({ message }) => message.includes(support))?.statements ?? []));
    await settle(native);

    const { notes } = await settle(define({ version: 2 }));

    const note = notes.find(({ code }) => code === 'FOREIGN_MEMBERSHIP');
    expect(note?.message).toContain(support);
    await asSuperuser(...(note?.statements ?? []));
    expect(await memberships(support)).toEqual([]);
  });
});

describe('who doesn’t name a custom role', () => {
  const customRoles = [
    define({ inherits: ['reader'], privileges: { tables: ['UPDATE'] } }),
    define({ name: 'audit', privileges: { tables: ['SELECT'], sequences: ['SELECT'] } }),
  ];
  const facts = async () =>
    (await catalog()).filter((fact) =>
      [fact.about, fact.who].some((name) => /__(?:support|audit)$/.test(name)),
    );

  beforeEach(async () => {
    await converge({ customRoles });
    await asSuperuser(`SET ROLE ${roles.owner}`, 'CREATE TABLE billing.invoices (id serial)');
  });

  test('finds nothing to do where it is there', async () => {
    expect((await converge()).steps.map((step) => step.sql.text)).toEqual([]);
  });

  test('leaves it as it is, whatever else is done to the schema', async () => {
    const before = await facts();
    expect(before.length).toBeGreaterThan(10);
    await asSuperuser('CREATE TABLE billing.handed ()', 'ALTER TABLE billing.handed OWNER TO drover_admin');

    const { steps } = await converge({
      levels: ['writer', 'reader', 'analyst'],
      comment: 'new',
      adopt: true,
      owner: 'gina',
    });

    expect(steps.length).toBeGreaterThan(5);
    expect(await facts()).toEqual(before);
    expect((await converge({ customRoles })).steps).not.toEqual([]);
    expect((await converge({ customRoles })).steps).toEqual([]);
  });
});

describe('in a database that is closed to PUBLIC', () => {
  const audit = define({ name: 'audit', privileges: { tables: ['SELECT'] } });
  const connects = (login: string) =>
    run(cluster.url(login, localPassword, database), 'SELECT 1').then(
      () => true,
      () => false,
    );

  const close = () => asSuperuser(`ALTER DATABASE ${database} OWNER TO drover_admin`);

  test('the members of a custom role may connect, whatever it inherits', async () => {
    await close();
    await settle(audit, define({ inherits: ['reader'] }));
    expect(await connects('sam')).toBe(false);

    await asSuperuser(`GRANT ${database}__billing__audit TO sam`);

    expect(await connects('sam')).toBe(true);
    await settle(audit, define({ version: 2 }));
    expect(await connects('sam')).toBe(true);
    await asSuperuser(`REVOKE ${database}__billing__audit FROM sam`);
  });

  test('they are not locked out by the message that closes it, which doesn’t know of the role', async () => {
    await settle(audit);
    await asSuperuser(`GRANT ${database}__billing__audit TO sam`);
    await close();

    await converge({ lockDatabase: true }, 'orders');

    expect([await connects('sam'), await connects('gina')]).toEqual([true, false]);
    await settle(audit);
    expect((await converge({ lockDatabase: true }, 'orders')).steps).toEqual([]);
    await asSuperuser(`REVOKE ${database}__billing__audit FROM sam`);
  });
});
