import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Cluster, createCluster } from '../../../local/postgres/cluster.ts';
import type { ConnectionSettings } from '../../../shared/config.ts';
import { OperationError } from '../../../shared/operation/errors.ts';
import { createPools, type Pools, type PoolsConfig } from '../../../shared/postgres/pools.ts';
import type { Target } from '../../../shared/postgres/target.ts';
import { type Relay, startRelay } from './relay.ts';

const password = 'correct horse';
const databases = ['alpha', 'beta', 'gamma'] as const;
type Database = (typeof databases)[number];

let cluster: Cluster;
let observer: pg.Client;
let home: string;
const open: Pools[] = [];
const relays: Relay[] = [];

beforeAll(async () => {
  cluster = await createCluster({ superuser: 'postgres', password });
  observer = new pg.Client(cluster.url('postgres', password));
  await observer.connect();
  await observer.query(`CREATE ROLE drover LOGIN PASSWORD '${password}'`);
  for (const database of databases) await observer.query(`CREATE DATABASE ${database} OWNER drover`);
  home = mkdtempSync(path.join(tmpdir(), 'drover-pools-test-'));
  vi.stubEnv('POOLS_TEST_PASSWORD', password);
});

afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(open.splice(0).map((pools) => pools.close(0)));
  await Promise.all(relays.splice(0).map((relay) => relay.close()));
});

afterAll(async () => {
  await observer.end();
  await cluster.remove();
  rmSync(home, { recursive: true });
});

function entry(
  overrides: Partial<Extract<ConnectionSettings, { connector: 'direct' }>> = {},
): ConnectionSettings {
  return {
    instances: 'project:europe-west1:*',
    connector: 'direct',
    host: '127.0.0.1',
    port: cluster.port,
    user: 'drover',
    password: { env: 'POOLS_TEST_PASSWORD' },
    tls: 'off',
    ...overrides,
  };
}

let functions = 0;

function poolsWith(overrides: Partial<PoolsConfig> = {}): Pools & { application: string } {
  functions += 1;
  const config: PoolsConfig = {
    DROVER_INSTANCES: [entry()],
    DROVER_CONNECTIONS_PER_DATABASE: 8,
    DROVER_CONNECTIONS_PER_INSTANCE: 20,
    DROVER_CONNECTIONS_PER_PROCESS: 60,
    DROVER_CONNECTION_WAIT_SECONDS: 30,
    FUNCTION_TARGET: `test-${functions}`,
    DROVER_LEASE_SECONDS: 60,
    ...overrides,
  };
  const pools = createPools(config);
  open.push(pools);
  return Object.assign(pools, { application: `drover/${config.FUNCTION_TARGET}` });
}

async function relayed(): Promise<Relay> {
  const relay = await startRelay(cluster.port);
  relays.push(relay);
  return relay;
}

const at = (database: Database, instance = 'one'): Target => ({
  instance: `project:europe-west1:${instance}`,
  database,
});
const patient = () => ({ signal: new AbortController().signal });

async function value(client: pg.ClientBase, sql: string): Promise<unknown> {
  const { rows } = await client.query({ text: sql, rowMode: 'array' });
  return rows[0]?.[0];
}

/** The server's process id: tells connections apart. */
const pid = (pools: Pools, target: Target) =>
  pools.withConnection(target, patient(), (client) => value(client, 'SELECT pg_backend_pid()'));

/** A borrower that keeps its connection until it is told to give it back. */
function borrow(pools: Pools, target: Target, signal = patient().signal) {
  const begun = Promise.withResolvers<void>();
  const end = Promise.withResolvers<void>();
  const done = pools.withConnection(target, { signal }, async (client) => {
    begun.resolve();
    await end.promise;
    return value(client, 'SELECT pg_backend_pid()');
  });
  done.catch(begun.reject);
  begun.promise.catch(() => undefined);
  return { begun: begun.promise, giveBack: () => end.resolve(), done };
}

async function thrownBy(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail('nothing was thrown'),
    (error: unknown) => error,
  );
}

