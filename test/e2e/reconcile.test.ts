import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { FieldPath } from '@google-cloud/firestore';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FunctionProcess, startFunction } from '../../local/functions.ts';
import { findFreePort } from '../../local/ports.ts';
import { localPassword } from '../../local/postgres/cloudsql.ts';
import { functionSettings, localInstance, localProject } from '../../local/stack.ts';
import { actingAdmin } from '../../shared/postgres/names.ts';
import type { DatabaseRecord } from '../../shared/registry/databases.ts';
import { grantKey } from '../../shared/registry/grants/model.ts';
import type { OperationRecord } from '../../shared/registry/operations.ts';
import {
  grantFunctions,
  permissivePolicy,
  startTestStack,
  type TestStack,
  target,
} from '../support/stack.ts';
import { snapshot } from './catalog.ts';
import { isSettled, membersOf, presentIn, registryOf } from './members.ts';

const databases = ['app', 'app_drift', 'app_mended', 'app_gone', 'app_shut', 'app_hung'];

const policy = {
  rules: [
    ...permissivePolicy.rules,
    { functions: ['reconcile'], targets: [`${localInstance}/app_mended`], actions: ['mend'] },
  ],
};

let stack: TestStack;
/** Connections to this database are accepted, and never answered. */
let hanging = '';

beforeAll(async () => {
  stack = await startTestStack({
    only: grantFunctions,
    databases: { open: databases },
    policy,
    proxyFor: async ({ port }) => {
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
    },
  });
  await stack.query(
    'postgres',
    `CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE carol LOGIN;
     CREATE ROLE olga LOGIN PASSWORD '${localPassword}';
     GRANT CREATE ON DATABASE app TO alice;
     SET ROLE drover_admin_00; CREATE ROLE mia LOGIN PASSWORD '${localPassword}'`,
  );
  await Promise.all(databases.map((database) => createSchema(database, 'billing')));
  for (const schema of ['sessions', 'renewed', 'failed']) await createSchema('app', schema);
});

afterAll(() => stack.stop());

let sent = 0;
async function send(
  name: string,
  message: object,
  { id, dryRun = false }: { id?: string; dryRun?: boolean } = {},
) {
  sent += 1;
  const operation = id ?? `sent-${sent}`;
  await stack.send(name, message, { id: operation, dryRun });
  return stack.ended(name, operation, dryRun);
}

async function createSchema(database: string, schema: string) {
  const record = await send('create-schema', { target: target(database), schema });
  expect(record).toMatchObject({ state: 'succeeded' });
}

const grant = async (
  principal: string,
  {
    database = 'app',
    schema = 'billing',
    level = 'reader',
    mode = 'add',
    ...more
  }: Record<string, string> = {},
) => {
  const grants = [{ principal, kind: 'login', level, ...more }];
  const record = await send('grant-roles', { target: target(database), schema, mode, grants });
  expect(record).toMatchObject({ state: 'succeeded' });
  return record;
};

const reconcile = (more: { all?: boolean } = {}, options = {}) =>
  send('reconcile', { instance: localInstance, ...more }, options);

/** By the database's clock. */
async function inSeconds(seconds: number): Promise<string> {
  const text = `SELECT clock_timestamp() + interval '${seconds} s' AS at`;
  const [{ at } = {}] = (await stack.query('app', text)) as { at?: Date }[];
  return at?.toISOString() ?? '';
}

const until = (at: string) =>
  stack.query(
    'app',
    `SELECT pg_sleep(greatest(0, extract(epoch FROM '${at}'::timestamptz - clock_timestamp()) + 0.01))`,
  );

async function setOf(database: string, schema: string) {
  const { docs } = await stack.db
    .collection('grants')
    .where('database', '==', database)
    .where('schema', '==', schema)
    .get();
  const [document] = docs;
  if (document === undefined) throw new Error(`there are no grants of ${database}.${schema}`);
  return document.ref;
}

/** Lets the time of a grant be over, without anybody waiting for it. */
async function letEnd(principal: string, { database = 'app', schema = 'billing', level = 'reader' } = {}) {
  const at = new Date(await inSeconds(-1));
  const ref = await setOf(database, schema);
  const field = new FieldPath('grants', grantKey({ role: level, principal }), 'value', 'expiresAt');
  await ref.update(field, at, 'nextExpiry', at);
}

const members = (schema = 'billing', database = 'app') => membersOf(stack, database, schema);
const registry = (schema = 'billing', database = 'app') => registryOf(stack, database, schema);

/** The identity of a membership: it is another row once it was revoked. */
const rowOf = (role: string, member: string) =>
  stack.query(
    'app',
    `SELECT oid FROM pg_auth_members WHERE roleid = '${role}'::regrole AND member = '${member}'::regrole`,
  );

