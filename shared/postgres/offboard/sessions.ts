import type { Change, Note } from '../../operation/outcome.ts';
import type { Pools } from '../pools.ts';
import { sql } from '../sql.ts';
import type { Target } from '../target.ts';
import { offboardStep, type PlanBasis } from './change.ts';
import { listed, type Offboarded, type OffboardOptions, together } from './model.ts';

export interface InspectedSession {
  readonly pid: number;
  readonly database: string | null;
  readonly application: string;
}

export interface InspectedSessions {
  readonly sessions: readonly InspectedSession[];
  /** The acting admin may end sessions of others, as a member of pg_signal_backend. */
  readonly signal: boolean;
}

export interface EndSessionsOptions extends OffboardOptions {
  /** Only sessions in this database; without it all of the instance's. */
  readonly inDatabase?: string;
}

/** A session that began to log in before it couldn't shows late. */
const rounds = 3;

/** How long a session may take to end. */
const endMilliseconds = 2_000;

/**
 * Ends the open sessions of a principal and waits for their end: a session keeps the rights of a role that it acts as,
 * whatever becomes of the membership. Its user counts, not that role. Sessions that can't be ended are a note.
 *
 * @throws OperationError `PRINCIPAL_NOT_ALLOWED` for a superuser, a role of the system, Drover's own
 */
export async function endSessions(
  pools: Pools,
  target: Target,
  principal: string,
  { inDatabase, ...options }: EndSessionsOptions,
): Promise<Offboarded> {
  const only = inDatabase ?? null;
  const seen = new Map<number, InspectedSession>();
  const steps: Offboarded[] = [];
  for (let round = 1; ; round += 1) {
    let open: readonly InspectedSession[] = [];
    const step = await offboardStep<InspectedSessions>(pools, target, principal, options, {
      tables: sql`, session AS (
  SELECT a.pid, a.datname AS database, coalesce(a.application_name, '') AS application
    FROM pg_catalog.pg_stat_activity a
   WHERE a.usesysid = (SELECT oid FROM principal) AND (${only}::text IS NULL OR a.datname = ${only})
   ORDER BY a.pid
)`,
      fields: sql`,
  'sessions', coalesce((SELECT jsonb_agg(to_jsonb(session)) FROM session), '[]'),
  'signal', pg_has_role(current_user, 'pg_signal_backend', 'USAGE')`,
      plan(basis) {
        open = basis.found.sessions;
        return planSessions(basis, round > rounds);
      },
    });
    steps.push(step);
    const ending = step.statements.length > 0;
    for (const session of ending ? open : []) seen.set(session.pid, session);
    if (ending && !options.dryRun) continue;
    const ended = [...seen.values()].filter(({ pid }) => ending || !open.some((one) => one.pid === pid));
    return { ...together(...steps), changes: ended.map(endOf) };
  }
}

/**
 * What ends the sessions that there are: pure but for the script.
 *
 * @param giveUp they were to be ended, and are still there
 */
export function planSessions(
  { principal, role, found, script }: PlanBasis<InspectedSessions>,
  giveUp: boolean,
): Note[] {
  const { sessions, signal } = found;
  if (sessions.length === 0) return [];
  const pids = sessions.map(({ pid }) => pid);
  const as = signal ? script.acting : role.admin;
  if (giveUp || as === null) {
    const names = sessions.map(
      ({ pid, database, application }) => `${pid} in ${database ?? '-'} (${application || 'without a name'})`,
    );
    const end = sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ${principal}`;
    return [
      {
        code: 'SESSIONS_OPEN',
        message: `Drover ${giveUp ? 'could' : 'may'} not end sessions of ${principal}: ${listed(names)}.`,
        statements: [end.text],
      },
    ];
  }
  if (!signal) script.lend(principal, as);
  // A session that ends by itself at this moment is a WARNING, and no failure: the next round shows who is left.
  script.run(as, sql`SET LOCAL client_min_messages = error`);
  // All of them are told before any is waited for.
  for (const pid of pids) script.run(as, sql`SELECT pg_catalog.pg_terminate_backend(${pid})`);
  for (const pid of pids)
    script.run(as, sql`SELECT pg_catalog.pg_terminate_backend(${pid}, ${endMilliseconds})`);
  return [];
}

function endOf({ pid, database, application }: InspectedSession): Change {
  const detail = application === '' ? `ended ${pid}` : `ended ${pid} (${application})`;
  return { action: 'revoke', kind: 'session', name: database ?? '', detail };
}