async function operationErrorOf(promise: Promise<unknown>): Promise<OperationError> {
  const error = await thrownBy(promise);
  if (error instanceof OperationError) return error;
  throw error;
}

describe('limits', () => {
  test('50 callers at once share as many connections as one database may have', async () => {
    const pools = poolsWith({ DROVER_CONNECTIONS_PER_DATABASE: 4 });

    const seen = await Promise.all(
      Array.from({ length: 50 }, () =>
        pools.withConnection(at('alpha'), patient(), async (client) => ({
          pid: await value(client, 'SELECT pg_backend_pid()'),
          connections: await value(
            client,
            `SELECT count(*)::int FROM pg_stat_activity WHERE application_name = '${pools.application}'`,
          ),
        })),
      ),
    );

    expect(new Set(seen.map((one) => one.pid)).size).toBe(4);
    expect(Math.max(...seen.map((one) => Number(one.connections)))).toBe(4);
  });

  test('a connection that makes room is closed before another is opened', async () => {
    const relay = await relayed();
    const openThen: number[] = [];
    relay.onConnection = () => void openThen.push(relay.open);
    const pools = poolsWith({
      DROVER_INSTANCES: [entry({ port: relay.port })],
      DROVER_CONNECTIONS_PER_PROCESS: 1,
    });

    for (const database of databases) await pid(pools, at(database));

    expect(openThen).toEqual([1, 1, 1]);
  });

  test('a discarded connection counts until it is closed', async () => {
    const relay = await relayed();
    const openThen: number[] = [];
    relay.onConnection = () => void openThen.push(relay.open);
    const pools = poolsWith({
      DROVER_INSTANCES: [entry({ port: relay.port })],
      DROVER_CONNECTIONS_PER_DATABASE: 1,
    });

    const next = Promise.withResolvers<unknown>();
    await pools.withConnection(at('alpha'), patient(), async (_, loan) => {
      loan.discard();
      setImmediate(() => pid(pools, at('alpha')).then(next.resolve, next.reject));
    });
    await next.promise;

    expect(openThen).toEqual([1, 1]);
  });

  test('connections of different databases are never mixed up', async () => {
    const pools = poolsWith({ DROVER_CONNECTIONS_PER_PROCESS: 4 });

    const asked = Array.from({ length: 60 }, (_, index) => databases[index % 3] ?? 'alpha');
    const answered = await Promise.all(
      asked.map((database) =>
        pools.withConnection(at(database), patient(), (client) => value(client, 'SELECT current_database()')),
      ),
    );

    expect(answered).toEqual(asked);
  });

  test('the same database name on two instances means two databases', async () => {
    const relay = await relayed();
    const pools = poolsWith({
      DROVER_INSTANCES: [
        entry({ instances: 'project:europe-west1:one' }),
        entry({ instances: 'project:europe-west1:two', port: relay.port }),
      ],
    });

    const first = await pid(pools, at('alpha', 'one'));
    const second = await pid(pools, at('alpha', 'two'));

    expect(second).not.toBe(first);
    expect(relay.accepted).toBe(1);
  });

  test('a connection serves the next caller', async () => {
    const pools = poolsWith();

    expect(await pid(pools, at('alpha'))).toBe(await pid(pools, at('alpha')));
    expect(pools.stats()).toMatchObject({ open: 1, busy: 0, waiting: 0 });
  });

  test('where the process has no room, the connection that was used longest ago is closed', async () => {
    const pools = poolsWith({ DROVER_CONNECTIONS_PER_PROCESS: 2 });
    const alpha = await pid(pools, at('alpha'));
    const beta = await pid(pools, at('beta'));
    await pid(pools, at('alpha'));

    await pid(pools, at('gamma'));

    const { rows } = await observer.query('SELECT pid FROM pg_stat_activity WHERE application_name = $1', [
      pools.application,
    ]);
    const alive = rows.map((row) => row.pid);
    expect(alive).toHaveLength(2);
    expect(alive).toContain(alpha);
    expect(alive).not.toContain(beta);
  });

  test('where an instance has no room, a connection of the same instance is closed', async () => {
    const pools = poolsWith({ DROVER_CONNECTIONS_PER_INSTANCE: 1 });
    const elsewhere = await pid(pools, at('alpha', 'other'));
    await pid(pools, at('alpha'));

    await pid(pools, at('beta'));

    expect(pools.stats().instances).toEqual({
      'project:europe-west1:one': { open: 1, busy: 0, waiting: 0 },
      'project:europe-west1:other': { open: 1, busy: 0, waiting: 0 },
    });
    expect(await pid(pools, at('alpha', 'other'))).toBe(elsewhere);
  });

  test('as many idle connections are closed as there are callers who need the room', async () => {
    const pools = poolsWith({ DROVER_CONNECTIONS_PER_PROCESS: 3 });
    const held = [borrow(pools, at('alpha')), borrow(pools, at('alpha'))];
    await Promise.all(held.map((one) => one.begun));
    for (const one of held) one.giveBack();
    await Promise.all(held.map((one) => one.done));

    const [beta, gamma] = [borrow(pools, at('beta')), borrow(pools, at('gamma'))];
    await Promise.all([beta.begun, gamma.begun]);

    expect(pools.stats()).toMatchObject({ open: 3, busy: 2 });
    beta.giveBack();
    gamma.giveBack();
    await Promise.all([beta.done, gamma.done]);
  });

  test('a caller who waits too long is told what is open, the limit and its setting', async () => {
    const pools = poolsWith({ DROVER_CONNECTIONS_PER_INSTANCE: 1, DROVER_CONNECTION_WAIT_SECONDS: 0.05 });
    const holder = borrow(pools, at('alpha'));
    await holder.begun;

    const error = await operationErrorOf(pid(pools, at('beta')));

    expect(error).toMatchObject({
      code: 'TOO_FEW_CONNECTIONS',
      retryable: true,
      details: { open: 1, limit: 1, setting: 'DROVER_CONNECTIONS_PER_INSTANCE' },
    });
    expect(error.message).toContain('DROVER_CONNECTIONS_PER_INSTANCE is 1');
    expect(pools.stats()).toMatchObject({ busy: 1, waiting: 0 });
    holder.giveBack();
    await holder.done;
  });

  test('those who wait are served in the order in which they came', async () => {
    const pools = poolsWith({ DROVER_CONNECTIONS_PER_PROCESS: 1 });
    const holder = borrow(pools, at('alpha'));
    await holder.begun;
    const served: string[] = [];
    const waiting = (['beta', 'alpha', 'gamma', 'alpha', 'beta'] as const).map((database, index) =>
      pools.withConnection(at(database), patient(), async () => served.push(`${index} ${database}`)),
    );

    holder.giveBack();
    await Promise.all(waiting);

    expect(served).toEqual(['0 beta', '1 alpha', '2 gamma', '3 alpha', '4 beta']);
  });

  test('a full database does not hold up callers of another', async () => {
    const pools = poolsWith({ DROVER_CONNECTIONS_PER_DATABASE: 1 });
    const holder = borrow(pools, at('alpha'));
    await holder.begun;
    const second = pid(pools, at('alpha'));

    await pid(pools, at('beta'));

    expect(pools.stats()).toMatchObject({ busy: 1, waiting: 1 });
    holder.giveBack();
    await second;
  });

  test('an instance that no setting covers is denied for good', async () => {
    const error = await operationErrorOf(
      pid(poolsWith(), { instance: 'elsewhere:europe-west1:one', database: 'alpha' }),
    );

    expect(error).toMatchObject({ code: 'TARGET_NOT_ALLOWED', retryable: false });
    expect(error.message).toMatch(/elsewhere:europe-west1:one.*DROVER_INSTANCES/);
  });
});

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

