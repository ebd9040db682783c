import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { localPassword } from '../../../../local/postgres/cloudsql.ts';
import {
  connected,
  functionLogin,
  type PreparedCluster,
  run,
  startPrepared,
} from '../../../support/postgres.ts';
import { hire, offboard, settle } from './world.ts';

// Who inherits what, where that isn't plain; on the newest version, with a login that Drover made.

let cluster: PreparedCluster;
let login: string;
let count = 0;

beforeAll(async () => {
  cluster = await startPrepared();
  await settle(cluster);
});

afterAll(() => cluster.remove());

beforeEach(async () => {
  count += 1;
  login = `quinn${count}`;
  await hire(cluster, 'drover', login);
});

const asSuperuser = (...statements: string[]) => run(cluster.superuserUrl('app'), ...statements);

function query(text: string): Promise<Record<string, unknown>[]> {
  return connected(cluster.superuserUrl('app'), async (client) => (await client.query(text)).rows);
}

const ownerOf = async (routine: string) =>
  (
    await query(`SELECT proowner::regrole::text AS owner FROM pg_proc WHERE oid = '${routine}'::regprocedure`)
  )[0]?.['owner'];

const makeRoutine = (schema: string) => [
  `SET ROLE ${login}`,
  `CREATE FUNCTION ${schema}.of_${login}() RETURNS int LANGUAGE sql RETURN 1`,
  'RESET ROLE',
];

test('a routine in a schema of a role that Drover administers: the schema is opened for a moment', async () => {
  await run(cluster.url(functionLogin, localPassword), 'SET ROLE drover_admin_11', 'CREATE ROLE team');
  await asSuperuser(
    'CREATE SCHEMA teams AUTHORIZATION team',
    'SET ROLE team',
    `GRANT CREATE ON SCHEMA teams TO ${login}`,
    'RESET ROLE',
    ...makeRoutine('teams'),
  );

  const done = await offboard(cluster, { principal: login });

  expect(done).toMatchObject({ notes: [], remaining: false });
  expect(await ownerOf(`teams.of_${login}()`)).toBe('drover_admin');
  expect(await query(`SELECT nspacl::text FROM pg_namespace WHERE nspname = 'teams'`)).toEqual([
    { nspacl: '{team=UC/team}' },
  ]);
  expect(
    await query(
      `SELECT FROM pg_auth_members WHERE roleid = 'team'::regrole AND (inherit_option OR set_option)`,
    ),
  ).toEqual([]);
});

test('a routine in a schema that the principal may open: it does so for a moment', async () => {
  await asSuperuser(
    'CREATE SCHEMA lent AUTHORIZATION bob',
    'SET ROLE bob',
    `GRANT CREATE ON SCHEMA lent TO ${login} WITH GRANT OPTION`,
    'RESET ROLE',
    ...makeRoutine('lent'),
  );

  const done = await offboard(cluster, { principal: login });

  expect(await ownerOf(`lent.of_${login}()`)).toBe('drover_admin');
  expect(await query(`SELECT nspacl::text FROM pg_namespace WHERE nspname = 'lent'`)).toEqual([
    { nspacl: `{bob=UC/bob,${login}=C*/bob}` },
  ]);
  expect(done.notes.flatMap(({ statements }) => statements)).toEqual([
    'SET ROLE "bob"',
    `REVOKE CREATE ON SCHEMA lent FROM "${login}" CASCADE`,
    'RESET ROLE',
    `DROP ROLE "${login}"`,
  ]);
});

