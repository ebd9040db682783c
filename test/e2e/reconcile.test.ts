import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FunctionProcess, startFunction } from '../../local/functions.ts';
import { findFreePort } from '../../local/ports.ts';
import type { CloudSqlCluster } from '../../local/postgres/cloudsql.ts';
import { localPassword } from '../../local/postgres/cloudsql.ts';
import { functionSettings, localInstance, localProject } from '../../local/stack.ts';
import type { OperationRecord } from '../../shared/registry/operations.ts';
import { permissivePolicy } from '../support/stack.ts';
import { presentIn } from './members.ts';
import { revocationsOf, useReconciling } from './reconciling.ts';

/** Connections to this database are accepted, and never answered. */
let hanging = '';

const proxyFor = async ({ port }: CloudSqlCluster) => {
  const server = createServer((client) => {
    client.on('error', () => undefined);
    client.once('data', (startup) => {
      if (hanging !== '' && startup.includes(`database\0${hanging}\0`)) return;
      const upstream = connect(port, '127.0.0.1', () => {
        upstream.write(startup);
        client.pipe(upstream).pipe(client);
      }).on('error', () => client.destroy());
      client.once('close', () => upstream.destroy());
    });
  }).listen(0, '127.0.0.1');
  server.unref();
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
};

const used = useReconciling(
  ['app', 'app_other', 'app_gone', 'app_shut', 'app_hung'],
  `CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE carol LOGIN;
   CREATE ROLE olga LOGIN PASSWORD '${localPassword}';
   GRANT CREATE ON DATABASE app TO alice;
   SET ROLE drover_admin_00; CREATE ROLE mia LOGIN PASSWORD '${localPassword}'`,
  { proxyFor },
);
const { createSchema, grant, grantUntilNow, inSeconds, letEnd, members, reconcile, registry, send } = used;

describe('a tick', () => {
  it('sends one message to each instance that has something to do', async () => {
    await grantUntilNow('alice');
    // An instance that nobody can reach is one more message, and no more than that.
    const elsewhere = 'acme-dev:europe-west1:elsewhere';
    await used.stack.db
      .collection('databases')
      .doc('elsewhere')
      .set({
        instance: elsewhere,
        database: 'app',
        nextCheck: new Date(0),
      });

    const ticks = await Promise.all([
      send('reconcile', {}, { id: 'tick-1' }),
      send('reconcile', {}, { id: 'tick-2' }),
    ]);
    await used.stack.pubsub?.idle();
    await used.stack.db.collection('databases').doc('elsewhere').delete();

    const { docs } = await used.stack.db.collection('operations').where('function', '==', 'reconcile').get();
    const all = docs.map((document) => ({ ...(document.data() as OperationRecord), id: document.id }));
    expect(
      revocationsOf(
        'alice',
        all.filter(({ operationId }) => operationId.includes('@')),
      ),
    ).toHaveLength(1);
    for (const tick of ticks) {
      expect(tick).toMatchObject({
        state: 'succeeded',
        summary: { instances: 2 },
        changes: [elsewhere, localInstance].map((name) => ({ action: 'create', kind: 'message', name })),
      });
    }
    const published = all.filter(({ operationId }) => operationId.includes('@'));
    expect(published.filter(({ operationId }) => operationId.startsWith(localInstance))).toHaveLength(2);
    expect(published.filter(({ operationId }) => operationId.startsWith(elsewhere))).toHaveLength(2);
    expect(await members()).toEqual([]);
  });
});

describe('sessions that act as the owner', () => {
  /** Logs in, acts as the owner, and says by which process. */
  async function actAsOwner(login: string) {
    const client = new pg.Client({
      connectionString: used.stack.cluster.url(login, localPassword, 'app'),
      application_name: `app of ${login}`,
    });
    const ended = new Promise((resolve) => client.once('end', resolve));
    client.on('error', () => undefined);
    await client.connect();
    await client.query('SET ROLE app__sessions__owner; CREATE TABLE sessions.proof ()');
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await client.query('DROP TABLE sessions.proof');
    return { client, ended, pid: rows[0]?.pid ?? 0 };
  }

  const owner = { schema: 'sessions', level: 'owner' };

  beforeAll(() => createSchema('app', 'sessions'));

  it('are reported with pid and application where they can not be ended', async () => {
    await grant('olga', { ...owner, expiresAt: await inSeconds(3600) });
    const { client, pid } = await actAsOwner('olga');
    await letEnd('olga', owner);

    const record = await reconcile();

    expect(await members('sessions')).toEqual([]);
    expect(record.notes).toMatchObject([
      {
        code: 'SESSIONS_OPEN',
        message: expect.stringContaining(`${pid} in app (app of olga)`),
        statements: [expect.stringContaining('pg_terminate_backend')],
      },
    ]);
    await client.end();
  });

  it('are ended where the login is one that Drover administers', async () => {
    await grant('mia', { ...owner, expiresAt: await inSeconds(3600) });
    const { ended, pid } = await actAsOwner('mia');
    await letEnd('mia', owner);

    const record = await reconcile();
    await ended;

    expect(record.notes).toEqual([]);
    expect(record.changes).toMatchObject([
      { kind: 'membership', detail: 'from mia' },
      { action: 'revoke', kind: 'session', name: 'app', detail: `ended ${pid} (app of mia)` },
    ]);
  });

  it('go on where nothing is taken that they could act as', async () => {
    const client = new pg.Client({ connectionString: used.stack.cluster.url('mia', localPassword, 'app') });
    client.on('error', () => undefined);
    await client.connect();
    const reader = { schema: 'sessions' };
    await grantUntilNow('mia', reader);

    const record = await reconcile();
    // That mia acted as the owner was settled above.
    const exact = await grant('bob', { ...reader, mode: 'exact' });

    expect(revocationsOf('mia', [record])).toHaveLength(1);
    for (const { changes, notes } of [record, exact]) {
      expect(changes?.filter(({ kind }) => kind === 'session')).toEqual([]);
      expect(notes).toEqual([]);
    }
    expect((await client.query('SELECT 1 AS alive')).rows).toEqual([{ alive: 1 }]);
    await client.end();
  });
});

