import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { localPassword } from '../../local/postgres/cloudsql.ts';
import type { OperationRecord } from '../../shared/registry/operations.ts';
import { operationDocumentId } from '../../shared/registry/operations.ts';
import { reopenOperation } from '../../shared/registry/replay.ts';
import { grantFunctions, startTestStack, type TestStack, target } from '../support/stack.ts';
import { snapshot } from './catalog.ts';
import { at } from './grants.ts';
import { membersOf, presentIn, registryOf } from './members.ts';

const databases = ['app', 'app_two'];

let stack: TestStack;

beforeAll(async () => {
  stack = await startTestStack({ only: grantFunctions, databases: { open: databases } });
  for (const database of databases) {
    await stack.send('create-schema', { target: target(database), schema: 'billing' }, { id: database });
    await stack.ended('create-schema', database);
    // Of an application that Drover has nothing to do with.
    await stack.query(database, 'CREATE SCHEMA legacy; GRANT USAGE, CREATE ON SCHEMA legacy TO PUBLIC');
  }
});

afterAll(() => stack.stop());

let sent = 0;
async function send(message: object, { dryRun = false, id = '', attributes = {} } = {}) {
  sent += 1;
  const operation = id || `offboard-${sent}`;
  const options = { id: operation, dryRun, attributes };
  await stack.send('grant-roles', { target: target('app'), ...message }, options);
  return stack.ended('grant-roles', operation, dryRun);
}

const offboard = (principal: string, kind: string, options = {}) =>
  send({ mode: 'offboard', grants: [{ principal, kind }] }, options);

async function grantEverywhere(grant: object, more = {}) {
  for (const database of databases) {
    const message = { target: target(database), schema: 'billing', mode: 'add', grants: [grant], ...more };
    expect(await send(message)).toMatchObject({ state: 'succeeded' });
  }
}

/** As one of Drover's admins, who may therefore drop it. */
const createLogin = (name: string) =>
  stack.query('app', `SET ROLE drover_admin_07; CREATE ROLE ${name} LOGIN PASSWORD '${localPassword}'`);

/** Logs in, makes what is its own, and stays. */
async function settleIn(login: string, database: string) {
  const client = new pg.Client({
    connectionString: stack.cluster.url(login, localPassword, database),
    application_name: `app of ${login}`,
  });
  const ended = new Promise<void>((resolve) => client.once('end', resolve));
  client.on('error', () => undefined);
  await client.connect();
  await client.query(
    `CREATE TABLE legacy.${pg.escapeIdentifier(`of ${login}`)} ();
     CREATE TABLE legacy.${pg.escapeIdentifier(`more of ${login}`)} ();
     ALTER DEFAULT PRIVILEGES IN SCHEMA legacy GRANT SELECT ON TABLES TO PUBLIC`,
  );
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return { client, ended, pid: rows[0]?.pid ?? 0 };
}

const exists = async (name: string) =>
  (await stack.query('postgres', `SELECT FROM pg_roles WHERE rolname = '${name}'`)).length > 0;

async function tablesOf(name: string): Promise<string[]> {
  const lists = await Promise.all(
    databases.map((database) =>
      stack.query(
        database,
        `SELECT relname || ' ' || relowner::regrole AS text FROM pg_class
          WHERE relkind = 'r' AND relname LIKE '%of ${name}' ORDER BY 1`,
      ),
    ),
  );
  return lists.flat().map(({ text }) => String(text));
}

async function everything() {
  const { docs } = await stack.db.collection('grants').get();
  const catalogs = await Promise.all(databases.map((database) => snapshot(stack, database)));
  return { catalogs, sets: docs.map((document) => document.data()) };
}

const allStatements = ({ notes = [] }: OperationRecord) => notes.flatMap(({ statements = [] }) => statements);

/** The database that a note's statements are to be run in, which its message says. */
const databaseOf = (message: string) =>
  databases.toReversed().find((name) => message.includes(` ${name}`)) ?? 'app';