test('a routine in a schema that nobody of Drover’s may open stays, with the statement that opens it', async () => {
  await asSuperuser(
    'CREATE SCHEMA shut AUTHORIZATION bob',
    `GRANT CREATE ON SCHEMA shut TO ${login}`,
    ...makeRoutine('shut'),
    `REVOKE CREATE ON SCHEMA shut FROM ${login}`,
  );

  const done = await offboard(cluster, { principal: login });

  expect(done.remaining).toBe(true);
  expect(await ownerOf(`shut.of_${login}()`)).toBe(login);
  const [opening] = done.notes;
  expect(opening?.statements).toContain('GRANT CREATE ON SCHEMA "shut" TO "drover_admin"');
  await asSuperuser('GRANT CREATE ON SCHEMA shut TO drover_admin');
  expect(await offboard(cluster, { principal: login })).toMatchObject({ notes: [], remaining: false });
});

test('routines in a schema that became the principal’s later go with the schema', async () => {
  // So many that the schema is behind some of them in the catalog, whatever room there is in between.
  const more = `CREATE FUNCTION given.more%s() RETURNS int LANGUAGE sql RETURN 1`;
  await asSuperuser(
    'CREATE SCHEMA given AUTHORIZATION bob',
    `GRANT CREATE ON SCHEMA given TO ${login}`,
    ...makeRoutine('given'),
    `SET ROLE ${login}`,
    `DO $$ BEGIN FOR n IN 1..500 LOOP EXECUTE format('${more}', n); END LOOP; END $$`,
    'RESET ROLE',
    `ALTER SCHEMA given OWNER TO ${login}`,
  );

  expect(await offboard(cluster, { principal: login })).toMatchObject({ notes: [], remaining: false });
  expect(await ownerOf(`given.of_${login}()`)).toBe('drover_admin');
});

test('a table needs nobody to open the schema that it is in', async () => {
  await asSuperuser(
    'CREATE SCHEMA tables AUTHORIZATION bob',
    `GRANT CREATE ON SCHEMA tables TO ${login}`,
    `SET ROLE ${login}`,
    'CREATE TABLE tables.one (id int)',
    'RESET ROLE',
    `REVOKE CREATE ON SCHEMA tables FROM ${login}`,
  );

  expect(await offboard(cluster, { principal: login })).toMatchObject({ notes: [], remaining: false });
  expect(await query(`SELECT relowner::regrole::text FROM pg_class WHERE relname = 'one'`)).toEqual([
    { relowner: 'drover_admin' },
  ]);
});

test('what an ordinary role can’t own stays, and everything else with it', async () => {
  await asSuperuser(
    'CREATE FOREIGN DATA WRAPPER bare',
    `GRANT USAGE ON FOREIGN DATA WRAPPER bare TO ${login}`,
    `SET ROLE ${login}`,
    'CREATE SERVER far FOREIGN DATA WRAPPER bare',
    'RESET ROLE',
    `REVOKE USAGE ON FOREIGN DATA WRAPPER bare FROM ${login}`,
  );

  const done = await offboard(cluster, { principal: login });

  expect(done.remaining).toBe(true);
  expect(done.notes[0]?.statements).toContain('ALTER SERVER far OWNER TO CURRENT_USER');
  await asSuperuser(...done.notes.flatMap(({ statements }) => statements ?? []));
  expect(await offboard(cluster, { principal: login })).toMatchObject({ changes: [], notes: [] });
  expect(await query(`SELECT FROM pg_foreign_server WHERE srvname = 'far'`)).toHaveLength(1);
});

test('a database becomes drover_admin’s, and a note says what that means for PUBLIC', async () => {
  await asSuperuser(`CREATE DATABASE "a base" OWNER ${login}`);

  const done = await offboard(cluster, { principal: login });

  expect(done.remaining).toBe(false);
  expect(done.notes).toMatchObject([
    { code: 'DATABASE_TAKEN_OVER', statements: ['ALTER DATABASE "a base" OWNER TO CURRENT_USER'] },
  ]);
  expect(
    await query(`SELECT datdba::regrole::text AS owner FROM pg_database WHERE datname = 'a base'`),
  ).toEqual([{ owner: 'drover_admin' }]);
});