describe('aborting', () => {
  test('a call with a signal that has fired borrows nothing', async () => {
    const pools = poolsWith();
    const reason = new Error('too late');

    expect(await thrownBy(borrow(pools, at('alpha'), AbortSignal.abort(reason)).done)).toBe(reason);

    expect(pools.stats()).toMatchObject({ open: 0, busy: 0, waiting: 0 });
  });

  test('a caller who waits leaves the line at once', async () => {
    const pools = poolsWith({ DROVER_CONNECTIONS_PER_DATABASE: 1 });
    const holder = borrow(pools, at('alpha'));
    await holder.begun;
    const abort = new AbortController();
    const gone = borrow(pools, at('alpha'), abort.signal);
    const next = pid(pools, at('alpha'));
    expect(pools.stats()).toMatchObject({ busy: 1, waiting: 2 });

    const reason = new Error('deadline');
    abort.abort(reason);

    expect(await thrownBy(gone.done)).toBe(reason);
    expect(pools.stats()).toMatchObject({ busy: 1, waiting: 1 });
    holder.giveBack();
    expect(await next).toBe(await holder.done);
    expect(pools.stats()).toMatchObject({ open: 1, busy: 0, waiting: 0 });
  });

  test('a connection that is being opened for a caller who has gone serves the next one', async () => {
    const relay = await relayed();
    const pools = poolsWith({
      DROVER_INSTANCES: [entry({ port: relay.port })],
      DROVER_CONNECTIONS_PER_DATABASE: 1,
    });
    const accepted = Promise.withResolvers<void>();
    const letThrough = Promise.withResolvers<void>();
    relay.onConnection = () => {
      accepted.resolve();
      return letThrough.promise;
    };
    const abort = new AbortController();
    const gone = borrow(pools, at('alpha'), abort.signal);
    await accepted.promise;

    const reason = new Error('deadline');
    abort.abort(reason);

    expect(await thrownBy(gone.done)).toBe(reason);
    const next = pid(pools, at('alpha'));
    expect(pools.stats()).toMatchObject({ busy: 1, waiting: 1 });
    letThrough.resolve();
    await next;
    expect(relay.accepted).toBe(1);
    expect(pools.stats()).toMatchObject({ open: 1, busy: 0, waiting: 0 });
  });

  test('the server rolls back what an aborted borrower began, in the middle of a statement too', async () => {
    const pools = poolsWith({ DROVER_CONNECTIONS_PER_DATABASE: 1 });
    const abort = new AbortController();
    const sleeping = Promise.withResolvers<void>();
    const working = pools.withConnection(at('alpha'), { signal: abort.signal }, async (client) => {
      await client.query('BEGIN');
      await client.query('CREATE TABLE public.unfinished ()');
      await client.query('SELECT pg_advisory_xact_lock(4711)');
      sleeping.resolve();
      await client.query('SELECT pg_sleep(600)');
    });
    await sleeping.promise;

    const reason = new Error('deadline');
    abort.abort(reason);

    expect(await thrownBy(working)).toBe(reason);
    // Waits until the server has ended the transaction that holds the lock.
    const rest = await pools.withConnection(at('alpha'), patient(), async (client) => {
      await client.query('SELECT pg_advisory_lock(4711)');
      return value(client, `SELECT to_regclass('public.unfinished')`);
    });
    expect(rest).toBeNull();
  });

  test('a borrower that ignores the signal does not keep its place', async () => {
    const pools = poolsWith({ DROVER_CONNECTIONS_PER_DATABASE: 1 });
    const abort = new AbortController();
    const stuck = borrow(pools, at('alpha'), abort.signal);
    await stuck.begun;

    abort.abort();

    expect(await thrownBy(stuck.done)).toMatchObject({ name: 'AbortError' });
    await pid(pools, at('alpha'));
    expect(pools.stats()).toMatchObject({ open: 1, busy: 0 });
  });
});

