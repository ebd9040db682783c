import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { localPassword } from '../../local/postgres/cloudsql.ts';
import { schemaRoles } from '../../shared/postgres/schema/inspect.ts';
import { isServerError } from '../../shared/postgres/sqlstate.ts';
import { connected, desired, type PreparedCluster, run } from '../support/postgres.ts';

const roles = schemaRoles('app', 'billing');

/** Who tries: each is a login of its own, and what it is a member of. */
const actors = {
  'an owner acting as such': { login: 'olivia', as: roles.owner },
  'an owner without SET ROLE': { login: 'olivia' },
  'a writer': { login: 'wanda', memberOf: roles.writer },
  'a reader': { login: 'rita', memberOf: roles.reader },
  'an analyst': { login: 'anna', memberOf: roles.analyst },
  'a monitor': { login: 'mona', memberOf: roles.monitor },
  'any other login': { login: 'zoe' },
} as const;
type Actor = keyof typeof actors;
const everybody = Object.keys(actors) as Actor[];

/** When an object was made: before Drover knew of it, before there were levels but the owner's, and after. */
const ages = ['adopted', 'earlier', 'later'] as const;

const owner: readonly Actor[] = ['an owner acting as such'];
const writers: readonly Actor[] = [...owner, 'a writer'];
const readers: readonly Actor[] = [...writers, 'a reader', 'an analyst'];

/** Statements on an object of some age, and who may run them. */
const onObjects: Record<string, { readonly sql: string; readonly may: readonly Actor[] }> = {
  'select from a table': { sql: 'SELECT note FROM billing.$_items', may: readers },
  'select from a view': { sql: 'SELECT note FROM billing.$_view', may: readers },
  'insert into a table': { sql: `INSERT INTO billing.$_items (note) VALUES ('x')`, may: writers },
  'update a table': { sql: `UPDATE billing.$_items SET note = 'y' WHERE id = 1`, may: writers },
  'delete from a table': { sql: 'DELETE FROM billing.$_items WHERE id = 1', may: writers },
  'truncate a table': { sql: 'TRUNCATE billing.$_items', may: owner },
  'alter a table': { sql: 'ALTER TABLE billing.$_items ADD COLUMN more int', may: owner },
  'drop a table': { sql: 'DROP TABLE billing.$_items CASCADE', may: owner },
  'grant a table': { sql: 'GRANT SELECT ON billing.$_items TO zoe', may: owner },
  'look at a sequence': { sql: 'SELECT last_value FROM billing.$_numbers', may: readers },
  'take the next of a sequence': { sql: `SELECT nextval('billing.$_numbers')`, may: writers },
  'take the next of a serial column': { sql: `SELECT nextval('billing.$_items_id_seq')`, may: writers },
  'set a sequence': { sql: `SELECT setval('billing.$_numbers', 7)`, may: writers },
  'execute a function': { sql: 'SELECT billing.$_double(2)', may: readers },
  'call a procedure': { sql: 'CALL billing.$_touch()', may: readers },
  'replace a function': {
    sql: 'CREATE OR REPLACE FUNCTION billing.$_double(a int) RETURNS int LANGUAGE sql RETURN a',
    may: owner,
  },
  'drop a function': { sql: 'DROP FUNCTION billing.$_double', may: owner },
};

const onSchema: Record<string, { readonly sql: string; readonly may: readonly Actor[] }> = {
  'create a table': { sql: 'CREATE TABLE billing.fresh ()', may: owner },
  'create a function': {
    sql: 'CREATE FUNCTION billing.fresh() RETURNS int LANGUAGE sql RETURN 1',
    may: owner,
  },
  'create a type': { sql: `CREATE TYPE billing.fresh AS ENUM ('a')`, may: owner },
  'drop the schema': { sql: 'DROP SCHEMA billing CASCADE', may: owner },
  'create another schema': { sql: 'CREATE SCHEMA fresh', may: [] },
  'create in the schema public': { sql: 'CREATE TABLE public.fresh ()', may: [] },
};

/**
 * Proves by behaviour who may do what in a schema that Drover manages, in tests of the file that calls it.
 *
 * @param major of PostgreSQL. Before 16 a membership has no options: who may act as the owner inherits what it may do
 */
