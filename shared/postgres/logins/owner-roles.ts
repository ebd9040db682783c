import { randomBytes } from 'node:crypto';
import { hash } from '../../operation/canonical.ts';
import { actingAdmin, roleName } from '../names.ts';
import { closePrincipal } from '../offboard/close.ts';
import { offboardInDatabase } from '../offboard/database.ts';
import { dropPrincipal } from '../offboard/drop.ts';
import { Script } from '../offboard/script.ts';
import type { Login, Pools } from '../pools.ts';
import { retryConcurrentChanges } from '../retry.ts';
import { scramVerifier } from '../scram.ts';
import { identifier, type Sql, sql } from '../sql.ts';
import type { Target } from '../target.ts';
import { changeInTransaction } from '../transaction.ts';
import { newPassword } from './password.ts';

export interface RoleOptions {
  readonly signal: AbortSignal;
  readonly remainingMs: () => number;
}

/** Schemas whose owners a login may act as. */
export interface Owned<Inspected = unknown> {
  readonly target: Target;
  readonly schemas: readonly string[];
  /** What the login's name begins with. Those of `media` are kept: see kept-login.ts. */
  readonly purpose: 'archive' | 'restore' | 'sync' | 'media';
  /** They get other names: for that their owners have to be able to create some, for a while. */
  readonly renames?: boolean;
  /** It makes temporary tables. */
  readonly stages?: boolean;
  /** Looks, under the schemas' locks, whether there is to be one at all. */
  readonly before?: {
    readonly inspection: Sql;
    /** @throws OperationError where not */
    readonly examine: (found: Inspected) => void;
  };
}

/** What is true of a login beside whose it is. */
export interface LoginTerms {
  readonly connections: number;
  /** It is nobody after that, should nobody take it away. */
  readonly until: Date;
}

interface Inspected {
  readonly serverVersion: number;
  /** Those of the owners that there are. */
  readonly owners: readonly string[];
  /** PUBLIC may not make temporary tables, and Drover may let others. */
  readonly lendsTemporary: boolean;
}

const saltBytes = 16;

/** What makes the names of logins. */
export type NamedFor = Pick<Owned, 'purpose' | 'target' | 'schemas'>;

/** How the names of all logins begin that were made for the same. */
function prefixOf({ purpose, target, schemas }: NamedFor): string {
  return `${purpose}_${hash(target.database, ...schemas).slice(0, 24)}_`;
}

/** One that there never was: a worker that was taken for dead must not have its successor's taken away. */
export function newLogin(owned: NamedFor): Login {
  return { user: prefixOf(owned) + randomBytes(6).toString('hex'), password: newPassword() };
}

/**
 * Logins that workers left, which nobody uses at the moment.
 *
 * @param untilBefore by the database's clock: those that are good for longer are left out
 */
export function leftBehind(
  pools: Pools,
  owned: NamedFor,
  untilBefore: Sql,
  { signal }: RoleOptions,
): Promise<string[]> {
  const { text } = sql`
    SELECT rolname AS name FROM pg_catalog.pg_roles
     WHERE starts_with(rolname, ${prefixOf(owned)})
       AND rolvaliduntil < ${untilBefore}
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE usename = rolname)`;
  return pools.withConnection(owned.target, { signal }, async (client) => {
    const { rows } = await client.query<{ name: string }>(text);
    return rows.map(({ name }) => name);
  });
}

/**
 * Logins of a purpose that have run out and that nobody uses, of all schemas of a database: some of them, so that one that can't be
 * taken away keeps nobody from the others.
 */
export function runOut(
  pools: Pools,
  { target, purpose }: Pick<Owned, 'target' | 'purpose'>,
  most: number,
  { signal }: Pick<RoleOptions, 'signal'>,
): Promise<string[]> {
  const { text } = sql`
    SELECT rolname AS name FROM pg_catalog.pg_roles
     WHERE starts_with(rolname, ${`${purpose}_`})
       AND pg_catalog.shobj_description(oid, 'pg_authid') = ${markerOf(purpose, target)}
       AND rolvaliduntil < now()
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE usename = rolname)
     ORDER BY pg_catalog.random() LIMIT ${most}`;
  return pools.withConnection(target, { signal }, async (client) => {
    const { rows } = await client.query<{ name: string }>(text);
    return rows.map(({ name }) => name);
  });
}