describe('a server that goes away', () => {
  test('a restart of PostgreSQL costs the calls during it, and no other', async () => {
    const pools = poolsWith();
    await Promise.all([pid(pools, at('alpha')), pid(pools, at('beta'))]);
    await observer.end();

    await cluster.stop('immediate');
    const during = await thrownBy(pid(pools, at('alpha')));
    await cluster.start();
    const after = await pid(pools, at('alpha'));

    observer = new pg.Client(cluster.url('postgres', password));
    await observer.connect();
    expect(during).toMatchObject({ code: 'ECONNREFUSED' });
    expect(after).toBeTypeOf('number');
    expect(pools.stats()).toMatchObject({ open: 1, busy: 0 });
  });

  test('a borrower whose session an admin ends is told so, and the next one gets another', async () => {
    const pools = poolsWith();
    let mine: unknown;

    const error = await thrownBy(
      pools.withConnection(at('alpha'), patient(), async (client) => {
        mine = await value(client, 'SELECT pg_backend_pid()');
        const ended = new Promise<void>((resolve) => client.once('end', resolve));
        await observer.query('SELECT pg_terminate_backend($1)', [mine]);
        await ended;
        await client.query('SELECT 1');
      }),
    );

    expect(error).toMatchObject({ code: 'CONNECTION_LOST', retryable: true, cause: { code: '57P01' } });
    expect(await pid(pools, at('alpha'))).not.toBe(mine);
  });

  test('a session that ends in the moment it is lent does not crash the process', async () => {
    // Authentication is through, ready for a query, and the administrator's command in one packet.
    const packet = Buffer.concat([
      message('R', Buffer.alloc(4)),
      message('Z', Buffer.from('I')),
      message('E', Buffer.from('SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0')),
    ]);
    const server = createServer((socket) => socket.once('data', () => socket.end(packet))).listen(
      0,
      '127.0.0.1',
    );
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const pools = poolsWith({ DROVER_INSTANCES: [entry({ port })] });

    const error = await operationErrorOf(pid(pools, at('alpha')));

    expect(error).toMatchObject({ code: 'CONNECTION_LOST', cause: { code: '57P01' } });
    server.close();
  });

  test('a server that does not answer is given up after ten seconds', async () => {
    const relay = await relayed();
    const accepted = Promise.withResolvers<void>();
    relay.onConnection = () => {
      accepted.resolve();
      return new Promise(() => undefined);
    };
    const pools = poolsWith({ DROVER_INSTANCES: [entry({ port: relay.port })] });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const call = operationErrorOf(pid(pools, at('alpha')));
    await accepted.promise;

    vi.advanceTimersByTime(9_999);
    expect(pools.stats()).toMatchObject({ open: 1, busy: 1 });
    vi.advanceTimersByTime(1);

    expect(await call).toMatchObject({ code: 'CONNECTION_FAILED', retryable: true });
    expect(pools.stats()).toMatchObject({ open: 0, busy: 0, instances: {} });
  });

  test('connections that nobody uses for a minute are closed and their pool is forgotten', async () => {
    const pools = poolsWith();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    await pid(pools, at('alpha'));
    expect(pools.stats().open).toBe(1);

    vi.advanceTimersByTime(60_000);

    expect(pools.stats().open).toBe(0);
    await vi.waitFor(() => expect(pools.stats().instances).toEqual({}));
  });

  test('a process whose connections are all idle can end', async () => {
    const settings = JSON.stringify([entry()]);
    const script = `
      import { createPools } from './shared/postgres/pools.ts';
      import { readConfig } from './shared/config.ts';
      const pools = createPools(readConfig(process.env));
      await pools.withConnection(${JSON.stringify(at('alpha'))}, { signal: new AbortController().signal }, async () => {});
      console.log(pools.stats().open);`;

    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '--eval', script],
      {
        env: { ...process.env, GOOGLE_CLOUD_PROJECT: 'project', DROVER_INSTANCES: settings },
        timeout: 10_000,
      },
    );

    expect(stdout).toBe('1\n');
  });
});

