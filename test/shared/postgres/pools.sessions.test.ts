import { describe, expect, test } from 'vitest';
import { at, patient, pid, poolsWith, thrownBy, useCluster, value } from './pools.fixture.ts';

useCluster();

describe('sessions', () => {
  test('every session begins with its limits and its name, and without a search_path', async () => {
    const pools = poolsWith({ DROVER_LEASE_SECONDS: 30 });

    const settings = await pools.withConnection(at('alpha'), patient(), async (client) => {
      const { rows } = await client.query<{ name: string; setting: string }>(
        `SELECT name, setting FROM pg_catalog.pg_settings WHERE source = 'client'`,
      );
      return Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
    });

    expect(settings).toEqual({
      application_name: pools.application,
      client_connection_check_interval: '1000',
      client_encoding: 'UTF8',
      client_min_messages: 'notice',
      idle_in_transaction_session_timeout: '15000',
      lock_timeout: '5000',
      search_path: '',
    });
  });

  test('a table is found by its full name only', async () => {
    const pools = poolsWith();
    await pools.withConnection(at('alpha'), patient(), async (client) => {
      await client.query('CREATE TABLE public.things (id integer)');

      expect(await value(client, 'SELECT current_schemas(false)::text')).toBe('{}');
      expect(await thrownBy(client.query('SELECT * FROM things'))).toMatchObject({ code: '42P01' });
      expect(await value(client, 'SELECT count(*)::int FROM public.things')).toBe(0);
    });
  });

  test('statements sent at once are answered each with its own result', async () => {
    const pools = poolsWith();

    const answers = await pools.withConnection(at('alpha'), patient(), async (client) => {
      const results = await Promise.allSettled([
        value(client, 'SELECT 1'),
        value(client, 'SELECT 1/0'),
        client.query('SELECT $1::int AS n', [3]).then(({ rows }) => rows[0].n),
        client.query('SELECT $1::int', ['not a number']),
        value(client, 'SELECT 5'),
      ]);
      return results.map((result) => (result.status === 'fulfilled' ? result.value : result.reason.code));
    });

    expect(answers).toEqual([1, '22012', 3, '22P02', 5]);
  });
});

describe('after an error', () => {
  test('a connection whose transaction was rolled back serves on', async () => {
    const pools = poolsWith();
    const before = await pid(pools, at('alpha'));

    const error = await thrownBy(
      pools.withConnection(at('alpha'), patient(), async (client) => {
        await client.query('BEGIN');
        try {
          await client.query('SELECT 1/0');
        } finally {
          await client.query('ROLLBACK');
        }
      }),
    );

    expect(error).toMatchObject({ code: '22012' });
    expect(await pid(pools, at('alpha'))).toBe(before);
  });

  test('a connection with statements still under way is lent again only when they are done', async () => {
    const pools = poolsWith();
    const before = await pid(pools, at('alpha'));

    let done = false;

    await thrownBy(
      pools.withConnection(at('alpha'), patient(), (client) => {
        const failing = client.query('SELECT 1/0');
        const behindIt = client.query('SELECT pg_sleep(0.05)').then(() => {
          done = true;
        });
        return Promise.all([failing, behindIt]);
      }),
    );

    expect(done).toBe(true);
    expect(pools.stats()).toMatchObject({ open: 1, busy: 0 });
    expect(await pid(pools, at('alpha'))).toBe(before);
  });

  test.for([
    ['a failed transaction is left open', 'SELECT 1/0'],
    ['a transaction is left open', 'SELECT 1'],
  ])('a connection is closed where %s', async ([, statement = '']) => {
    const pools = poolsWith();
    const before = await pid(pools, at('alpha'));

    const error = await thrownBy(
      pools.withConnection(at('alpha'), patient(), async (client) => {
        await client.query('BEGIN');
        await client.query(statement);
      }),
    );

    expect(error).toBeInstanceOf(Error);
    expect(await pid(pools, at('alpha'))).not.toBe(before);
  });

  test('a connection is closed after an error that is neither PostgreSQL’s nor ours', async () => {
    const pools = poolsWith();
    const before = await pid(pools, at('alpha'));
    const bug = new TypeError('a bug');

    expect(await thrownBy(pools.withConnection(at('alpha'), patient(), () => Promise.reject(bug)))).toBe(bug);

    expect(await pid(pools, at('alpha'))).not.toBe(before);
  });

  test('a connection is closed where the borrower says so', async () => {
    const pools = poolsWith();
    const before = await pid(pools, at('alpha'));

    await pools.withConnection(at('alpha'), patient(), async (_, loan) => loan.discard());

    expect(await pid(pools, at('alpha'))).not.toBe(before);
  });
});
