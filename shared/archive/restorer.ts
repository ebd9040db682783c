import { randomBytes } from 'node:crypto';
import { hash } from '../operation/canonical.ts';
import { newPassword } from '../postgres/logins/password.ts';
import { actingAdmin, roleName } from '../postgres/names.ts';
import { closePrincipal } from '../postgres/offboard/close.ts';
import { offboardInDatabase } from '../postgres/offboard/database.ts';
import { dropPrincipal } from '../postgres/offboard/drop.ts';
import { Script } from '../postgres/offboard/script.ts';
import type { Login, Pools } from '../postgres/pools.ts';
import { retryConcurrentChanges } from '../postgres/retry.ts';
import { scramVerifier } from '../postgres/scram.ts';
import { identifier, type Sql, sql } from '../postgres/sql.ts';
import type { Target } from '../postgres/target.ts';
import { changeInTransaction } from '../postgres/transaction.ts';
import type { InspectedDestination } from './destination.ts';

export interface RestorerOptions {
  readonly signal: AbortSignal;
  readonly remainingMs: () => number;
}

/** Schemas that are restored, and what is asked about them before. */
export interface Restoring {
  readonly target: Target;
  readonly schemas: readonly string[];
  /** Schemas get other names: for that their owners have to be able to create some, for a while. */
  readonly renames: boolean;
  readonly inspection: Sql;
  /** @throws OperationError where nothing can be restored */
  readonly examine: (found: InspectedDestination) => void;
}

/** A restorer that nobody took away is nobody after that. */
const longestLifeMs = 3_600_000;

const saltBytes = 16;

/**
 * Makes a login that is a member of the schemas' owners and of nothing else, for the time of a restore. What an archive
 * has is the tenant's code (functions in defaults, checks and indexes), and it runs with all that its session may become,
 * whatever role that has set: Drover's own may become an admin, and this one can't.
 */
export async function withRestorer<T>(
  pools: Pools,
  restoring: Restoring,
  options: RestorerOptions,
  use: (login: Login) => Promise<T>,
): Promise<T> {
  const { target, schemas } = restoring;
  const login = {
    user: `restore_${hash(target.database, ...schemas).slice(0, 24)}`,
    password: newPassword(),
  };
  // One that an attempt before this left.
  await remove(pools, restoring, login.user, options);
  await make(pools, restoring, login, options);
  try {
    return await use(login);
  } finally {
    // Where even this fails, it is a login that nobody knows the password of, and its time runs out.
    await remove(pools, restoring, login.user, options).catch(() => undefined);
  }
}

async function make(
  pools: Pools,
  { target, schemas, renames, inspection, examine }: Restoring,
  { user, password }: Login,
  { signal, remainingMs }: RestorerOptions,
): Promise<void> {
  const acting = actingAdmin(target.database, schemas[0]);
  const verifier = await scramVerifier(password, randomBytes(saltBytes));
  await retryConcurrentChanges(signal, () =>
    pools.withConnection(target, { signal }, (client) =>
      changeInTransaction(
        client,
        { acting, lock: schemas, timeoutMs: remainingMs(), inspection },
        (result) => {
          const { inspected } = result.rows[0] as { inspected: InspectedDestination };
          examine(inspected);
          const script = new Script(acting, inspected.serverVersion);
          const role = identifier(user);
          const until = new Date(Date.now() + longestLifeMs).toISOString();
          script.run(
            acting,
            sql`CREATE ROLE ${role} LOGIN CONNECTION LIMIT 2 PASSWORD ${verifier} VALID UNTIL ${until}`,
          );
          for (const schema of schemas) {
            const owner = roleName(target.database, schema, 'owner');
            script.run(actingAdmin(target.database, schema), sql`GRANT ${identifier(owner)} TO ${role}`);
            if (renames) script.run(acting, creation(target, owner, 'GRANT'));
          }
          return { statements: script.statements() };
        },
      ),
    ),
  );
}

function creation({ database }: Target, owner: string, change: 'GRANT' | 'REVOKE'): Sql {
  const right = sql`CREATE ON DATABASE ${identifier(database)}`;
  return change === 'GRANT'
    ? sql`GRANT ${right} TO ${identifier(owner)}`
    : sql`REVOKE ${right} FROM ${identifier(owner)}`;
}

/** Takes the login away, with its sessions and whatever the archive's code made it own. */
async function remove(
  pools: Pools,
  { target, schemas, renames }: Restoring,
  user: string,
  options: RestorerOptions,
): Promise<void> {
  const { signal, remainingMs } = options;
  const step = { ...options, dryRun: false };
  await closePrincipal(pools, target, user, step);
  await offboardInDatabase(pools, target, user, step);
  await dropPrincipal(pools, target, user, { ...step, offboarded: [target.database] });
  if (!renames) return;
  const acting = actingAdmin(target.database, schemas[0]);
  const inspection = sql`SELECT rolname AS owner FROM pg_catalog.pg_roles
     WHERE rolname IN (${schemas.map((schema) => roleName(target.database, schema, 'owner'))})
       AND pg_catalog.has_database_privilege(oid, pg_catalog.current_database(), 'CREATE')`;
  await pools.withConnection(target, { signal }, (client) =>
    changeInTransaction(
      client,
      { acting, lock: schemas, timeoutMs: remainingMs(), inspection },
      ({ rows }) => ({
        statements: (rows as { owner: string }[]).map(({ owner }) => creation(target, owner, 'REVOKE')),
      }),
    ),
  );
}