describe('a process whose clock is wrong by a minute', () => {
  let processes: FunctionProcess[];

  /** The same function, its clock so many seconds ahead. */
  function withClock(seconds: number): Promise<FunctionProcess> {
    const shift = `const Real = Date; globalThis.Date = class extends Real {
      constructor(...given) { given.length === 0 ? super(Real.now() + ${seconds * 1000}) : super(...given); }
      static now() { return Real.now() + ${seconds * 1000}; }
    };`;
    return findFreePort().then((port) =>
      startFunction({
        name: 'reconcile',
        port,
        environment: {
          ...used.stack.environment,
          ...functionSettings('reconcile', used.stack.cluster.port, permissivePolicy),
          NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(shift)}`,
        },
      }),
    );
  }

  /** Delivers a message to that process and no other. */
  async function deliver({ url }: FunctionProcess, id: string) {
    const data = Buffer.from(JSON.stringify({ instance: localInstance })).toString('base64');
    const publishTime = new Date().toISOString();
    const response = await fetch(`${url}/projects/${localProject}/topics/reconcile`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        message: { data, messageId: id, publishTime, attributes: { 'operation-id': id } },
      }),
    });
    expect(response.status).toBe(204);
    return used.stack.ended('reconcile', id);
  }

  beforeAll(async () => {
    processes = await Promise.all([withClock(61), withClock(-59)]);
  });

  afterAll(() => Promise.all(processes.map((one) => one.stop())));

  it('takes nothing back early, and nothing late', async () => {
    const [ahead, behind] = processes as [FunctionProcess, FunctionProcess];
    await grant('carol', { expiresAt: await inSeconds(50) });

    const early = await deliver(ahead, 'ahead');
    expect(early.finishedAt?.toMillis()).toBeGreaterThan(Date.now() + 50_000);
    expect(early).toMatchObject({ state: 'succeeded', changes: [], summary: { expiring: 1 } });
    expect(await members()).toEqual(['reader carol']);

    await letEnd('carol');
    const late = await deliver(behind, 'behind');
    expect(late.finishedAt?.toMillis()).toBeLessThan(Date.now() - 50_000);
    expect(revocationsOf('carol', [late])).toHaveLength(1);
    expect(await members()).toEqual([]);
  });
});

describe('a database that can not be reached', () => {
  it('is noted, and delays no other', async () => {
    for (const database of ['app_gone', 'app_shut', 'app']) {
      await grantUntilNow('alice', { database });
    }
    await grant('alice', { database: 'app_hung' });
    // Nothing that is open already leads there.
    await used.stack.query(
      'postgres',
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN ('app_gone', 'app_shut', 'app_hung')`,
    );
    await used.stack.query('postgres', 'DROP DATABASE app_gone WITH (FORCE)');
    await used.stack.query('postgres', 'REVOKE CONNECT ON DATABASE app_shut FROM PUBLIC');
    hanging = 'app_hung';

    const record = await reconcile({ all: true });
    hanging = '';
    await used.stack.query('postgres', 'GRANT CONNECT ON DATABASE app_shut TO PUBLIC');

    expect(record).toMatchObject({
      state: 'succeeded',
      partial: true,
      summary: { expiring: 3, unreachable: 4 },
    });
    expect(record.notes).toContainEqual(expect.objectContaining({ code: 'SCHEMA_GONE' }));
    const problems = record.notes
      ?.filter(({ code }) => code === 'DATABASE_UNREACHABLE')
      .map(({ message }) => message);
    for (const [database = '', code] of [
      ['app_gone', 'DATABASE_NOT_FOUND'],
      ['app_shut', 'PERMISSION_DENIED'],
      ['app_hung', 'CONNECTION_FAILED'],
    ]) {
      expect(problems).toContainEqual(expect.stringMatching(`^${database}: ${code}: `));
      expect(await used.compared(database)).toMatchObject({ problem: code });
    }
    expect(revocationsOf('alice', [record])).toHaveLength(1);
    for (const database of ['app', 'app_other']) {
      const { checkedAt } = await used.compared(database);
      const before = (record.finishedAt?.toMillis() ?? 0) - (checkedAt?.toMillis() ?? 0);
      expect(before, `${database} waited for the one that got ten seconds to answer`).toBeGreaterThan(5_000);
    }

    expect(presentIn(await registry('billing', 'app_shut'))).toEqual(['reader alice']);
    expect(revocationsOf('alice', [await reconcile()]), 'comes again').toHaveLength(1);
    expect(presentIn(await registry('billing', 'app_shut'))).toEqual([]);
  });
});
