import type pg from 'pg';
import { OperationError } from '../../operation/errors.ts';
import type { Change, Note } from '../../operation/outcome.ts';
import { actingAdmin, adminRole } from '../names.ts';
import type { Pools } from '../pools.ts';
import { againWhereBusy } from '../retry.ts';
import { identifier, sql } from '../sql.ts';
import { isServerError } from '../sqlstate.ts';
import type { Target } from '../target.ts';
import { lockKey } from '../transaction.ts';
import { databaseOwner, formatDatabaseMarker } from './marker.ts';

export interface DatabaseOptions {
  readonly pools: Pools;
  readonly signal: AbortSignal;
  readonly remainingMs: () => number;
  /** Throws where the operation may be another worker's by now: nothing else fences what is done to databases. */
  readonly assertHeld?: () => void;
}

/** The database of an instance that one connects to in order to make others, and to drop them. */
export const maintenanceDatabase = 'postgres';

export interface FoundDatabase {
  /** Whose it is by its mark; undefined where it has none. */
  readonly owner: string | undefined;
  /** Belongs to Drover's admins. */
  readonly isOurs: boolean;
  /** Nobody can connect to it: it was to be dropped. */
  readonly isClosed?: true;
}

/** What there is of a database's name; undefined where there is nothing. */
export function findDatabase(target: Target, options: DatabaseOptions): Promise<FoundDatabase | undefined> {
  return acting(target, options, (client) => find(client, target.database));
}

async function find(client: pg.ClientBase, database: string): Promise<FoundDatabase | undefined> {
  const { text } = sql`
    SELECT pg_catalog.pg_get_userbyid(datdba) = ${adminRole} AS ours,
           NOT datallowconn AS closed, pg_catalog.shobj_description(oid, 'pg_database') AS comment
      FROM pg_catalog.pg_database WHERE datname = ${database}`;
  const { rows } = await client.query<{ ours: boolean; closed: boolean; comment: string | null }>(text);
  const [row] = rows;
  return (
    row && {
      owner: databaseOwner(row.comment),
      isOurs: row.ours,
      ...(row.closed ? { isClosed: true as const } : {}),
    }
  );
}

/**
 * Makes a database for one owner, or finds that it is there. One that was made and not marked yet, for its maker
 * crashed, is marked.
 *
 * @param owner stands for the tenant, in the database's comment
 * @param unmarked whether a database of Drover's without a mark is this one's
 * @throws OperationError `DATABASE_EXISTS` where it is somebody else's
 */
export function createDatabase(
  target: Target,
  owner: string,
  unmarked: boolean,
  options: DatabaseOptions,
): Promise<readonly Change[]> {
  const { database } = target;
  const name = identifier(database);
  const make = async (client: pg.ClientBase) => {
    const changes: Change[] = [];
    let found = await find(client, database);
    if (found === undefined) {
      options.assertHeld?.();
      found = await againWhereBusy(options.signal, () => create(client, database));
      if (found === undefined) {
        changes.push({ action: 'create', kind: 'database', name: database });
        found = { owner: undefined, isOurs: true };
      }
    }
    if (found.owner === owner && found.isOurs) {
      if (found.isClosed) await reopen(client, database);
      return changes;
    }
    if (found.owner !== undefined || !found.isOurs || !(unmarked || changes.length > 0))
      throw exists(database);
    await client.query(sql`COMMENT ON DATABASE ${name} IS ${formatDatabaseMarker(owner)}`.text);
    return changes;
  };
  return acting(target, options, (client) => oneAtATime(client, database, () => make(client)));
}

async function reopen(client: pg.ClientBase, database: string): Promise<void> {
  await client.query(sql`ALTER DATABASE ${identifier(database)} ALLOW_CONNECTIONS true`.text);
}

/** Has an owner's database be one that can be connected to, where somebody came to a halt in dropping it. */
export function reopenDatabase(target: Target, owner: string, options: DatabaseOptions): Promise<void> {
  const { database } = target;
  return acting(target, options, async (client) => {
    const found = await find(client, database);
    if (found?.owner === owner && found.isOurs && found.isClosed) await reopen(client, database);
  });
}

/**
 * Who finds a database without a mark must not meet its maker, who is about to mark it. The lock is the session's, for
 * databases can't be made in a transaction; like one, a session that idles with it is ended, or a worker that is frozen
 * would keep its successor out.
 */
async function oneAtATime<T>(client: pg.ClientBase, database: string, work: () => Promise<T>): Promise<T> {
  const key = lockKey(`database ${database}`);
  await client.query(
    `SELECT pg_catalog.set_config('idle_session_timeout',
              pg_catalog.current_setting('idle_in_transaction_session_timeout'), false);
     SELECT pg_catalog.pg_advisory_lock(${key})`,
  );
  try {
    return await work();
  } finally {
    // Where the connection is broken, the server has let go of it.
    await client
      .query(`SELECT pg_catalog.pg_advisory_unlock(${key}); RESET idle_session_timeout`)
      .catch(() => undefined);
  }
}