export function provePrivileges(major: number, start: () => Promise<PreparedCluster>): void {
  describe(`on PostgreSQL ${major}`, () => {
    let cluster: PreparedCluster;
    const sessions = new Map<string, pg.Client>();

    beforeAll(async () => {
      cluster = await start();
      await arrange(cluster);
      for (const { login } of Object.values(actors)) {
        if (sessions.has(login)) continue;
        const session = new pg.Client({ connectionString: cluster.url(login, localPassword, 'app') });
        await session.connect();
        sessions.set(login, session);
      }
    });

    afterAll(async () => {
      for (const session of sessions.values()) await session.end();
      await cluster.remove();
    });

    const may = async (actor: Actor, statement: string): Promise<boolean> => {
      const who: { readonly login: string; readonly as?: string } = actors[actor];
      const session = sessions.get(who.login);
      if (session === undefined) throw new Error(`${who.login} has no session`);
      let warned = false;
      const onNotice = ({ severity }: { severity?: string | undefined }) => {
        warned ||= severity === 'WARNING';
      };
      await session.query('BEGIN');
      session.on('notice', onNotice);
      try {
        if (who.as !== undefined) await session.query(`SET LOCAL ROLE ${who.as}`);
        await session.query(statement);
        // PostgreSQL's way to say that nothing was granted.
        return !warned;
      } catch (error) {
        if (isServerError(error) && error.code === '42501') return false;
        throw error;
      } finally {
        session.off('notice', onNotice);
        await session.query('ROLLBACK');
      }
    };
    const inheriting = (allowed: readonly Actor[]): readonly Actor[] =>
      major < 16 && allowed.includes('an owner acting as such')
        ? [...allowed, 'an owner without SET ROLE']
        : allowed;

    test('the server is of that version', async () => {
      const [row] = await connected(
        cluster.superuserUrl(),
        async (client) => (await client.query('SHOW server_version_num')).rows,
      );
      expect(Math.floor(Number(row.server_version_num) / 10_000)).toBe(major);
    });

    for (const [action, { sql, may: allowed }] of Object.entries(onObjects)) {
      test.each(ages)(`${names(allowed)} may ${action} that is %s, and nobody else may`, async (age) => {
        const able = await filter(everybody, (actor) => may(actor, sql.replaceAll('$', age)));
        expect(new Set(able)).toEqual(new Set(inheriting(allowed)));
      });
    }

    for (const [action, { sql, may: allowed }] of Object.entries(onSchema)) {
      test(`${names(allowed)} may ${action}, and nobody else may`, async () => {
        const able = await filter(everybody, (actor) => may(actor, sql));
        expect(new Set(able)).toEqual(new Set(inheriting(allowed)));
      });
    }

    test('who sees the schema may not execute what the owner made, but what PUBLIC could before', async () => {
      await run(cluster.superuserUrl('app'), 'GRANT USAGE ON SCHEMA billing TO zoe');

      const able = await filter(ages, (age) => may('any other login', `SELECT billing.${age}_double(1)`));

      await run(cluster.superuserUrl('app'), 'REVOKE USAGE ON SCHEMA billing FROM zoe');
      expect(able).toEqual(['adopted']);
    });

    proveStatistics(major, () => ({ cluster, sessions }));
  });
}

function proveStatistics(
  major: number,
  world: () => { cluster: PreparedCluster; sessions: ReadonlyMap<string, pg.Client> },
): void {
  const sees = async (actor: Actor) => {
    const { rows } = (await world()
      .sessions.get(actors[actor].login)
      ?.query(
        `SELECT bool_and(query <> '<insufficient privilege>') AS all FROM pg_stat_activity WHERE usename = 'zoe'`,
      )) ?? { rows: [] };
    return rows[0]?.all as boolean;
  };
  const all = desired('app', 'billing');

  if (major >= 16) {
    test('statistics stay closed while the admin may not pass them on, and a note says what to run', async () => {
      const { notes } = await world().cluster.converge(all);

      expect(notes).toMatchObject([
        {
          code: 'MEMBERSHIP_OUT_OF_REACH',
          statements: [`GRANT "pg_read_all_stats" TO "${roles.analyst}"`],
        },
        { code: 'MEMBERSHIP_OUT_OF_REACH', statements: [`GRANT "pg_monitor" TO "${roles.monitor}"`] },
      ]);
      expect(await filter(everybody, sees)).toEqual(['any other login']);
    });
  }

  test('an analyst and a monitor see all statistics once the admin may pass them on', async () => {
    const { cluster } = world();
    await run(cluster.superuserUrl(), 'GRANT pg_read_all_stats, pg_monitor TO postgres WITH ADMIN OPTION');
    await cluster.prepare([]);

    const { notes } = await cluster.converge(all);

    expect(notes).toEqual([]);
    expect(await filter(everybody, sees)).toEqual(['an analyst', 'a monitor', 'any other login']);
  });
}

/** Makes objects of each age, as their makers would. */
async function arrange(cluster: PreparedCluster): Promise<void> {
  await cluster.open('app');
  const logins = new Map(Object.values(actors).map((actor) => [actor.login, actor]));
  for (const login of logins.keys()) await cluster.createLogin(login, 'iam');
  const handOver = [
    'TABLE $_items',
    'VIEW $_view',
    'SEQUENCE $_numbers',
    'FUNCTION $_double',
    'PROCEDURE $_touch',
  ];
  await run(
    cluster.adminUrl('app'),
    'CREATE SCHEMA billing',
    ...objects('adopted'),
    'ALTER SCHEMA billing OWNER TO drover_admin',
    ...handOver.map((object) => `ALTER ${object.replace(' $', ' billing.adopted')} OWNER TO drover_admin`),
  );

  await cluster.converge(desired('app', 'billing', { levels: [], adopt: true, owner: 'olivia' }));
  const olivia = cluster.url('olivia', localPassword, 'app');
  await run(olivia, `SET ROLE ${roles.owner}`, ...objects('earlier'));

  await cluster.converge(desired('app', 'billing'));
  await run(olivia, `SET ROLE ${roles.owner}`, ...objects('later'));

  for (const actor of logins.values()) {
    if ('memberOf' in actor)
      await run(cluster.superuserUrl('app'), `GRANT ${actor.memberOf} TO ${actor.login}`);
  }
}

function objects(age: (typeof ages)[number]): string[] {
  return [
    'CREATE TABLE billing.$_items (id serial PRIMARY KEY, note text)',
    `INSERT INTO billing.$_items (note) VALUES ('first')`,
    'CREATE VIEW billing.$_view AS SELECT note FROM billing.$_items',
    'CREATE SEQUENCE billing.$_numbers',
    'CREATE FUNCTION billing.$_double(a int) RETURNS int LANGUAGE sql RETURN a * 2',
    'CREATE PROCEDURE billing.$_touch() LANGUAGE sql BEGIN ATOMIC SELECT 1; END',
  ].map((text) => text.replaceAll('$', age));
}

async function filter<T>(all: readonly T[], keep: (one: T) => Promise<boolean>): Promise<T[]> {
  const kept: T[] = [];
  for (const one of all) if (await keep(one)) kept.push(one);
  return kept;
}

function names(allowed: readonly Actor[]): string {
  return allowed.length === 0 ? 'nobody' : allowed.join(', ');
}
