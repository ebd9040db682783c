import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { localPassword } from '../../local/postgres/cloudsql.ts';
import { isServerError } from '../../shared/postgres/sqlstate.ts';
import { connected, type PreparedCluster, run } from '../support/postgres.ts';
import {
  type Actor,
  actors,
  ages,
  all,
  arrange,
  custom,
  everybody,
  objects,
  ofLevels,
  redefined,
  roles,
} from './arrangement.ts';

const owner: readonly Actor[] = ['an owner acting as such'];
const writers: readonly Actor[] = [...owner, 'a writer'];
const readers: readonly Actor[] = [...writers, 'a reader', 'an analyst', 'a supporter'];
const withAuditor: readonly Actor[] = [...readers, 'an auditor'];

interface Attempt {
  readonly sql: string;
  readonly may: readonly Actor[];
  /** Who else may with an adopted object. */
  readonly mayAdopted?: readonly Actor[];
}

/** Adopted routines stay everybody's who sees the schema. */
const seeing: readonly Actor[] = ['an auditor'];

/** Statements on an object of some age, and who may run them. */
const onObjects: Record<string, Attempt> = {
  'select from a table': { sql: 'SELECT note FROM billing.$_items', may: withAuditor },
  'select from a view': { sql: 'SELECT note FROM billing.$_view', may: withAuditor },
  'insert into a table': { sql: `INSERT INTO billing.$_items (note) VALUES ('x')`, may: writers },
  'update a table': {
    sql: `UPDATE billing.$_items SET note = 'y' WHERE id = 1`,
    may: [...writers, 'a supporter'],
  },
  'delete from a table': { sql: 'DELETE FROM billing.$_items WHERE id = 1', may: writers },
  'truncate a table': { sql: 'TRUNCATE billing.$_items', may: [...owner, 'a supporter'] },
  'alter a table': { sql: 'ALTER TABLE billing.$_items ADD COLUMN more int', may: owner },
  'drop a table': { sql: 'DROP TABLE billing.$_items CASCADE', may: owner },
  'grant a table': { sql: 'GRANT SELECT ON billing.$_items TO zoe', may: owner },
  'look at a sequence': { sql: 'SELECT last_value FROM billing.$_numbers', may: readers },
  'take the next of a sequence': { sql: `SELECT nextval('billing.$_numbers')`, may: writers },
  'take the next of a serial column': { sql: `SELECT nextval('billing.$_items_id_seq')`, may: writers },
  'set a sequence': { sql: `SELECT setval('billing.$_numbers', 7)`, may: writers },
  'execute a function': { sql: 'SELECT billing.$_double(2)', may: readers, mayAdopted: seeing },
  'call a procedure': { sql: 'CALL billing.$_touch()', may: readers, mayAdopted: seeing },
  'replace a function': {
    sql: 'CREATE OR REPLACE FUNCTION billing.$_double(a int) RETURNS int LANGUAGE sql RETURN a',
    may: owner,
  },
  'drop a function': { sql: 'DROP FUNCTION billing.$_double', may: owner },
};

