import type { Change, Note } from '../../operation/outcome.ts';
import type { Pools } from '../pools.ts';
import { type Sql, sql } from '../sql.ts';
import type { Target } from '../target.ts';
import { offboardStep, type PlanBasis } from './change.ts';
import { listed, type Offboarded, type OffboardOptions, together } from './model.ts';
import { adminOf, isWriter } from './principal.ts';

export interface InspectedSession {
  readonly pid: number;
  readonly database: string | null;
  readonly application: string;
  /** Who logged in: the principal, or a member of it. */
  readonly user: string;
  /** The acting admin that may make itself a member of the user, and so end its sessions; null where none may. */
  readonly admin: string | null;
}

export interface InspectedSessions {
  readonly sessions: readonly InspectedSession[];
  /** The acting admin may end sessions of others, as a member of pg_signal_backend. */
  readonly signal: boolean;
}

/** What a principal could act as and can't any more, and its members with it. */
export interface LostRoles {
  readonly roles: readonly string[];
  /** Who could act as the principal, beside those who still can. */
  readonly members?: readonly string[];
}

export interface EndSessionsOptions extends OffboardOptions {
  /** Of those who could act by the principal, sessions count too, unless they can by another way. */
  readonly lost?: LostRoles;
}

export interface EndActingSessionsOptions extends OffboardOptions {
  readonly lost: LostRoles;
  readonly inDatabase: string;
}

/** A session that began to log in before it couldn't shows late. */
const rounds = 3;

/** How long a session may take to end. */
const endMilliseconds = 2_000;

/**
 * Ends the open sessions of a principal that leaves and waits for their end: a session keeps the rights of a role that it
 * acts as, whatever becomes of the membership. Its user counts, not that role. Sessions that can't be ended are a note.
 *
 * @throws OperationError `PRINCIPAL_NOT_ALLOWED` for a superuser, a role of the system, Drover's own
 */
export function endSessions(
  pools: Pools,
  target: Target,
  principal: string,
  { lost, ...options }: EndSessionsOptions,
): Promise<Offboarded> {
  const own = sql`u.oid = principal.oid`;
  // In a dry run nobody has lost anything yet.
  const members = lost && sql` OR ${couldAct(lost)}${options.dryRun ? sql`` : sql` AND ${canNotAct(lost)}`}`;
  return endFound(pools, target, principal, options, { which: sql`${own}${members ?? sql``}` });
}

/**
 * Ends the open sessions in a database of all who could act as a role only by a principal from whom it was taken: the
 * principal's own, and of whoever is a member of it. Superusers and Drover's own don't need the role. Sessions that can't
 * be ended are a note.
 */
export function endActingSessions(
  pools: Pools,
  target: Target,
  principal: string,
  { lost, inDatabase, ...options }: EndActingSessionsOptions,
): Promise<Offboarded> {
  const which = sql`(u.oid = principal.oid OR ${couldAct(lost)}) AND ${canNotAct(lost)} AND ${isSubject}
      AND a.datname = ${inDatabase}`;
  return endFound(pools, target, principal, options, { which, inDatabase, ofAnybody: true });
}

/** Who loses a right with the membership by which it has it. */
const isSubject = sql`NOT u.rolsuper AND NOT ${isWriter(sql`u.oid`)}`;

/** Whether `u` can act as the principal, or could. */
function couldAct({ members = [] }: LostRoles): Sql {
  const could = members.length > 0 ? sql`u.rolname IN (${members}) OR ` : sql``;
  return sql`((${could}pg_has_role(u.oid, principal.oid, set_right)) AND u.oid <> principal.oid AND ${isSubject})`;
}

function canNotAct({ roles }: LostRoles): Sql {
  return sql`EXISTS (
        SELECT FROM unnest(ARRAY[${roles}]::text[]) AS lost (role)
         WHERE NOT EXISTS (
           SELECT FROM pg_catalog.pg_roles r
            WHERE r.rolname = lost.role AND pg_has_role(u.oid, r.oid, set_right)))`;
}

/** Which sessions are to be ended: a condition on `a`, a session, and `u`, its user. */
interface Which {
  readonly which: Sql;
  readonly inDatabase?: string;
  readonly ofAnybody?: boolean;
}

