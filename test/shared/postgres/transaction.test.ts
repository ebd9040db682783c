import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { localPassword } from '../../../local/postgres/cloudsql.ts';
import { identifier, type Sql, sql } from '../../../shared/postgres/sql.ts';
import { changeInTransaction, type TransactionOptions } from '../../../shared/postgres/transaction.ts';
import { functionLogin, type PreparedCluster, startPrepared } from '../../support/postgres.ts';

let cluster: PreparedCluster;
let client: pg.Client;
let other: pg.Client;
let gate: pg.Client;

const connect = async (login: string = functionLogin) => {
  const one = new pg.Client({ connectionString: cluster.url(login, localPassword, 'app'), pipeline: true });
  await one.connect();
  return one;
};

beforeAll(async () => {
  cluster = await startPrepared();
  await cluster.open('app');
  [client, other, gate] = [await connect(), await connect(), await connect()];
});

afterAll(async () => {
  await client.end();
  await other.end();
  await gate.end();
  await cluster.remove();
});

let schema: string;
let count = 0;
beforeEach(() => {
  schema = `made_${++count}`;
});

const options = (more: Partial<TransactionOptions> = {}): TransactionOptions => ({
  acting: 'drover_admin_07',
  lock: 'billing',
  timeoutMs: 60_000,
  inspection: sql`SELECT current_user, pg_backend_pid() AS pid`,
  ...more,
});
const change = (statements: readonly Sql[], more: Partial<TransactionOptions> = {}, by = client) =>
  changeInTransaction(by, options(more), () => ({ statements }));
const exists = async () =>
  (await client.query('SELECT FROM pg_namespace WHERE nspname = $1', [schema])).rowCount === 1;

test('what was decided is committed, and returned', async () => {
  const decision = await changeInTransaction(client, options(), ({ rows }) => ({
    statements: [sql`CREATE SCHEMA ${identifier(schema)}`],
    inspected: rows[0].current_user,
  }));

  expect(decision.inspected).toBe('drover_admin_07');
  expect(await exists()).toBe(true);
});

test('acting ends with the transaction', async () => {
  await change([]);
  expect((await client.query('SELECT current_user')).rows).toEqual([{ current_user: functionLogin }]);
});

test('a statement that fails undoes all, and the error says which it was', async () => {
  const failing = change([
    sql`CREATE SCHEMA ${identifier(schema)}`,
    sql`CREATE TABLE nowhere.one ()`,
    sql`SELECT 1`,
  ]);

  await expect(failing).rejects.toMatchObject({
    code: '3F000',
    message: 'schema "nowhere" does not exist (in: CREATE TABLE nowhere.one ())',
  });
  expect(await exists()).toBe(false);
  await change([]);
});

test('a decision that throws changes nothing and leaves no transaction', async () => {
  const refused = new Error('refused');
  const failing = changeInTransaction(client, options(), () => {
    throw refused;
  });

  await expect(failing).rejects.toBe(refused);
  await expect(client.query('SAVEPOINT one')).rejects.toMatchObject({ code: '25P01' });
});

describe('a WARNING', () => {
  test('is an error, for PostgreSQL did not do what was asked', async () => {
    const failing = change([
      sql`CREATE SCHEMA ${identifier(schema)}`,
      sql`GRANT SELECT ON pg_catalog.pg_class TO drover_admin`,
    ]);

    await expect(failing).rejects.toMatchObject({
      code: 'NOT_DONE',
      retryable: false,
      details: { warnings: ['no privileges were granted for "pg_class"'] },
    });
    expect(await exists()).toBe(false);
  });

  test('is heard in its own transaction only, and a NOTICE is none', async () => {
    await change([sql`DROP SCHEMA IF EXISTS not_there`]);
    expect(client.listenerCount('notice')).toBe(0);
  });
});

describe('the lock', () => {
  test('makes changes of the same thing wait for each other, and of different things not', async () => {
    await gate.query('SELECT pg_advisory_lock(1)');
    const locked = Promise.withResolvers<void>();
    const first = changeInTransaction(client, options(), () => {
      locked.resolve();
      return { statements: [sql`SELECT pg_advisory_xact_lock(1)`] };
    });
    await locked.promise;
    await other.query(`SET lock_timeout = '50ms'`);

    await expect(change([], {}, other)).rejects.toMatchObject({ code: '55P03' });
    await change([], { lock: 'orders' }, other);

    await gate.query('SELECT pg_advisory_unlock(1)');
    await first;
    await change([], {}, other);
  });
});

describe('a time that is over', () => {
  test.each([0, -5])('(%i ms left) ends the first statement that takes any', async (timeoutMs) => {
    const failing = change([sql`SELECT pg_sleep(600)`], { timeoutMs });
    await expect(failing).rejects.toMatchObject({ code: '57014' });
  });
});

test('a login that may not act as the admin is told to prepare the instance', async () => {
  await cluster.createLogin('stranger', 'iam');
  const stranger = await connect('stranger');

  await expect(change([], {}, stranger)).rejects.toMatchObject({
    code: 'INSTANCE_NOT_PREPARED',
    retryable: false,
    cause: { code: '42501' },
  });
  await stranger.end();
});