const onSchema: Record<string, Attempt> = {
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

    const sessionOf = (actor: Actor): pg.Client => {
      const session = sessions.get(actors[actor].login);
      if (session === undefined) throw new Error(`${actor} has no session`);
      return session;
    };
    const may = async (actor: Actor, statement: string): Promise<boolean> => {
      const who: { readonly login: string; readonly as?: string } = actors[actor];
      const session = sessionOf(actor);
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
    /** Whether one sees what others are at. */
    const sees = async (actor: Actor): Promise<boolean> => {
      const { rows } = await sessionOf(actor).query(
        `SELECT bool_and(query <> '<insufficient privilege>') AS all FROM pg_stat_activity WHERE usename = 'zoe'`,
      );
      return rows[0]?.all as boolean;
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

    for (const [action, { sql, may: allowed, mayAdopted = [] }] of Object.entries(onObjects)) {
      test.each(ages)(`${names(allowed)} may ${action} that is %s, and nobody else may`, async (age) => {
        const able = await filter(everybody, (actor) => may(actor, sql.replaceAll('$', age)));
        const expected = [...inheriting(allowed), ...(age === 'adopted' ? mayAdopted : [])];
        expect(new Set(able)).toEqual(new Set(expected));
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

    proveStatistics(major, () => cluster, sees);
    proveRedefinition(() => cluster, may, sees);
  });
}

function proveStatistics(
  major: number,
  world: () => PreparedCluster,
  sees: (actor: Actor) => Promise<boolean>,
): void {
  if (major >= 16) {
    test('statistics stay closed while the admin may not pass them on, and a note says what to run', async () => {
      const { notes } = await world().converge(all);

      expect(notes).toMatchObject([
        {
          code: 'MEMBERSHIP_OUT_OF_REACH',
          statements: [`GRANT "pg_read_all_stats" TO "${roles.analyst}"`],
        },
        {
          code: 'MEMBERSHIP_OUT_OF_REACH',
          statements: [`GRANT "pg_read_all_stats" TO "${custom('watch')}"`],
        },
        { code: 'MEMBERSHIP_OUT_OF_REACH', statements: [`GRANT "pg_monitor" TO "${roles.monitor}"`] },
      ]);
      expect(await filter(everybody, sees)).toEqual(['any other login']);
    });
  }

  test('an analyst, a watcher and a monitor see all statistics once the admin may pass them on', async () => {
    const cluster = world();
    await run(cluster.superuserUrl(), 'GRANT pg_read_all_stats, pg_monitor TO postgres WITH ADMIN OPTION');
    await cluster.prepare([]);

    const { notes } = await cluster.converge(all);

    expect(notes).toEqual([]);
    expect(await filter(everybody, sees)).toEqual([
      'an analyst',
      'a watcher',
      'a monitor',
      'any other login',
    ]);
  });
}

/** The last tests of all, for they change what the roles may do. */
function proveRedefinition(
  world: () => PreparedCluster,
  may: (actor: Actor, statement: string) => Promise<boolean>,
  sees: (actor: Actor) => Promise<boolean>,
): void {
  const able = (actor: Actor, age: string) =>
    filter(Object.keys(onObjects), (action) => may(actor, onObjects[action]?.sql.replaceAll('$', age) ?? ''));

  test('who makes schemas, and knows of no custom role, finds nothing to do and changes none', async () => {
    const { steps } = await world().converge({ ...ofLevels, adopt: true });

    expect(steps.map((step) => step.sql.text)).toEqual([]);
    expect(await able('an auditor', 'later')).toEqual(['select from a table', 'select from a view']);
  });

  test('a custom role that is defined anew may do that, with all objects, and no longer what it did', async () => {
    await world().converge({ ...ofLevels, customRoles: redefined });

    await run(world().url('olivia', localPassword, 'app'), `SET ROLE ${roles.owner}`, ...objects('latest'));
    for (const age of ['earlier', 'later', 'latest']) {
      expect(await able('a supporter', age)).toEqual([
        'select from a table',
        'select from a view',
        'delete from a table',
      ]);
      expect(await able('an auditor', age)).toEqual(['select from a table', 'select from a view']);
    }
    expect(await filter(everybody, sees)).toEqual(['an analyst', 'a monitor', 'any other login']);
    const { steps } = await world().converge({ ...ofLevels, customRoles: redefined });
    expect(steps.map((step) => step.sql.text)).toEqual([]);
  });
}

async function filter<T>(all: readonly T[], keep: (one: T) => Promise<boolean>): Promise<T[]> {
  const kept: T[] = [];
  for (const one of all) if (await keep(one)) kept.push(one);
  return kept;
}

function names(allowed: readonly Actor[]): string {
  return allowed.length === 0 ? 'nobody' : allowed.join(', ');
}