const revocationsOf = (principal: string, records: readonly OperationRecord[]) =>
  records
    .flatMap(({ changes = [] }) => changes)
    .filter(({ action, detail }) => action === 'revoke' && detail === `from ${principal}`);

describe('a grant whose time is over', () => {
  it('is taken back when the time comes; one without an end stays', async () => {
    await grant('bob');
    const expiresAt = await inSeconds(5);
    await grant('alice', { expiresAt, reason: 'incident' });
    await until(expiresAt);

    const record = await reconcile();

    expect(record).toMatchObject({
      state: 'succeeded',
      changes: [{ action: 'revoke', name: 'app__billing__reader', detail: 'from alice' }],
    });
    expect(await members()).toEqual(['reader bob']);
    const set = await registry();
    expect(presentIn(set)).toEqual(['reader bob']);
    expect(set).toMatchObject({ nextExpiry: null, principals: ['bob'] });
    expect(set.history[0]).toMatchObject({ action: 'expire', principal: 'alice', reason: 'incident' });
    expect(set.grants['reader:bob']?.value.expiresAt).toBeUndefined();
    expect(await reconcile()).toMatchObject({ state: 'succeeded', changes: [], summary: { expiring: 0 } });
  });

  it('is taken back once, however many messages ask for it at once', async () => {
    await grant('alice', { expiresAt: await inSeconds(3600) });
    await letEnd('alice');

    const ids = ['one', 'two', 'three', 'three', 'three'];
    const records = await Promise.all(ids.map((id) => reconcile({}, { id })));
    await stack.pubsub?.idle();

    expect(records.map(({ state }) => state)).toEqual(ids.map(() => 'succeeded'));
    expect(
      revocationsOf('alice', [...new Map(records.map((one) => [one.operationId, one])).values()]),
    ).toHaveLength(1);
    const set = await registry();
    expect(
      set.history.filter(({ action, principal }) => action === 'expire' && principal === 'alice'),
    ).toHaveLength(2);
    expect(await members()).toEqual(['reader bob']);
    expect(isSettled(set)).toBe(true);
  });

  it('is found by a tick, which sends one message to each instance that has something to do', async () => {
    await grant('alice', { expiresAt: await inSeconds(3600) });
    await letEnd('alice');
    // An instance that nobody can reach is one more message, and no more than that.
    const elsewhere = 'acme-dev:europe-west1:elsewhere';
    await stack.db
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
    await stack.pubsub?.idle();
    await stack.db.collection('databases').doc('elsewhere').delete();

    const { docs } = await stack.db.collection('operations').where('function', '==', 'reconcile').get();
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
    expect(await members()).toEqual(['reader bob']);
  });

  it('is left alone in a dry run', async () => {
    await grant('alice', { expiresAt: await inSeconds(3600) });
    await letEnd('alice');
    const before = await registry();
    expect(await reconcile({}, { dryRun: true })).toMatchObject({ state: 'planned', changes: [] });
    expect(await registry()).toEqual(before);
    await reconcile();
    expect(await members()).toEqual(['reader bob']);
  });

  it('that is renewed before was never gone', async () => {
    const options = { schema: 'renewed', expiresAt: await inSeconds(3600) };
    await grant('alice', options);
    const before = await rowOf('app__renewed__reader', 'alice');
    await letEnd('alice', options);

    await grant('alice', { ...options, expiresAt: await inSeconds(7200) });
    expect(await reconcile()).toMatchObject({ state: 'succeeded', changes: [] });

    expect(await rowOf('app__renewed__reader', 'alice')).toEqual(before);
    const { history } = await registry('renewed');
    expect(history.map(({ action }) => action)).toEqual(['renew', 'grant']);
  });

  it('is not kept by a renewal that failed', async () => {
    const options = { schema: 'failed', expiresAt: await inSeconds(3600) };
    await grant('alice', options);
    await letEnd('alice', options);
    // Of a worker that died: its deliveries were used up, and its wish is in the registry still.
    const ref = await setOf('app', 'failed');
    const { value, ...identity } = (await registry('failed')).grants['reader:alice'] ?? {};
    const wish = {
      ...value,
      operation: 'dead',
      publishedAt: new Date(),
      expiresAt: new Date(Date.now() + 1e7),
    };
    const open = { ...identity, value: wish, before: value, undecided: true };
    await ref.update(new FieldPath('grants', 'reader:alice'), open);
    await stack.db.collection('operations').doc('dead').set({ state: 'running' });
    expect(await reconcile(), 'somebody may be at it').toMatchObject({ changes: [] });

    await stack.db.collection('operations').doc('dead').set({ state: 'failed' });
    expect(await reconcile()).toMatchObject({ changes: [{ action: 'revoke', detail: 'from alice' }] });

    expect(await members('failed')).toEqual([]);
    expect(isSettled(await registry('failed'))).toBe(true);
  });
});