test('what it has in a database that nobody looked into keeps it from being dropped', async () => {
  await cluster.open('forgotten');
  const forgotten = cluster.superuserUrl('forgotten');
  await run(forgotten, `CREATE SCHEMA mine AUTHORIZATION ${login}`, `CREATE TABLE mine.precious (id int)`);

  const done = await offboard(cluster, { principal: login });

  expect(done.remaining).toBe(true);
  expect(done.notes).toMatchObject([
    {
      code: 'OFFBOARD_OUT_OF_REACH',
      message: expect.stringContaining('in forgotten'),
      statements: [
        'BEGIN',
        `REASSIGN OWNED BY "${login}" TO "drover_admin"`,
        `DROP OWNED BY "${login}"`,
        'COMMIT',
      ],
    },
    { statements: [`DROP ROLE "${login}"`] },
  ]);
  await run(forgotten, ...(done.notes[0]?.statements ?? []), 'SELECT FROM mine.precious');
  expect(await offboard(cluster, { principal: login })).toMatchObject({ notes: [], remaining: false });
});

test('what becomes its while it is being taken out is kept, not dropped with its privileges', async () => {
  await asSuperuser(
    `CREATE SCHEMA ${login} AUTHORIZATION ${login}`,
    `SET ROLE ${login}`,
    `CREATE TABLE ${login}.early (id int)`,
    `ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO dave`,
  );
  await connected(cluster.superuserUrl('app'), async (other) => {
    await other.query(`BEGIN; LOCK TABLE ${login}.early IN ACCESS SHARE MODE`);
    const done = offboard(cluster, { principal: login });
    await waitForRelationLock(other);

    await asSuperuser(
      `CREATE TABLE public.late_${count} ()`,
      `ALTER TABLE public.late_${count} OWNER TO ${login}`,
    );
    await other.query('COMMIT');

    expect(await done).toMatchObject({ notes: [], remaining: false });
  });
  expect(await query(`SELECT relowner::regrole::text FROM pg_class WHERE relname = 'late_${count}'`)).toEqual(
    [{ relowner: 'drover_admin' }],
  );
});

test('a right by a grantor who sees the schema no more, or has become an owner, is told of and not forgotten', async () => {
  for (const grantor of ['blind', 'promoted']) {
    await run(
      cluster.url(functionLogin, localPassword),
      'SET ROLE drover_admin_11',
      `CREATE ROLE ${grantor}`,
    );
    await asSuperuser(
      'SET ROLE bob',
      `CREATE TABLE bobs.seen_by_${grantor} (id int)`,
      `GRANT USAGE ON SCHEMA bobs TO ${grantor}`,
      `GRANT SELECT ON bobs.seen_by_${grantor} TO ${grantor} WITH GRANT OPTION`,
      'RESET ROLE',
      `SET ROLE ${grantor}`,
      `GRANT SELECT ON bobs.seen_by_${grantor} TO ${login}`,
    );
  }
  await asSuperuser('REVOKE USAGE ON SCHEMA bobs FROM blind', 'GRANT bob TO promoted');

  const done = await offboard(cluster, { principal: login });

  expect(done.changes.filter(({ kind }) => kind === 'table')).toEqual([]);
  expect(done.notes[0]?.message).toContain('SELECT on table bobs.seen_by_blind, granted by blind');
  expect(done.notes[0]?.message).toContain('SELECT on table bobs.seen_by_promoted, granted by promoted');
  await asSuperuser('GRANT USAGE ON SCHEMA bobs TO blind', 'REVOKE bob FROM promoted');
  expect(await offboard(cluster, { principal: login })).toMatchObject({ notes: [], remaining: false });
});

async function waitForRelationLock(client: pg.Client): Promise<void> {
  for (;;) {
    const { rows } = await client.query(`SELECT FROM pg_locks WHERE NOT granted AND locktype = 'relation'`);
    if (rows.length > 0) return;
  }
}