/** @returns what was there, where somebody else was faster */
async function create(client: pg.ClientBase, database: string): Promise<FoundDatabase | undefined> {
  try {
    await client.query(sql`CREATE DATABASE ${identifier(database)} OWNER ${identifier(adminRole)}`.text);
    return undefined;
  } catch (error) {
    const taken = isServerError(error) && ['42P04', '23505'].includes(error.code);
    if (taken) return find(client, database);
    throw error;
  }
}

function exists(database: string): OperationError {
  return new OperationError(
    'DATABASE_EXISTS',
    `The database ${database} exists and is not this tenant's. Say another name in target.database, or rename it.`,
    { details: { database, problems: [{ path: 'data.target.database', message: 'exists' }] } },
  );
}

/**
 * Drops a database, to which nobody can connect any more from then on. One that is gone is dropped.
 *
 * Drover's own idle sessions are ended, as far as they are this function's; those of others close by themselves.
 *
 * @throws OperationError `DATABASE_EXISTS` where it isn't this owner's; `DATABASE_IN_USE` (retryable)
 */
export function dropDatabase(
  target: Target,
  owner: string,
  unmarked: boolean,
  options: DatabaseOptions,
): Promise<readonly Change[]> {
  const { database } = target;
  const name = identifier(database);
  return acting(target, options, async (client) => {
    const found = await find(client, database);
    if (found === undefined) return [];
    const mine = found.owner === owner || (found.owner === undefined && unmarked);
    if (!mine || !found.isOurs) throw exists(database);
    options.assertHeld?.();
    await client.query(sql`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`.text);
    try {
      await client.query(endingOwnSessions(database).text);
      options.assertHeld?.();
      // It waits some seconds for others itself.
      await client.query(sql`DROP DATABASE IF EXISTS ${name}`.text);
    } catch (error) {
      if (!isServerError(error) || error.code !== '55006') throw error;
      throw new OperationError('DATABASE_IN_USE', `${error.message}: ${error.detail ?? ''}`, {
        retryable: true,
        details: { database },
        cause: error,
      });
    }
    return [{ action: 'revoke', kind: 'database', name: database, detail: 'dropped' }];
  });
}

/** A login may end its own sessions, which it doesn't as one of the admins. */
function endingOwnSessions(database: string) {
  return sql`
    SELECT pg_catalog.set_config('drover.acting', current_user, false);
    RESET ROLE;
    SELECT pg_catalog.pg_terminate_backend(pid, 1000) FROM pg_catalog.pg_stat_activity
     WHERE datname = ${database} AND usename = session_user AND pid <> pg_catalog.pg_backend_pid();
    SELECT pg_catalog.set_config('role', pg_catalog.current_setting('drover.acting'), false)`;
}

/**
 * Other databases of the instance that everybody may connect to: they are open to a tenant's login, too, whatever
 * its own database is like.
 */
export async function openDatabases(target: Target, options: DatabaseOptions): Promise<Note | undefined> {
  const names = await acting(target, options, async (client) => {
    const { text } = sql`
      SELECT datname AS name FROM pg_catalog.pg_database d
       WHERE datallowconn AND datname <> ${target.database} AND datname <> 'cloudsqladmin'
         AND EXISTS (SELECT FROM pg_catalog.aclexplode(
               coalesce(datacl, pg_catalog.acldefault('d', datdba))) a
               WHERE a.grantee = 0 AND a.privilege_type = 'CONNECT')
       ORDER BY datname`;
    const { rows } = await client.query<{ name: string }>(text);
    return rows.map(({ name }) => name);
  });
  if (names.length === 0) return undefined;
  return {
    code: 'OPEN_DATABASES',
    message: `Every login of the instance may connect to ${names.join(', ')}, the tenant's too: PUBLIC has CONNECT there. Their owners can end that, once whoever needs it has it by a grant of their own.`,
    statements: names.map(
      (name) => sql`REVOKE CONNECT, TEMPORARY ON DATABASE ${identifier(name)} FROM PUBLIC`.text,
    ),
  };
}

/** Acts as an admin in the maintenance database, outside of a transaction: databases can't be made in one. */
function acting<T>(
  { instance, database }: Target,
  { pools, signal, remainingMs }: DatabaseOptions,
  use: (client: pg.ClientBase) => Promise<T>,
): Promise<T> {
  const place = { instance, database: maintenanceDatabase };
  return pools.withConnection(place, { signal }, async (client) => {
    const admin = identifier(actingAdmin(database, undefined));
    const timeout = Math.max(1, Math.ceil(remainingMs()));
    await client.query(sql`SET ROLE ${admin}; SET statement_timeout = ${timeout}`.text);
    try {
      return await use(client);
    } finally {
      await client.query('RESET ROLE; RESET statement_timeout').catch(() => undefined);
    }
  });
}