describe('offboarding an IAM user that owns tables, has open sessions and default privileges', () => {
  const principal = 'eve@acme.com';
  const eve = { principal, kind: 'iam-user', level: 'writer' };

  it('does what Drover may, and says exactly what an admin has to do; then it is finished', async () => {
    await grantEverywhere(eve, { createMissing: true });
    const sessions = [await settleIn(principal, 'app'), await settleIn(principal, 'app_two')];
    const before = await everything();
    const planned = await offboard(principal, 'iam-user', { dryRun: true });
    expect(planned).toMatchObject({ state: 'planned', partial: true });
    expect(await everything()).toEqual(before);

    const first = await offboard(principal, 'iam-user');

    expect(first).toMatchObject({ state: 'succeeded', partial: true, summary: { principals: 1 } });
    for (const database of databases) {
      expect(await membersOf(stack, database, 'billing')).toEqual([]);
      expect(presentIn(await registryOf(stack, database, 'billing'))).toEqual([]);
    }
    expect(await exists(principal)).toBe(true);
    const open = first.notes?.find(({ code }) => code === 'SESSIONS_OPEN');
    for (const [index, { pid }] of sessions.entries()) {
      expect(open?.message).toContain(`${pid} in ${databases[index]} (app of ${principal})`);
    }
    expect(allStatements(first)).toEqual(
      expect.arrayContaining([
        `ALTER ROLE "${principal}" NOLOGIN`,
        `REASSIGN OWNED BY "${principal}" TO "drover_admin"`,
        `DROP OWNED BY "${principal}"`,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${principal}'`,
      ]),
    );

    for (const { message, statements = [] } of first.notes ?? []) {
      // That it can't log in and is dropped is what the second message sees to, by the Admin API.
      const some = statements.filter((text) => !/^(DROP ROLE|ALTER ROLE .+ NOLOGIN)/.test(text));
      if (some.length > 0) await stack.query(databaseOf(message), some.join(';\n'));
    }
    await Promise.all(sessions.map(({ ended }) => ended));
    const second = await offboard(principal, 'iam-user');

    expect(second).toMatchObject({
      state: 'succeeded',
      notes: [],
      changes: [{ kind: 'user', name: principal, detail: 'deleted through the Admin API' }],
    });
    expect(second).not.toHaveProperty('partial', true);
    expect(await exists(principal)).toBe(false);
    expect(await tablesOf(principal)).toEqual(
      databases.flatMap(() => [`more of ${principal} drover_admin`, `of ${principal} drover_admin`]),
    );
  });
});

describe('offboarding a login that Drover administers', () => {
  it('takes all of it: memberships, sessions, privileges, what it owns and the login', async () => {
    await createLogin('mia');
    await grantEverywhere({ principal: 'mia', kind: 'login', level: 'owner' });
    const sessions = [await settleIn('mia', 'app'), await settleIn('mia', 'app_two')];
    const before = await everything();
    const planned = await offboard('mia', 'login', { dryRun: true });
    expect(planned).toMatchObject({ state: 'planned' });
    expect(planned.statements).toContain('DROP ROLE "mia"');
    expect(await everything()).toEqual(before);

    const record = await offboard('mia', 'login');
    await Promise.all(sessions.map(({ ended }) => ended));

    expect(record).toMatchObject({ state: 'succeeded', notes: [] });
    expect(record).not.toHaveProperty('partial', true);
    expect(record.changes?.filter(({ kind }) => kind === 'session')).toHaveLength(2);
    expect(await exists('mia')).toBe(false);
    expect(await tablesOf('mia')).toEqual(
      databases.flatMap(() => ['more of mia drover_admin', 'of mia drover_admin']),
    );
    for (const database of databases) {
      expect(await membersOf(stack, database, 'billing')).toEqual([]);
      const set = await registryOf(stack, database, 'billing');
      expect(presentIn(set)).toEqual([]);
      expect(set.history[0]).toMatchObject({ action: 'revoke', principal: 'mia' });
    }
    expect(await offboard('mia', 'login'), 'and again').toMatchObject({
      state: 'succeeded',
      changes: [],
      notes: [],
    });
  });
});

