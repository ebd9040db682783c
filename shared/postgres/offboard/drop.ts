import type { Note } from '../../operation/outcome.ts';
import type { Pools } from '../pools.ts';
import { identifier, sql } from '../sql.ts';
import type { Target } from '../target.ts';
import { offboardStep, type PlanBasis } from './change.ts';
import { emptying } from './database.ts';
import { nothing, type Offboarded, type OffboardOptions, outOfReach, together } from './model.ts';
import { endSessions } from './sessions.ts';

/** How much depends on the principal in one database. */
export interface Dependents {
  /** Null for what belongs to the instance, such as databases and their privileges. */
  readonly database: string | null;
  readonly count: number;
}

export interface InspectedDependents {
  readonly dependents: readonly Dependents[];
}

export interface DropOptions extends OffboardOptions {
  /** The databases that it was offboarded in: their own notes say what is left there. */
  readonly offboarded: readonly string[];
}

/**
 * Drops a principal of which nothing is left, or says what is. To be done after every database. Sessions that began while
 * it was being shut out are ended: a session without a role goes on.
 *
 * @throws OperationError `PRINCIPAL_NOT_ALLOWED` for a superuser, a role of the system, Drover's own
 */
export async function dropPrincipal(
  pools: Pools,
  target: Target,
  principal: string,
  { offboarded, ...options }: DropOptions,
): Promise<Offboarded> {
  const ended = options.dryRun ? nothing : await endSessions(pools, target, principal, options);
  const dropped = await offboardStep<InspectedDependents>(pools, target, principal, options, {
    tables: sql`, dependent AS (
  SELECT d.datname AS database, count(*)::int AS count
    FROM pg_catalog.pg_shdepend s
    JOIN principal p ON s.refclassid = 'pg_catalog.pg_authid'::regclass AND s.refobjid = p.oid
    LEFT JOIN pg_catalog.pg_database d ON d.oid = s.dbid
   GROUP BY d.datname
)`,
    fields: sql`, 'dependents', coalesce((
    SELECT jsonb_agg(to_jsonb(dependent) ORDER BY database NULLS FIRST) FROM dependent), '[]')`,
    plan: (basis) => planDrop(basis, offboarded, options.dryRun),
  });
  return together(ended, dropped);
}

/**
 * What drops the role: pure but for the script.
 *
 * @param dryRun what was not done in the databases doesn't stand against it
 */
export function planDrop(
  { principal, role, found, script }: PlanBasis<InspectedDependents>,
  offboarded: readonly string[],
  dryRun: boolean,
): Note[] {
  const drop = sql`DROP ROLE ${identifier(principal)}`;
  const others = found.dependents.filter(
    ({ database }) => database !== null && !offboarded.includes(database),
  );
  const dependents = dryRun ? others : found.dependents;
  if (role.admin !== null && dependents.length === 0) {
    script.run(role.admin, drop, { action: 'revoke', kind: 'role', name: principal, detail: 'dropped' });
    return [];
  }
  const where = dependents.map(({ database, count }) => `${count} in ${database ?? 'the instance itself'}`);
  const why = where.length === 0 ? 'it may not' : `things depend on it: ${where.join(', ')}`;
  return [
    ...others.map(({ database }) =>
      outOfReach(`Things depend on ${principal} in ${database}, to be run there:`, emptying(principal)),
    ),
    outOfReach(`Drover can't drop ${principal}, for ${why}. When nothing does any more:`, [drop.text]),
  ];
}
