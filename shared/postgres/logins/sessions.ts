import type { Login } from '../pools.ts';
import { sql } from '../sql.ts';
import { changeLogins, type LoginOptions, type LoginScope } from './change.ts';
import type { LoginSession } from './inspect.ts';
import { loginNotFound, markerOf } from './refusals.ts';

export interface EndedSessions {
  readonly ended: readonly LoginSession[];
  readonly left: readonly LoginSession[];
}

/** How long a session may take to end. */
const endMilliseconds = 2_000;

/**
 * The open sessions of a secret's login.
 *
 * @param end end them and wait for that
 * @throws OperationError `LOGIN_NOT_FOUND`, `LOGIN_NOT_MANAGED`, `LOGIN_NOT_ALLOWED`
 */
export async function endLoginSessions(
  scope: LoginScope,
  login: string,
  end: boolean,
  options: LoginOptions,
): Promise<EndedSessions> {
  const look = (ending: boolean) =>
    changeLogins(scope, [login], options, ({ found, script }) => {
      const one = found.get(login);
      if (one === undefined) throw loginNotFound(login, scope.secret);
      markerOf(one, scope.secret);
      if (ending && one.admin !== null && one.sessions.length > 0) {
        const { admin } = one;
        // Who may act as the login may end its sessions; for this transaction only.
        script.lend(login, admin);
        script.run(admin, sql`SET LOCAL client_min_messages = error`);
        for (const { pid } of one.sessions)
          script.run(admin, sql`SELECT pg_catalog.pg_terminate_backend(${pid}, ${endMilliseconds})`);
      }
      return one.sessions;
    });
  const before = await look(end);
  if (!end || before.length === 0) return { ended: [], left: before };
  const left = await look(false);
  const ended = before.filter(({ pid }) => !left.some((one) => one.pid === pid));
  return { ended, left };
}

const agesQuery = `
SELECT pid, to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS since
  FROM pg_catalog.pg_stat_activity WHERE usename = session_user`;

/** Sessions with when they began. PostgreSQL tells that the login itself; where it doesn't log in, they stay as they are. */
export async function withAges(
  { instance, database }: LoginScope,
  sessions: readonly LoginSession[],
  credential: Login,
  { pools, signal }: LoginOptions,
): Promise<readonly LoginSession[]> {
  if (sessions.every(({ since }) => since !== null)) return sessions;
  try {
    const ages = await pools.withConnection(
      { instance, database },
      { signal, as: credential },
      async (client) => {
        // An owner's sessions act as its group, which may not know.
        await client.query('SET ROLE NONE');
        const { rows } = await client.query<{ pid: number; since: string | null }>(agesQuery);
        return new Map(rows.map(({ pid, since }) => [pid, since]));
      },
    );
    return sessions.map((one) => ({ ...one, since: one.since ?? ages.get(one.pid) ?? null }));
  } catch {
    signal.throwIfAborted();
    return sessions;
  }
}
