import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { localPassword } from '../../../../local/postgres/cloudsql.ts';
import { Script } from '../../../../shared/postgres/offboard/script.ts';
import {
  endActingSessions,
  endSessions,
  planSessions,
} from '../../../../shared/postgres/offboard/sessions.ts';
import { sql } from '../../../../shared/postgres/sql.ts';
import { changeInTransaction } from '../../../../shared/postgres/transaction.ts';
import { connected, instance, type PreparedCluster, run, startPrepared } from '../../../support/postgres.ts';
import { hire } from './world.ts';

let cluster: PreparedCluster;
const target = { instance, database: 'app' };
const signal = new AbortController().signal;
const options = { signal, remainingMs: () => 60_000, dryRun: false };

beforeAll(async () => {
  cluster = await startPrepared();
  for (const database of ['app', 'other']) await cluster.open(database);
  await hire(cluster, 'drover', 'made');
  await hire(cluster, 'api', 'foreign');
});

afterAll(() => cluster.remove());

interface Session {
  readonly pid: number;
  readonly client: pg.Client;
}

const sessions: Session[] = [];

async function logIn(user: string, database: string, ...statements: string[]): Promise<Session> {
  const client = new pg.Client({
    connectionString: cluster.url(user, localPassword, database),
    application_name: `${user} at work`,
  });
  client.on('error', () => undefined);
  await client.connect();
  for (const statement of statements) await client.query(statement);
  const { rows } = await client.query('SELECT pg_backend_pid() AS pid');
  const session = { pid: rows[0].pid, client };
  sessions.push(session);
  return session;
}

afterEach(async () => {
  for (const { client } of sessions.splice(0)) await client.end().catch(() => undefined);
});

const alive = ({ client }: Session) =>
  client.query('SELECT 1').then(
    () => true,
    () => false,
  );

test('sessions of a login that Drover made are ended wherever they are and whatever they do', async () => {
  const [idle, busy, bystander] = [
    await logIn('made', 'app'),
    await logIn('made', 'other', 'BEGIN', 'CREATE TEMPORARY TABLE held ()'),
    await logIn('foreign', 'app'),
  ];

  const ended = await endSessions(cluster.pools, target, 'made', options);

  expect(ended.notes).toEqual([]);
  expect(ended.changes).toEqual([
    { action: 'revoke', kind: 'session', name: 'app', detail: `ended ${idle.pid} (made at work)` },
    { action: 'revoke', kind: 'session', name: 'other', detail: `ended ${busy.pid} (made at work)` },
  ]);
  expect([await alive(idle), await alive(busy), await alive(bystander)]).toEqual([false, false, true]);
  const members = await connected(
    cluster.superuserUrl(),
    async (client) =>
      (await client.query(`SELECT FROM pg_auth_members WHERE roleid = 'made'::regrole AND inherit_option`))
        .rows,
  );
  expect(members).toEqual([]);
});

test('only those in one database are ended where that is asked for', async () => {
  const [here, there] = [await logIn('made', 'app'), await logIn('made', 'other')];

  const lost = { roles: ['app__billing__owner'] };
  const ended = await endActingSessions(cluster.pools, target, 'made', {
    ...options,
    lost,
    inDatabase: 'other',
  });

  expect(ended.changes.map(({ name }) => name)).toEqual(['other']);
  expect([await alive(here), await alive(there)]).toEqual([true, false]);
});

test('a dry run says which would be ended and ends none', async () => {
  const session = await logIn('made', 'app');

  const planned = await endSessions(cluster.pools, target, 'made', { ...options, dryRun: true });

  expect(planned.changes).toHaveLength(1);
  expect(planned.statements).toContain(`SELECT pg_catalog.pg_terminate_backend(${session.pid})`);
  expect(await alive(session)).toBe(true);
});

describe('sessions of a principal that Drover has no hold on', () => {
  test('are told with their process, database and application', async () => {
    const session = await logIn('foreign', 'other');

    const left = await endSessions(cluster.pools, target, 'foreign', options);

    expect(left).toMatchObject({ changes: [], statements: [], remaining: true });
    expect(left.notes).toEqual([
      {
        code: 'SESSIONS_OPEN',
        message: expect.stringContaining(`${session.pid} in other (foreign at work)`),
        statements: [`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'foreign'`],
      },
    ]);
    await run(cluster.superuserUrl(), ...(left.notes[0]?.statements ?? []));
    expect(await alive(session)).toBe(false);
  });

  describe('where Drover may signal backends', () => {
    beforeEach(() => run(cluster.superuserUrl(), 'GRANT pg_signal_backend TO drover_admin'));
    afterEach(() => run(cluster.superuserUrl(), 'REVOKE pg_signal_backend FROM drover_admin'));

    test('are ended', async () => {
      const session = await logIn('foreign', 'other');

      const ended = await endSessions(cluster.pools, target, 'foreign', options);

      expect(ended).toMatchObject({ notes: [], remaining: false });
      expect(await alive(session)).toBe(false);
    });
  });
});

test('a session that does not end is not called ended', async () => {
  const session = await logIn('made', 'app');
  process.kill(session.pid, 'SIGSTOP');
  try {
    const left = await endSessions(cluster.pools, target, 'made', options);

    expect(left).toMatchObject({ changes: [], remaining: true });
    expect(left.notes).toMatchObject([{ code: 'SESSIONS_OPEN' }]);
    expect(left.notes[0]?.message).toContain('could not');
  } finally {
    process.kill(session.pid, 'SIGCONT');
  }
});

test('a session that is over when it is to be ended is no failure', async () => {
  const acting = 'drover_admin_03';
  const nobody = { pid: 2_000_000_000, database: 'app', application: '', user: 'made', admin: acting };

  await cluster.pools.withConnection(target, { signal }, (client) =>
    changeInTransaction(
      client,
      { acting, lock: 'gone', timeoutMs: 10_000, inspection: sql`SELECT 1` },
      () => {
        const script = new Script(acting, 180000);
        const role = {
          oid: '1',
          login: true,
          superuser: false,
          replication: false,
          comment: null,
          writer: false,
          admin: acting,
        };
        const found = { sessions: [nobody], signal: false };
        expect(
          planSessions({ principal: 'made', serverVersion: 180000, role, found, script }, { giveUp: false }),
        ).toEqual([]);
        return { statements: script.statements() };
      },
    ),
  );
});
