import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { localPassword } from '../../../../local/postgres/cloudsql.ts';
import { OperationError } from '../../../../shared/operation/errors.ts';
import type { Note } from '../../../../shared/operation/outcome.ts';
import { schemaRoles } from '../../../../shared/postgres/schema/inspect.ts';
import type { DesiredSchema, SchemaRoles } from '../../../../shared/postgres/schema/model.ts';
import { connected, desired, type PreparedCluster, run, startPrepared } from '../../../support/postgres.ts';

let cluster: PreparedCluster;

beforeAll(async () => {
  cluster = await startPrepared();
  await cluster.createLogin('olivia', 'iam');
  await run(cluster.adminUrl(), `CREATE ROLE gina LOGIN PASSWORD '${localPassword}'`);
  await run(cluster.adminUrl(), 'GRANT gina TO postgres');
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

const asAdmin = (...statements: readonly string[]) => run(cluster.adminUrl(database), ...statements);
const asSuperuser = (...statements: readonly string[]) => run(cluster.superuserUrl(database), ...statements);
const asOlivia = (...statements: readonly string[]) =>
  run(cluster.url('olivia', localPassword, database), ...statements);
const converge = (more: Partial<DesiredSchema> = {}) => cluster.converge(desired(database, 'billing', more));

async function refusal(more: Partial<DesiredSchema> = {}): Promise<{ code: string; statements: string[] }> {
  const error = await converge(more).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof OperationError)) throw new Error('it was not refused', { cause: error });
  return { code: error.code, statements: error.details?.['statements'] as string[] };
}

async function noteOf(
  code: string,
  more: Partial<DesiredSchema> = {},
): Promise<Note & { statements: readonly string[] }> {
  const { notes } = await converge(more);
  const note = notes.find((one) => one.code === code);
  if (note === undefined) throw new Error(`there is no note ${code} among ${JSON.stringify(notes)}`);
  return { ...note, statements: note.statements ?? [] };
}

async function codes(more: Partial<DesiredSchema> = {}): Promise<string[]> {
  return (await converge(more)).notes.map(({ code }) => code);
}

const ownerOf = (table: string) =>
  connected(cluster.superuserUrl(database), async (client) => {
    const { rows } = await client.query(
      'SELECT relowner::regrole::text AS owner FROM pg_class WHERE oid = $1::regclass',
      [table],
    );
    return rows[0]?.owner;
  });

describe('the statements of a refusal, run by the admin, are all that is missing', () => {
  test('CANNOT_CREATE_IN_DATABASE', async () => {
    await asAdmin(`REVOKE CREATE ON DATABASE ${database} FROM drover_admin`);
    const { code, statements } = await refusal();
    expect(code).toBe('CANNOT_CREATE_IN_DATABASE');

    await asAdmin(...statements);

    expect((await converge()).steps.length).toBeGreaterThan(0);
  });

  test('ADOPTION_NEEDS_OWNER, for a schema of the admin with all that can be in it', async () => {
    await asAdmin(
      'CREATE SCHEMA billing',
      'CREATE TABLE billing."In""voices" (id serial, n int GENERATED ALWAYS AS IDENTITY)',
      'CREATE VIEW billing.view AS SELECT 1 AS a',
      'CREATE MATERIALIZED VIEW billing.stored AS SELECT 1 AS a',
      'CREATE SEQUENCE billing.numbers',
      'CREATE FUNCTION billing.f(a int, OUT b int) LANGUAGE sql RETURN 1',
      'CREATE PROCEDURE billing.p(INOUT a int) LANGUAGE sql BEGIN ATOMIC SELECT 1; END',
      'CREATE AGGREGATE billing.total(int) (sfunc = int4pl, stype = int)',
      `CREATE TYPE billing.mood AS ENUM ('sad')`,
      'CREATE DOMAIN billing.positive AS int CHECK (value > 0)',
      'CREATE TYPE billing.pair AS (a int)',
      'CREATE TYPE billing.span AS RANGE (subtype = float8)',
    );
    const { code, statements } = await refusal({ adopt: true });
    expect(code).toBe('ADOPTION_NEEDS_OWNER');

    await asAdmin(...statements);

    await converge({ adopt: true });
    expect(await ownerOf('billing."In""voices"')).toBe(roles.owner);
    expect(await ownerOf('billing."In""voices_id_seq"')).toBe(roles.owner);
  });

  test('ADOPTION_NEEDS_OWNER, for what somebody else made in it', async () => {
    await asAdmin('CREATE SCHEMA billing', 'GRANT CREATE, USAGE ON SCHEMA billing TO gina');
    await asAdmin('SET ROLE gina', 'CREATE TABLE billing.invoices ()');
    const { code, statements } = await refusal({ adopt: true });
    expect(code).toBe('ADOPTION_NEEDS_OWNER');

    await asAdmin(...statements);

    await converge({ adopt: true });
    expect(await ownerOf('billing.invoices')).toBe(roles.owner);
  });

  test('ADOPTION_NEEDS_ADMIN', async () => {
    await asAdmin(`CREATE ROLE ${roles.reader} NOLOGIN`);
    const { code, statements } = await refusal({ adopt: true });
    expect(code).toBe('ADOPTION_NEEDS_ADMIN');

    await asAdmin(...statements);

    expect((await converge({ adopt: true })).steps.length).toBeGreaterThan(0);
  });

  test('CANNOT_LOCK_DATABASE: then logins come in by the schema’s roles only', async () => {
    await converge({ owner: 'olivia' });
    const { code, statements } = await refusal({ lockDatabase: true });
    expect(code).toBe('CANNOT_LOCK_DATABASE');

    await asAdmin(...statements);

    await converge({ lockDatabase: true, owner: 'olivia' });
    await asOlivia('SELECT 1');
    await expect(run(cluster.url('gina', localPassword, database), 'SELECT 1')).rejects.toMatchObject({
      code: '42501',
    });
    await asSuperuser(`GRANT ${roles.writer} TO gina`);
    await run(cluster.url('gina', localPassword, database), 'SELECT 1');
    await asSuperuser(`REVOKE ${roles.writer} FROM gina`);
  });

  test('MEMBERSHIP_CYCLE', async () => {
    await asAdmin(`CREATE ROLE ${roles.reader}`, `CREATE ROLE ${roles.writer}`);
    await asAdmin(
      `GRANT ${roles.reader}, ${roles.writer} TO ${roles.acting} WITH ADMIN OPTION`,
      `GRANT ${roles.writer} TO ${roles.reader}`,
    );
    const { code, statements } = await refusal({ adopt: true });
    expect(code).toBe('MEMBERSHIP_CYCLE');

    await asAdmin(...statements);

    expect((await converge({ adopt: true })).steps.length).toBeGreaterThan(0);
  });
});

