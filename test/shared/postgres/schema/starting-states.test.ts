import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { localPassword } from '../../../../local/postgres/cloudsql.ts';
import { schemaRoles } from '../../../../shared/postgres/schema/inspect.ts';
import type { DesiredSchema, SchemaRoles } from '../../../../shared/postgres/schema/model.ts';
import { connected, desired, type PreparedCluster, run, startPrepared } from '../../../support/postgres.ts';

// States of a catalog that convergence once went wrong in, each by its name.

let cluster: PreparedCluster;

beforeAll(async () => {
  cluster = await startPrepared();
  for (const login of ['olivia', 'gina']) await cluster.createLogin(login, 'iam');
});

afterAll(() => cluster.remove());

let count = 0;
let database: string;
let roles: SchemaRoles;

beforeEach(async () => {
  database = `app_${++count}`;
  roles = schemaRoles(database, 'billing');
  await cluster.open(database);
});

const converge = (more: Partial<DesiredSchema> = {}, schema = 'billing') =>
  cluster.converge(desired(database, schema, more));
const meanwhile = (...statements: readonly string[]) => run(cluster.superuserUrl(database), ...statements);
const asOwner = (...statements: readonly string[]) => meanwhile(`SET ROLE ${roles.owner}`, ...statements);
const value = (text: string) =>
  connected(cluster.superuserUrl(database), async (client) => {
    const { rows } = await client.query({ text, rowMode: 'array' });
    return rows[0]?.[0];
  });

/** Converges, and once more to see that nothing is left to do. */
async function settle(more: Partial<DesiredSchema> = {}) {
  const first = await converge(more);
  const again = await converge(more);
  expect(again.steps.map((step) => step.sql.text)).toEqual([]);
  return { codes: first.notes.map(({ code }) => code), steps: first.steps };
}

describe('comments', () => {
  test('an empty comment is no comment, and is not set again and again', async () => {
    await settle({ comment: 'x' });
    await settle({ comment: '' });
    expect(await value(`SELECT obj_description('billing'::regnamespace, 'pg_namespace')`)).toBeNull();
  });
});

describe('adopted objects', () => {
  test('an ordered-set aggregate, and an aggregate of all rows, can be named in statements', async () => {
    await meanwhile(
      'CREATE SCHEMA billing AUTHORIZATION drover_admin',
      'CREATE AGGREGATE billing.middle(float8 ORDER BY anyelement) (sfunc = ordered_set_transition, stype = internal, finalfunc = percentile_disc_final, finalfunc_extra)',
      `CREATE AGGREGATE billing.all(*) (sfunc = int8inc, stype = int8, initcond = '0')`,
      'ALTER AGGREGATE billing.middle(float8 ORDER BY anyelement) OWNER TO drover_admin',
      'ALTER AGGREGATE billing.all(*) OWNER TO drover_admin',
    );
    await settle({ adopt: true });
    expect(await value(`SELECT count(*)::int FROM pg_proc WHERE proowner = '${roles.owner}'::regrole`)).toBe(
      2,
    );
  });

  test('what one of the schema’s own roles owns becomes the owner’s', async () => {
    await converge();
    await meanwhile('CREATE TABLE billing.stray ()', `ALTER TABLE billing.stray OWNER TO ${roles.reader}`);
    await settle({ adopt: true });
    expect(await value(`SELECT relowner::regrole::text FROM pg_class WHERE relname = 'stray'`)).toBe(
      roles.owner,
    );
  });

  test('the sequence of somebody else’s identity column is left alone with its table', async () => {
    await converge();
    await asOwner('CREATE TABLE billing.ours (id int GENERATED ALWAYS AS IDENTITY)');
    await meanwhile(
      'CREATE TABLE billing.theirs (id int GENERATED ALWAYS AS IDENTITY)',
      'ALTER TABLE billing.theirs OWNER TO gina',
    );
    expect((await settle()).codes).toContain('FOREIGN_OBJECTS');
  });

  test('an owner who may no longer create in his own schema is given that back', async () => {
    await converge();
    await meanwhile(
      `REVOKE ALL ON SCHEMA billing FROM ${roles.owner}`,
      'CREATE TABLE billing.handed ()',
      'ALTER TABLE billing.handed OWNER TO drover_admin',
    );
    await settle();
    await asOwner('CREATE TABLE billing.fresh ()');
  });
});

describe('roles', () => {
  test('an admin who may not SET ROLE to the owner gets that, too', async () => {
    const plain = `NOLOGIN ADMIN ${roles.acting}`;
    await meanwhile(
      `CREATE ROLE ${roles.owner} ${plain}`,
      `GRANT ${roles.owner} TO ${roles.acting} WITH SET FALSE`,
    );
    await settle({ adopt: true });
  });

  test('a role with our marker that Drover may not change is refused before anything is', async () => {
    await converge();
    await meanwhile(`REVOKE ${roles.reader} FROM ${roles.acting} CASCADE`);
    await expect(converge()).rejects.toMatchObject({ code: 'ADOPTION_NEEDS_ADMIN', retryable: false });
  });

  test.each(['REPLICATION', 'BYPASSRLS', 'SUPERUSER'])('a role with %s is refused', async (attribute) => {
    await converge();
    await meanwhile(`ALTER ROLE ${roles.reader} ${attribute} LOGIN`);
    await expect(converge()).rejects.toMatchObject({ code: 'ROLE_NOT_MANAGED', retryable: false });
  });
});

