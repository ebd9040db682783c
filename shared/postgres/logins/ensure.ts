import type { Change } from '../../operation/outcome.ts';
import type { Script } from '../offboard/script.ts';
import { identifier, sql } from '../sql.ts';
import { adminOfLogins, changeLogins, type LoginOptions, type LoginScope } from './change.ts';
import type { InspectedLogin } from './inspect.ts';
import { formatLoginMarker, parseLoginMarker } from './marker.ts';
import { adminFor, LoginFenced, loginNotFound, notManaged, refusePrivileged } from './refusals.ts';

export interface DesiredLogins {
  readonly scope: LoginScope;
  readonly logins: readonly string[];
  /** A login that is somebody's already and becomes this secret's. */
  readonly adopted: string | undefined;
  /** The role that their sessions act as; undefined where they don't. */
  readonly actAs: string | undefined;
  /** Undefined where they stay as they are. */
  readonly limits?: LoginLimits | undefined;
  /** Of this attempt; undefined in a dry run, which changes nothing. */
  readonly epoch: number | undefined;
}

export interface LoginLimits {
  /** How many connections each login may have: PostgreSQL refuses more. */
  readonly connections: number;
  /** The default of their sessions. Whoever logs in may set another. */
  readonly statementTimeoutSeconds: number;
}

export interface EnsuredLogins {
  readonly changes: readonly Change[];
  readonly statements: readonly string[];
}

/**
 * Makes a secret's logins, and takes over the one that is adopted. A login that is made has no password, so nobody is it
 * until it gets one.
 *
 * @throws LoginFenced
 * @throws OperationError `LOGIN_NOT_FOUND`, `LOGIN_NOT_MANAGED`, `LOGIN_NOT_ALLOWED`, `LOGIN_OUT_OF_REACH`
 */
export async function ensureLogins(
  { scope, logins, adopted, actAs, limits, epoch }: DesiredLogins,
  options: LoginOptions,
): Promise<EnsuredLogins> {
  const { secret, database } = scope;
  const mark = formatLoginMarker({ managedBy: 'drover', secret, epoch: epoch ?? 0 });
  let statements: readonly string[] = [];
  const changes = await changeLogins(scope, logins, options, ({ found, script }) => {
    const settings: (() => void)[] = [];
    for (const name of logins) {
      const one = found.get(name);
      const login = identifier(name);
      const comment = sql`COMMENT ON ROLE ${login} IS ${mark}`;
      const made = { kind: 'login', name };
      let admin = adminOfLogins(scope);
      if (one === undefined) {
        if (name === adopted) throw loginNotFound(name, secret);
        script.run(admin, sql`CREATE ROLE ${login} LOGIN`, { action: 'create', ...made });
        script.run(admin, comment);
      } else {
        // First: nobody is to be told how to hand over a login that must not be.
        const taken = takesOver(one, secret, adopted, epoch);
        admin = adminFor(one, admin);
        if (taken) script.run(admin, comment, { action: 'alter', ...made, detail: 'adopted' });
      }
      settings.push(() => {
        if (actAs !== undefined && !one?.settings.includes(`role=${actAs}`)) {
          const acting = sql`ALTER ROLE ${login} IN DATABASE ${identifier(database)} SET role TO ${actAs}`;
          script.run(admin, acting, { action: 'alter', ...made, detail: `acts as ${actAs}` });
        }
        if (limits) planLimits(script, admin, name, database, limits, one);
      });
    }
    // Once all are made: after each new role PostgreSQL walks all memberships anew to see whom one may act as.
    for (const set of settings) set();
    statements = script.statements().map(({ text }) => text);
    const planned = [...script.changes];
    if (epoch === undefined) script.clear();
    return planned;
  });
  return { changes, statements };
}

function planLimits(
  script: Script,
  admin: string,
  name: string,
  database: string,
  { connections, statementTimeoutSeconds }: LoginLimits,
  found: InspectedLogin | undefined,
): void {
  const change = { action: 'alter', kind: 'login', name } as const;
  const login = identifier(name);
  if (found?.connectionLimit !== connections) {
    const alter = sql`ALTER ROLE ${login} CONNECTION LIMIT ${connections}`;
    script.run(admin, alter, { ...change, detail: `at most ${connections} connections` });
  }
  const timeout = `${statementTimeoutSeconds}s`;
  if (!found?.settings.includes(`statement_timeout=${timeout}`)) {
    const alter = sql`ALTER ROLE ${login} IN DATABASE ${identifier(database)} SET statement_timeout TO ${timeout}`;
    script.run(admin, alter, { ...change, detail: `statements end after ${timeout}, by default` });
  }
}

/**
 * Whether a login that is there becomes the secret's now.
 *
 * @throws LoginFenced
 * @throws OperationError `LOGIN_NOT_MANAGED`, `LOGIN_NOT_ALLOWED` where it never does
 */
function takesOver(
  found: InspectedLogin,
  secret: string,
  adopted: string | undefined,
  epoch: number | undefined,
): boolean {
  refusePrivileged(found);
  const marker = parseLoginMarker(found.comment);
  if (marker === undefined && found.name === adopted) return true;
  if (marker?.secret !== secret) throw notManaged(found.name, secret, marker?.secret);
  if (epoch !== undefined && marker.epoch > epoch) throw new LoginFenced(found.name, marker.epoch);
  return false;
}