describe('the statements of a note, run by whom it names, make it disappear', () => {
  test('FOREIGN_OBJECTS: the admin hands them over, and Drover takes them without being told to adopt', async () => {
    await converge();
    await asSuperuser('CREATE TABLE billing.stray ()', 'ALTER TABLE billing.stray OWNER TO postgres');
    const { statements } = await noteOf('FOREIGN_OBJECTS');

    await asAdmin(...statements);

    expect(await codes()).not.toContain('FOREIGN_OBJECTS');
    expect(await ownerOf('billing.stray')).toBe(roles.owner);
  });

  test('CONNECT_OUT_OF_REACH', async () => {
    await asAdmin(
      `GRANT CONNECT ON DATABASE ${database} TO drover_writers`,
      `REVOKE CONNECT ON DATABASE ${database} FROM PUBLIC`,
    );
    const { statements } = await noteOf('CONNECT_OUT_OF_REACH', { owner: 'olivia' });
    await expect(asOlivia('SELECT 1')).rejects.toMatchObject({ code: '42501' });

    await asAdmin(...statements);

    expect(await codes()).not.toContain('CONNECT_OUT_OF_REACH');
    await asOlivia('SELECT 1');
  });

  test('MEMBERSHIP_OUT_OF_REACH', async () => {
    const { notes } = await converge();
    const missing = notes.filter(({ code }) => code === 'MEMBERSHIP_OUT_OF_REACH');
    expect(missing).toHaveLength(2);

    await asSuperuser(...missing.flatMap(({ statements = [] }) => statements));

    expect(await codes()).toEqual([]);
  });

  test('FOREIGN_GRANT: who may act as the grantor revokes it', async () => {
    await converge({ owner: 'olivia' });
    await asOlivia(
      `SET ROLE ${roles.owner}`,
      'CREATE TABLE billing.invoices ()',
      'GRANT USAGE ON SCHEMA billing TO gina',
      'GRANT INSERT ON billing.invoices TO gina WITH GRANT OPTION',
    );
    await asAdmin('SET ROLE gina', `GRANT INSERT ON billing.invoices TO ${roles.reader}`);
    const { statements, message } = await noteOf('FOREIGN_GRANT');
    expect(message).toContain('gina');

    await asAdmin(...statements);

    expect(await codes()).not.toContain('FOREIGN_GRANT');
  });

  test('GRANT_PASSED_ON: who may act as the owner revokes it from all', async () => {
    await converge({ owner: 'olivia' });
    await asOlivia(
      `SET ROLE ${roles.owner}`,
      'CREATE TABLE billing.invoices ()',
      `GRANT INSERT ON billing.invoices TO ${roles.reader} WITH GRANT OPTION`,
    );
    await asSuperuser(`SET ROLE ${roles.reader}`, 'GRANT INSERT ON billing.invoices TO gina');
    const { statements, message } = await noteOf('GRANT_PASSED_ON');
    expect(message).toContain(roles.owner);

    await asOlivia(...statements);

    expect(await codes()).not.toContain('GRANT_PASSED_ON');
  });

  test('FOREIGN_MEMBERSHIP: who granted it takes INHERIT away', async () => {
    await converge();
    await asSuperuser(`GRANT ${roles.owner} TO olivia WITH INHERIT TRUE`);
    const { statements, message } = await noteOf('FOREIGN_MEMBERSHIP', { owner: 'olivia' });
    expect(message).toContain('cloudsqladmin');

    await asSuperuser(...statements);

    expect(await codes({ owner: 'olivia' })).not.toContain('FOREIGN_MEMBERSHIP');
  });

  test('ROLE_OUT_OF_REACH: who made the role alters it', async () => {
    await converge();
    await asSuperuser(
      `ALTER ROLE ${roles.monitor} LOGIN`,
      `REVOKE ${roles.monitor} FROM ${roles.acting} CASCADE`,
      `REVOKE ${roles.monitor} FROM drover_admin CASCADE`,
      `GRANT ${roles.monitor} TO postgres WITH ADMIN OPTION`,
    );
    const { statements } = await noteOf('ROLE_OUT_OF_REACH');

    await asAdmin(...statements);

    expect(await codes()).not.toContain('ROLE_OUT_OF_REACH');
  });
});