describe('privileges', () => {
  beforeEach(async () => {
    await converge({ owner: 'olivia' });
    await asOwner('CREATE TABLE billing.invoices (a int, b int)', 'GRANT USAGE ON SCHEMA billing TO gina');
  });
  const acl = () => value(`SELECT relacl::text FROM pg_class WHERE relname = 'invoices'`);

  test('of single columns that a level should not have are revoked', async () => {
    await asOwner(`GRANT UPDATE (a), SELECT (a) ON billing.invoices TO ${roles.reader}`);
    await settle();
    expect(
      await value(`SELECT has_column_privilege('${roles.reader}', 'billing.invoices', 'a', 'UPDATE')`),
    ).toBe(false);
  });

  test('of single columns are not taken for those of the table', async () => {
    await asOwner(
      `REVOKE SELECT ON billing.invoices FROM ${roles.reader}`,
      `GRANT SELECT (a) ON billing.invoices TO ${roles.reader}`,
    );
    await settle();
    expect(await value(`SELECT has_table_privilege('${roles.reader}', 'billing.invoices', 'SELECT')`)).toBe(
      true,
    );
  });

  test('lose the option to pass them on', async () => {
    await asOwner(`GRANT SELECT ON billing.invoices TO ${roles.reader} WITH GRANT OPTION`);
    await settle();
    expect(await acl()).toContain(`${roles.reader}=r/`);
  });

  test('are the owner’s to revoke if he granted them before the object was his', async () => {
    await meanwhile(
      'ALTER TABLE billing.invoices OWNER TO drover_admin',
      `GRANT INSERT ON billing.invoices TO ${roles.owner} WITH GRANT OPTION`,
      `SET ROLE ${roles.owner}`,
      `GRANT INSERT ON billing.invoices TO ${roles.reader}`,
    );
    await settle({ adopt: true });
    expect(await acl()).not.toContain(`${roles.reader}=ar`);
  });

  test('are granted and revoked as the owner, also if the admin could in another’s name', async () => {
    await asOwner(
      `GRANT INSERT ON billing.invoices TO ${roles.reader}`,
      'GRANT ALL ON billing.invoices TO drover_admin WITH GRANT OPTION',
    );
    await settle();
    expect(await acl()).toContain(`${roles.reader}=r/${roles.owner}`);
  });

  test('on objects to come are not given to levels in the whole database', async () => {
    await asOwner(
      `ALTER DEFAULT PRIVILEGES GRANT INSERT ON TABLES TO ${roles.reader}`,
      `ALTER DEFAULT PRIVILEGES IN SCHEMA billing GRANT SELECT ON TABLES TO ${roles.reader} WITH GRANT OPTION`,
    );
    await settle();
    await asOwner('CREATE TABLE billing.fresh ()');
    expect(await value(`SELECT relacl::text FROM pg_class WHERE relname = 'fresh'`)).toContain(
      `${roles.reader}=r/`,
    );
  });
});

describe('who may connect', () => {
  const connects = (login: string) =>
    run(cluster.url(login, localPassword, database), 'SELECT 1').then(
      () => true,
      () => false,
    );

  test('half a right to grant is noted, and what can’t be granted is not tried', async () => {
    await meanwhile(
      `GRANT CONNECT ON DATABASE ${database} TO drover_admin WITH GRANT OPTION`,
      `GRANT CONNECT ON DATABASE ${database} TO drover_writers`,
      `REVOKE CONNECT ON DATABASE ${database} FROM PUBLIC`,
    );
    expect((await settle()).codes).toContain('CONNECT_OUT_OF_REACH');
  });

  test('locking by one schema does not lock out who acts as the owner of another', async () => {
    await converge({ owner: 'olivia' }, 'orders');
    await meanwhile(`ALTER DATABASE ${database} OWNER TO drover_admin`);
    expect(await connects('olivia')).toBe(true);

    await converge({ lockDatabase: true });

    expect(await connects('olivia')).toBe(true);
  });

  test('a database that became Drover’s own locks nobody out of its other schemas', async () => {
    await converge({ owner: 'olivia' }, 'orders');
    const { reader } = schemaRoles(database, 'orders');
    await meanwhile(`GRANT ${reader} TO gina`, `ALTER DATABASE ${database} OWNER TO drover_admin`);

    await settle();

    expect([await connects('olivia'), await connects('gina')]).toEqual([true, true]);
    await meanwhile(`REVOKE ${reader} FROM gina`);
    expect(await connects('gina')).toBe(false);
  });

  test('a level that acts as the owner, and so gets the right to connect, doesn’t lose it again', async () => {
    await converge();
    await meanwhile(
      `GRANT ${roles.owner} TO ${roles.analyst}`,
      `ALTER DATABASE ${database} OWNER TO drover_admin`,
    );
    expect((await settle()).codes).toContain('FOREIGN_MEMBERSHIP');
  });

  test('what somebody else granted to PUBLIC is noted, not revoked again and again', async () => {
    await meanwhile(
      `ALTER DATABASE ${database} OWNER TO drover_admin`,
      `GRANT CONNECT ON DATABASE ${database} TO gina WITH GRANT OPTION`,
      'SET ROLE gina',
      `GRANT CONNECT ON DATABASE ${database} TO PUBLIC`,
    );
    expect((await settle({ lockDatabase: true })).codes).toContain('FOREIGN_GRANT');
  });
});