describe('sessions that act as the owner', () => {
  /** Logs in, acts as the owner, and says by which process. */
  async function actAsOwner(login: string) {
    const client = new pg.Client({
      connectionString: stack.cluster.url(login, localPassword, 'app'),
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
    const client = new pg.Client({ connectionString: stack.cluster.url('mia', localPassword, 'app') });
    client.on('error', () => undefined);
    await client.connect();
    const reader = { schema: 'sessions' };
    await grant('mia', { ...reader, expiresAt: await inSeconds(3600) });
    await letEnd('mia', reader);

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
          ...stack.environment,
          ...functionSettings('reconcile', stack.cluster.port, policy),
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
    return stack.ended('reconcile', id);
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
    expect(await members()).toEqual(['reader bob', 'reader carol']);

    await letEnd('carol');
    const late = await deliver(behind, 'behind');
    expect(late.finishedAt?.toMillis()).toBeLessThan(Date.now() - 50_000);
    expect(revocationsOf('carol', [late])).toHaveLength(1);
    expect(await members()).toEqual(['reader bob']);
  });
});

async function compared(database: string) {
  const { docs } = await stack.db.collection('databases').where('database', '==', database).get();
  return docs[0]?.data() as DatabaseRecord;
}

describe('what differs from the registry', () => {
  const eventsOf = async (database: string) => {
    await stack.pubsub?.idle();
    return stack.events.filter(({ subject }) => subject === `${localInstance}/${database}`);
  };
  /** By somebody who may act as Drover's admin for the schema. */
  const byHand = (database: string, statements: string) =>
    stack.query(database, `SET ROLE ${actingAdmin(database, 'billing')}; ${statements}`);
  const driftOf = ({ notes = [] }: OperationRecord, database: string) =>
    notes.filter(({ code, message }) => code === 'DRIFT' && message.startsWith(`${database}.`));
  const spoil = (database: string) =>
    byHand(
      database,
      `REVOKE ${database}__billing__reader FROM alice;
       GRANT ${database}__billing__writer TO bob;
       RESET ROLE;
       DROP ROLE ${database}__billing__analyst;
       REVOKE USAGE ON SCHEMA billing FROM ${database}__billing__reader`,
    );

  it('is told once, with the plan that mends it, and not touched where the policy does not say so', async () => {
    const database = 'app_drift';
    await grant('alice', { database });
    expect(driftOf(await reconcile({ all: true }), database)).toEqual([]);
    await spoil(database);
    const before = await snapshot(stack, database);

    const record = await reconcile({ all: true });

    expect(record).toMatchObject({ state: 'succeeded', changes: [] });
    expect(driftOf(record, database)).toHaveLength(2);
    const [event, ...others] = await eventsOf(database);
    expect(others).toEqual([]);
    expect(event).toMatchObject({
      type: 'drover.drift.detected',
      data: {
        target: `${localInstance}/${database}`,
        mends: false,
        differences: [
          {
            schema: 'billing',
            changes: expect.arrayContaining([
              { action: 'create', kind: 'role', name: `${database}__billing__analyst`, detail: 'analyst' },
            ]),
            statements: expect.arrayContaining([
              `GRANT USAGE ON SCHEMA "billing" TO "${database}__billing__reader"`,
            ]),
          },
          {
            schema: 'billing',
            statements: [
              `GRANT "${database}__billing__reader" TO "alice" WITH INHERIT TRUE, SET FALSE`,
              `REVOKE "${database}__billing__writer" FROM "bob" GRANTED BY "${actingAdmin(database, 'billing')}" CASCADE`,
              expect.stringMatching(/^COMMENT ON ROLE/),
            ],
          },
        ],
      },
    });
    expect(await snapshot(stack, database)).toEqual(before);
    expect(await compared(database)).toMatchObject({ drift: expect.any(String), problem: null });

    expect(driftOf(await reconcile({ all: true }), database)).toHaveLength(2);
    await grant('carol', { database });
    await reconcile({ all: true });
    expect(await eventsOf(database), 'the same finding').toHaveLength(1);
    await byHand(database, `GRANT ${database}__billing__writer TO carol`);
    await reconcile({ all: true });
    expect(await eventsOf(database), 'another finding').toHaveLength(2);
    expect(new Set((await eventsOf(database)).map(({ id }) => id)).size).toBe(2);
  });

  it('is mended where the policy says so', async () => {
    const database = 'app_mended';
    await grant('alice', { database });
    const before = await snapshot(stack, database);
    await spoil(database);

    const record = await reconcile({ all: true });

    expect(await members('billing', database)).toEqual(['reader alice']);
    expect(record.changes).toEqual(
      expect.arrayContaining([
        { action: 'grant', kind: 'membership', name: `${database}__billing__reader`, detail: 'to alice' },
        { action: 'revoke', kind: 'membership', name: `${database}__billing__writer`, detail: 'from bob' },
        expect.objectContaining({
          action: 'create',
          kind: 'role',
          name: `${database}__billing__analyst`,
          detail: 'analyst',
        }),
      ]),
    );
    expect(comparable(await snapshot(stack, database))).toEqual(comparable(before));
    expect(await eventsOf(database)).toMatchObject([{ data: { mends: true } }]);
    expect(driftOf(await reconcile({ all: true }), database)).toEqual([]);

    await spoil(database);
    await reconcile({ all: true });
    const events = await eventsOf(database);
    expect(events, 'it happened again').toHaveLength(2);
    expect(new Set(events.map(({ id }) => id)).size, 'and is not taken for a duplicate').toBe(2);
  });

  it('and can not be mended is told once, too', async () => {
    const database = 'app_mended';
    const known = (await eventsOf(database)).length;
    await stack.query(database, `GRANT ${database}__billing__writer TO carol`);

    const records = [await reconcile({ all: true }), await reconcile({ all: true })];

    for (const record of records) {
      expect(driftOf(record, database)).toMatchObject([
        {
          statements: expect.arrayContaining([
            `REVOKE "${database}__billing__writer" FROM "carol" GRANTED BY "cloudsqladmin"`,
          ]),
        },
      ]);
    }
    expect((await eventsOf(database)).length).toBe(known + 1);
    expect(await members('billing', database)).toEqual(['reader alice', 'writer carol']);
    await stack.query(database, `REVOKE ${database}__billing__writer FROM carol`);
  });

  it('is left alone where somebody is about to change it', async () => {
    const database = 'app_mended';
    await reconcile({ all: true });
    const ref = await setOf(database, 'billing');
    const wish = { present: true, operation: 'under-way', publishedAt: new Date() };
    const open = { principal: 'bob', kind: 'login', role: 'writer', value: wish, undecided: true };
    await ref.update(new FieldPath('grants', 'writer:bob'), open);
    await stack.db.collection('operations').doc('under-way').set({ state: 'running' });
    await byHand(database, `GRANT ${database}__billing__writer TO bob`);

    const record = await reconcile({ all: true });
    expect(driftOf(record, database)).toEqual([]);
    expect(await members('billing', database)).toEqual(['reader alice', 'writer bob']);

    await stack.db.collection('operations').doc('under-way').set({ state: 'failed' });
    await reconcile({ all: true });
    expect(await members('billing', database)).toEqual(['reader alice']);
  });
});

/** Without numbers of attempts, which rise, and those of roles, of which one was made anew. */
function comparable(found: Awaited<ReturnType<typeof snapshot>>) {
  return { ...found, roles: found.roles.map(({ comment: _, ...role }) => ({ ...role, oid: undefined })) };
}

describe('a database that can not be reached', () => {
  it('is noted, and delays no other', async () => {
    for (const database of ['app_gone', 'app_shut', 'app']) {
      await grant('alice', { database, expiresAt: await inSeconds(3600) });
      await letEnd('alice', { database });
    }
    await grant('alice', { database: 'app_hung' });
    // Nothing that is open already leads there.
    await stack.query(
      'postgres',
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN ('app_gone', 'app_shut', 'app_hung')`,
    );
    await stack.query('postgres', 'DROP DATABASE app_gone WITH (FORCE)');
    await stack.query('postgres', 'REVOKE CONNECT ON DATABASE app_shut FROM PUBLIC');
    hanging = 'app_hung';

    const record = await reconcile({ all: true });
    hanging = '';
    await stack.query('postgres', 'GRANT CONNECT ON DATABASE app_shut TO PUBLIC');

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
      expect(await compared(database)).toMatchObject({ problem: code });
    }
    expect(revocationsOf('alice', [record])).toHaveLength(1);
    for (const database of ['app', 'app_drift', 'app_mended']) {
      const { checkedAt } = await compared(database);
      const before = (record.finishedAt?.toMillis() ?? 0) - (checkedAt?.toMillis() ?? 0);
      expect(before, `${database} waited for the one that got ten seconds to answer`).toBeGreaterThan(5_000);
    }

    expect(presentIn(await registry('billing', 'app_shut'))).toEqual(['reader alice']);
    expect(revocationsOf('alice', [await reconcile()]), 'comes again').toHaveLength(1);
    expect(presentIn(await registry('billing', 'app_shut'))).toEqual([]);
  });
});