/** Makes a login that is a member of the owners of some schemas and of nothing else. */
export async function makeLogin<I>(
  pools: Pools,
  { target, schemas, purpose, renames, stages, before }: Owned<I>,
  { user, password }: Login,
  { connections, until }: LoginTerms,
  { signal, remainingMs }: RoleOptions,
): Promise<void> {
  const acting = actingAdmin(target.database, schemas[0]);
  const verifier = await scramVerifier(password, randomBytes(saltBytes));
  const inspection = inspect(ownersOf(target, schemas), before?.inspection);
  const options = { acting, lock: schemas, timeoutMs: remainingMs(), inspection };
  const transaction = () =>
    pools.withConnection(target, { signal }, (client) =>
      changeInTransaction(client, options, (result) => {
        const found = result.rows[0] as { own: Inspected; before: I };
        before?.examine(found.before);
        const script = new Script(acting, found.own.serverVersion);
        const role = identifier(user);
        script.run(
          acting,
          sql`CREATE ROLE ${role} LOGIN CONNECTION LIMIT ${connections} PASSWORD ${verifier} VALID UNTIL ${until.toISOString()}`,
        );
        script.run(acting, sql`COMMENT ON ROLE ${role} IS ${markerOf(purpose, target)}`);
        if (stages && found.own.lendsTemporary)
          script.run(acting, sql`GRANT TEMPORARY ON DATABASE ${identifier(target.database)} TO ${role}`);
        for (const schema of schemas) {
          const owner = roleName(target.database, schema, 'owner');
          // Whoever uses the login finds that there is none.
          if (!found.own.owners.includes(owner)) continue;
          script.run(actingAdmin(target.database, schema), sql`GRANT ${identifier(owner)} TO ${role}`);
          if (renames) script.run(acting, sql`GRANT ${creation(target)} TO ${identifier(owner)}`);
        }
        return { statements: script.statements() };
      }),
    );
  await retryConcurrentChanges(signal, transaction);
}

/** Who looks at the members of the owners knows by it that this is one of Drover's, and no grant that nobody asked for. */
function markerOf(purpose: Owned['purpose'], { database }: Target): string {
  return JSON.stringify({ managedBy: 'drover', purpose, database });
}

/**
 * Makes a login good for longer. Where there is none of its name any more, PostgreSQL says that it doesn't exist.
 */
export async function extendLogin(
  pools: Pools,
  { target, schemas }: Pick<Owned, 'target' | 'schemas'>,
  user: string,
  until: Date,
  { signal, remainingMs }: RoleOptions,
): Promise<void> {
  const acting = actingAdmin(target.database, schemas[0]);
  const options = { acting, lock: schemas, timeoutMs: remainingMs(), inspection: sql`SELECT` };
  const statement = sql`ALTER ROLE ${identifier(user)} VALID UNTIL ${until.toISOString()}`;
  await pools.withConnection(target, { signal }, (client) =>
    changeInTransaction(client, options, () => ({ statements: [statement] })),
  );
}

function ownersOf({ database }: Target, schemas: readonly string[]): string[] {
  return schemas.map((schema) => roleName(database, schema, 'owner'));
}

function inspect(owners: readonly string[], more: Sql = sql`SELECT NULL AS inspected`): Sql {
  return sql`
SELECT jsonb_build_object(
         'serverVersion', current_setting('server_version_num')::int,
         'owners', coalesce((
           SELECT jsonb_agg(rolname) FROM pg_catalog.pg_roles WHERE rolname IN (${[...owners]})), '[]'),
         'lendsTemporary', (
           SELECT NOT pg_catalog.has_database_privilege('public', oid, 'TEMPORARY')
                  AND pg_catalog.has_database_privilege(oid, 'TEMPORARY WITH GRANT OPTION')
             FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())) AS own,
       (SELECT inspected FROM (${more}) more) AS before`;
}

function creation({ database }: Target): Sql {
  return sql`CREATE ON DATABASE ${identifier(database)}`;
}

/** Takes a login away, with its sessions and whatever the tenant's code made it own. */
export async function removeLogin(
  pools: Pools,
  { target, schemas, renames }: Pick<Owned, 'target' | 'schemas' | 'renames'>,
  user: string,
  options: RoleOptions,
): Promise<void> {
  const { signal, remainingMs } = options;
  const step = { ...options, dryRun: false };
  await closePrincipal(pools, target, user, step);
  await offboardInDatabase(pools, target, user, step);
  await dropPrincipal(pools, target, user, { ...step, offboarded: [target.database] });
  if (!renames) return;
  const acting = actingAdmin(target.database, schemas[0]);
  const inspection = sql`
    SELECT rolname AS owner FROM pg_catalog.pg_roles
     WHERE rolname IN (${ownersOf(target, schemas)})
       AND pg_catalog.has_database_privilege(oid, pg_catalog.current_database(), 'CREATE')`;
  await pools.withConnection(target, { signal }, (client) =>
    changeInTransaction(
      client,
      { acting, lock: schemas, timeoutMs: remainingMs(), inspection },
      ({ rows }) => ({
        statements: (rows as { owner: string }[]).map(
          ({ owner }) => sql`REVOKE ${creation(target)} FROM ${identifier(owner)}`,
        ),
      }),
    ),
  );
}
