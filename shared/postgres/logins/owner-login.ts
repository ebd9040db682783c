import { randomBytes } from 'node:crypto';
import { hash } from '../../operation/canonical.ts';
import { classify } from '../../operation/classify.ts';
import type { Logger } from '../../telemetry/log.ts';
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

export interface OwnerLoginOptions {
  readonly signal: AbortSignal;
  readonly remainingMs: () => number;
  /** Is told of a login that could not be taken away. */
  readonly log?: Logger;
}

/** Schemas whose owners a login may act as. */
export interface Owned<Inspected = unknown> {
  readonly target: Target;
  readonly schemas: readonly string[];
  /** What the login's name begins with. */
  readonly purpose: 'archive' | 'restore' | 'sync';
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

interface Inspected {
  readonly serverVersion: number;
  /** Those of the owners that there are. */
  readonly owners: readonly string[];
  /** PUBLIC may not make temporary tables, and Drover may let others. */
  readonly lendsTemporary: boolean;
}

/** One that nobody took away is nobody after that. */
const longestLifeMs = 3_600_000;

/** Between making a login and using it passes less. */
const unusedMs = 60_000;

/** To take a login away takes so long at most, also where the operation's own time is over. */
const farewellMs = 10_000;

const saltBytes = 16;

/**
 * Makes a login that is a member of the schemas' owners and of nothing else, for as long as it is used. Whoever reads or
 * writes a tenant's tables runs the tenant's code: functions in defaults, checks and indexes, which PostgreSQL may call
 * even to plan a query. It runs with all that its session may become, whatever role that has set: Drover's own may become
 * an admin, and this one can't.
 */
export async function withOwnerLogin<T, I = unknown>(
  pools: Pools,
  owned: Owned<I>,
  options: OwnerLoginOptions,
  use: (login: Login) => Promise<T>,
): Promise<T> {
  const { target, schemas, purpose } = owned;
  const prefix = `${purpose}_${hash(target.database, ...schemas).slice(0, 24)}_`;
  // Its own: a worker that was taken for dead must not have its successor's taken away.
  const user = prefix + randomBytes(6).toString('hex');
  const login = { user, password: newPassword() };
  for (const left of await leftBehind(pools, target, prefix, options))
    await remove(pools, owned, left, options);
  await make(pools, owned, login, options);
  try {
    return await use(login);
  } finally {
    const farewell = { signal: AbortSignal.timeout(farewellMs), remainingMs: () => farewellMs };
    await remove(pools, owned, user, farewell).catch((error: unknown) => {
      // Nobody knows its password, and its time runs out; another attempt takes it away.
      options.log?.log('WARNING', 'login left', { login: user, problem: classify(error).message });
    });
  }
}

/** Logins of workers that died: nobody uses them, and whoever made one has had the time to. */
function leftBehind(
  pools: Pools,
  target: Target,
  prefix: string,
  { signal }: OwnerLoginOptions,
): Promise<string[]> {
  const { text } = sql`
    SELECT rolname AS name FROM pg_catalog.pg_roles
     WHERE starts_with(rolname, ${prefix})
       AND rolvaliduntil < now() + ${`${longestLifeMs - unusedMs} ms`}::interval
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE usename = rolname)`;
  return pools.withConnection(target, { signal }, async (client) => {
    const { rows } = await client.query<{ name: string }>(text);
    return rows.map(({ name }) => name);
  });
}

async function make<I>(
  pools: Pools,
  { target, schemas, renames, stages, before }: Owned<I>,
  { user, password }: Login,
  { signal, remainingMs }: OwnerLoginOptions,
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
        const until = new Date(Date.now() + longestLifeMs).toISOString();
        script.run(
          acting,
          sql`CREATE ROLE ${role} LOGIN CONNECTION LIMIT 2 PASSWORD ${verifier} VALID UNTIL ${until}`,
        );
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

/** Takes the login away, with its sessions and whatever the tenant's code made it own. */
async function remove(
  pools: Pools,
  { target, schemas, renames }: Pick<Owned, 'target' | 'schemas' | 'renames'>,
  user: string,
  options: OwnerLoginOptions,
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