async function endFound(
  pools: Pools,
  target: Target,
  principal: string,
  options: OffboardOptions,
  { which, inDatabase, ofAnybody = false }: Which,
): Promise<Offboarded> {
  const seen = new Map<number, InspectedSession>();
  const steps: Offboarded[] = [];
  for (let round = 1; ; round += 1) {
    const giveUp = round > rounds;
    let open: readonly InspectedSession[] = [];
    let told: readonly InspectedSession[] = [];
    const step = await offboardStep<InspectedSessions>(pools, target, principal, options, {
      tables: sql`, session AS (
  SELECT a.pid, a.datname AS database, coalesce(a.application_name, '') AS application, u.rolname AS user,
         ${adminOf(sql`u`)} AS admin
    FROM pg_catalog.pg_stat_activity a
    JOIN pg_catalog.pg_roles u ON u.oid = a.usesysid
   CROSS JOIN principal
   CROSS JOIN settings
   WHERE ${which}
   ORDER BY a.pid
)`,
      fields: sql`,
  'sessions', coalesce((SELECT jsonb_agg(to_jsonb(session)) FROM session), '[]'),
  'signal', pg_has_role(current_user, 'pg_signal_backend', 'USAGE')`,
      ofAnybody,
      plan(basis) {
        open = basis.found.sessions;
        told = giveUp ? [] : open.filter((session) => enderOf(basis, session) !== null);
        return planSessions(basis, { giveUp, ...(inDatabase === undefined ? {} : { inDatabase }) });
      },
    });
    steps.push(step);
    for (const session of told) seen.set(session.pid, session);
    if (told.length > 0 && !options.dryRun) continue;
    const ended = [...seen.values()].filter(
      ({ pid }) => options.dryRun || !open.some((one) => one.pid === pid),
    );
    // What was left in an earlier round is told with what is left in the end.
    const { notes, remaining } = step;
    return { ...together(...steps), notes, remaining, changes: ended.map(endOf) };
  }
}

/** As whom a session can be ended; null where Drover may not. */
function enderOf(
  { found, script }: Pick<PlanBasis<InspectedSessions>, 'found' | 'script'>,
  { admin }: InspectedSession,
): string | null {
  return found.signal ? script.acting : admin;
}

interface PlanSessionsOptions {
  /** They were to be ended, and are still there. */
  readonly giveUp: boolean;
  readonly inDatabase?: string;
}

/** What ends the sessions that there are: pure but for the script. What it returns can't be ended. */
export function planSessions(
  basis: PlanBasis<InspectedSessions>,
  { giveUp, inDatabase }: PlanSessionsOptions,
): Note[] {
  const { principal, found, script } = basis;
  const ending: { as: string; pid: number }[] = [];
  const left: InspectedSession[] = [];
  for (const session of found.sessions) {
    const as = enderOf(basis, session);
    if (giveUp || as === null) left.push(session);
    else {
      if (!found.signal) script.lend(session.user, as);
      ending.push({ as, pid: session.pid });
    }
  }
  ending.sort((one, other) => one.as.localeCompare(other.as));
  const [first] = ending;
  // A session that ends by itself at this moment is a WARNING, and no failure: the next round shows who is left.
  if (first) script.run(first.as, sql`SET LOCAL client_min_messages = error`);
  // All of them are told before any is waited for.
  for (const { as, pid } of ending) script.run(as, sql`SELECT pg_catalog.pg_terminate_backend(${pid})`);
  for (const { as, pid } of ending)
    script.run(as, sql`SELECT pg_catalog.pg_terminate_backend(${pid}, ${endMilliseconds})`);
  return left.length > 0
    ? [openSessions(principal, left, { giveUp, ...(inDatabase ? { inDatabase } : {}) })]
    : [];
}

function openSessions(
  principal: string,
  sessions: readonly InspectedSession[],
  { giveUp, inDatabase }: PlanSessionsOptions,
): Note {
  const users = [...new Set(sessions.map(({ user }) => user))];
  const isOwn = users.every((user) => user === principal);
  const names = sessions.map(
    ({ pid, user, database, application }) =>
      `${pid}${isOwn ? '' : ` of ${user}`} in ${database ?? '-'} (${application || 'without a name'})`,
  );
  const whose = isOwn ? principal : `${principal} and its members`;
  const named = isOwn ? sql`usename = ${principal}` : sql`usename IN (${users})`;
  const there = inDatabase === undefined ? sql`` : sql` AND datname = ${inDatabase}`;
  const end = sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${named}${there}`;
  return {
    code: 'SESSIONS_OPEN',
    message: `Drover ${giveUp ? 'could' : 'may'} not end sessions of ${whose}: ${listed(names)}.`,
    statements: [end.text],
  };
}

function endOf({ pid, database, application }: InspectedSession): Change {
  const detail = application === '' ? `ended ${pid}` : `ended ${pid} (${application})`;
  return { action: 'revoke', kind: 'session', name: database ?? '', detail };
}