describe('credentials', () => {
  test('a password file that changes counts from the next connection on', async () => {
    const file = path.join(home, 'rotated');
    await observer.query(`CREATE ROLE rotated LOGIN PASSWORD 'first'`);
    writeFileSync(file, 'first\n');
    const pools = poolsWith({ DROVER_INSTANCES: [entry({ user: 'rotated', password: { file } })] });
    const holder = borrow(pools, at('alpha'));
    await holder.begun;

    await observer.query(`ALTER ROLE rotated PASSWORD 'second'`);
    writeFileSync(file, 'second\n');

    const second = await pid(pools, at('alpha'));
    holder.giveBack();
    expect(second).not.toBe(await holder.done);
  });

  test('a password that is rotated while a login is under way is read again', async () => {
    const relay = await relayed();
    const file = path.join(home, 'late');
    await observer.query(`CREATE ROLE late LOGIN PASSWORD 'new'`);
    writeFileSync(file, 'old');
    relay.onConnection = (count) => {
      if (count === 2) writeFileSync(file, 'new');
    };
    const pools = poolsWith({
      DROVER_INSTANCES: [entry({ port: relay.port, user: 'late', password: { file } })],
    });

    expect(await pid(pools, at('alpha'))).toBeTypeOf('number');
    expect(relay.accepted).toBe(2);
  });

  test('a login that is refused twice fails for now, with the server’s answer as the cause', async () => {
    const relay = await relayed();
    const pools = poolsWith({ DROVER_INSTANCES: [entry({ port: relay.port, user: 'nobody' })] });

    const error = await operationErrorOf(pid(pools, at('alpha')));

    expect(error).toMatchObject({
      code: 'AUTHENTICATION_FAILED',
      retryable: true,
      cause: { code: '28P01' },
    });
    expect(JSON.stringify(error) + error.message + error.stack).not.toContain(password);
    expect(relay.accepted).toBe(2);
    expect(pools.stats()).toMatchObject({ open: 0, busy: 0 });
  });

  test('a password that cannot be read leaves no connection open', async () => {
    const relay = await relayed();
    const pools = poolsWith({
      DROVER_INSTANCES: [entry({ port: relay.port, password: { file: path.join(home, 'missing') } })],
    });

    const error = await operationErrorOf(pid(pools, at('alpha')));

    expect(error).toMatchObject({ code: 'PASSWORD_UNREADABLE', retryable: true });
    await vi.waitFor(() => expect(relay.open).toBe(0), { interval: 5 });
  });
});