describe('offboarding', () => {
  it('somebody unknown changes nothing and succeeds', async () => {
    const before = await everything();
    for (const [principal, kind] of [
      ['nobody_here', 'login'],
      ['nobody@acme.com', 'iam-user'],
    ] as const) {
      expect(await offboard(principal, kind)).toMatchObject({ state: 'succeeded', changes: [], notes: [] });
    }
    expect(await everything()).toEqual(before);
  });

  it.each(['cloudsqladmin', 'app__billing__reader', 'drover-create-schema@acme-dev.iam', 'root'])(
    'is refused for %s, who is no principal',
    async (principal) => {
      if (principal === 'root') await stack.query('postgres', 'CREATE ROLE root LOGIN SUPERUSER');
      const before = await everything();
      const record = await offboard(principal, 'login');
      expect(record).toMatchObject({
        state: 'failed',
        error: { code: expect.stringMatching(/^(PRINCIPAL_NOT_ALLOWED|INVALID_MESSAGE)$/) },
      });
      expect(await everything()).toEqual(before);
    },
  );

  it('of several begins with nobody where one of them is no principal', async () => {
    await stack.query('postgres', 'CREATE ROLE boss LOGIN SUPERUSER');
    await createLogin('first');
    await grantEverywhere({ principal: 'first', kind: 'login', level: 'writer' });
    const { client } = await settleIn('first', 'app');
    const before = await everything();

    for (const other of ['boss', 'app__billing__reader', 'drover-create-schema@acme-dev.iam']) {
      const grants = ['first', other].map((name) => ({ principal: name, kind: 'login' }));
      const record = await send({ mode: 'offboard', grants });
      expect(record, other).toMatchObject({ state: 'failed', error: { code: 'PRINCIPAL_NOT_ALLOWED' } });
      expect(await everything(), other).toEqual(before);
    }

    const { docs } = await stack.db.collection('offboarded').where('principal', '==', 'first').get();
    expect(docs).toEqual([]);
    expect((await client.query('SELECT current_user AS name')).rows).toEqual([{ name: 'first' }]);
    expect(await offboard('first', 'login')).toMatchObject({ state: 'succeeded', notes: [] });
  });

  it('is not undone by an older message that comes for the first time', async () => {
    const [principal, kind] = ['uma@acme.com', 'iam-user'];
    const add = (database: string) => ({
      target: target(database),
      schema: 'billing',
      mode: 'add',
      createMissing: true,
      grants: [{ principal, kind, level: 'reader' }],
    });
    expect(await send(add('app'), at(1))).toMatchObject({ summary: { granted: 1 } });
    expect(await offboard(principal, kind, at(5))).toMatchObject({ state: 'succeeded', notes: [] });

    const time = new Date(Date.now() - 86_400_000).toISOString();
    const yesterday = { attributes: { 'original-publish-time': time } };
    // Where the registry has never heard of the principal as well as where it has.
    for (const database of databases) {
      for (const late of [at(4), yesterday]) {
        for (const dryRun of [true, false]) {
          const record = await send(add(database), { ...late, dryRun });
          expect(record).toMatchObject({ error: null, changes: [], notes: [{ code: 'SUPERSEDED' }] });
        }
      }
      expect(await membersOf(stack, database, 'billing')).toEqual([]);
    }
    expect(await exists(principal)).toBe(false);

    expect(await send(add('app_two'), at(6)), 'as a newer one does').toMatchObject({ state: 'succeeded' });
    expect(await membersOf(stack, 'app_two', 'billing')).toEqual([`reader ${principal}`]);
  });

  it('is not undone by an older message that comes again', async () => {
    await stack.query('postgres', 'SET ROLE drover_admin_07; CREATE ROLE zoe LOGIN; CREATE ROLE yan LOGIN');
    const message = (names: string[]) => ({
      schema: 'billing',
      mode: 'add',
      grants: names.map((principal) => ({ principal, kind: 'login', level: 'reader' })),
    });
    await send(message(['zoe']), { id: 'older' });
    await send({ ...message(['zoe', 'nadia']) }, { id: 'older-and-impossible' });
    expect(await offboard('zoe', 'login')).toMatchObject({ state: 'succeeded' });
    // Somebody of the same name, who is not the one that was meant.
    await stack.query('postgres', 'CREATE ROLE zoe LOGIN; CREATE ROLE nadia LOGIN');

    const operation = { operationId: 'older-and-impossible', dryRun: false };
    const record = operationDocumentId('grant-roles', operation);
    const { topic, data, attributes } = await reopenOperation(stack.db, record);
    await stack.messaging.topic(topic).publishMessage({ data, attributes });
    // A duplicate of the first, published at its time under an id of its own.
    const first = await stack.record('grant-roles', 'older');
    const publishedAt = first?.publishedAt.toDate().toISOString() ?? '';
    await stack.send(
      'grant-roles',
      { target: target('app'), ...message(['zoe']) },
      { id: 'duplicate', attributes: { 'original-publish-time': publishedAt } },
    );
    await stack.pubsub?.idle();

    expect(await stack.record('grant-roles', 'older-and-impossible')).toMatchObject({
      state: 'succeeded',
      notes: [{ code: 'SUPERSEDED', message: expect.stringContaining('reader:zoe') }],
    });
    expect(await stack.record('grant-roles', 'duplicate')).toMatchObject({
      state: 'succeeded',
      changes: [],
      notes: [{ code: 'SUPERSEDED' }],
    });
    expect(await membersOf(stack, 'app', 'billing')).toEqual(['reader nadia']);
  });
});