describe('closing', () => {
  test('what is lent comes back first; who waits or comes later is refused', async () => {
    const pools = poolsWith({ DROVER_CONNECTIONS_PER_DATABASE: 1 });
    const holder = borrow(pools, at('alpha'));
    await Promise.all([holder.begun, pid(pools, at('beta'))]);
    const waiting = operationErrorOf(pid(pools, at('alpha')));

    const closed = pools.close(60_000);
    const later = operationErrorOf(pid(pools, at('gamma')));

    expect(await waiting).toMatchObject({ code: 'SHUTTING_DOWN', retryable: true });
    expect(await later).toMatchObject({ code: 'SHUTTING_DOWN', retryable: true });
    holder.giveBack();
    expect(await holder.done).toBeTypeOf('number');
    await closed;
    expect(pools.stats()).toEqual({ open: 0, busy: 0, waiting: 0, instances: {} });
  });

  test('what is not back at the deadline is ended', async () => {
    const relay = await relayed();
    const pools = poolsWith({ DROVER_INSTANCES: [entry({ port: relay.port })] });
    const stuck = borrow(pools, at('alpha'));
    await stuck.begun;

    await pools.close(10);

    expect(await operationErrorOf(stuck.done)).toMatchObject({ code: 'SHUTTING_DOWN', retryable: true });
    expect(pools.stats()).toEqual({ open: 0, busy: 0, waiting: 0, instances: {} });
    await vi.waitFor(() => expect(relay.open).toBe(0), { interval: 5 });
  });

  test('a connection that is being opened does not outlive the deadline', async () => {
    const relay = await relayed();
    const accepted = Promise.withResolvers<void>();
    relay.onConnection = () => {
      accepted.resolve();
      return new Promise(() => undefined);
    };
    const pools = poolsWith({ DROVER_INSTANCES: [entry({ port: relay.port })] });
    const call = operationErrorOf(pid(pools, at('alpha')));
    await accepted.promise;

    await pools.close(10);

    expect(await call).toMatchObject({ code: 'SHUTTING_DOWN' });
    expect(pools.stats()).toMatchObject({ open: 0, busy: 0 });
  });
});

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}
