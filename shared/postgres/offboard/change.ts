import type { Note } from '../../operation/outcome.ts';
import { actingAdmin } from '../names.ts';
import type { Pools } from '../pools.ts';
import { againWhereTaken, retryConcurrentChanges } from '../retry.ts';
import { type Sql, sql } from '../sql.ts';
import type { Target } from '../target.ts';
import { changeInTransaction } from '../transaction.ts';
import { isRemainder, nothing, type Offboarded, type OffboardOptions } from './model.ts';
import {
  type InspectedPrincipal,
  principalFields,
  principalTables,
  refuseName,
  refusePrincipal,
} from './principal.ts';
import { Script } from './script.ts';

/** What every plan is made from. */
export interface PlanBasis<Found> {
  readonly principal: string;
  readonly serverVersion: number;
  readonly role: InspectedPrincipal;
  readonly found: Found;
  /** Where the plan's statements go. */
  readonly script: Script;
}

export interface Step<Found> {
  /** Tables after `settings` and `principal`. */
  readonly tables: Sql;
  /** Fields of the inspected object beside the principal's own. */
  readonly fields: Sql;
  /** Nothing is taken from the principal itself: it may be whoever it likes. */
  readonly ofAnybody?: boolean;
  /** Fills the script; what it returns is out of reach. */
  readonly plan: (basis: PlanBasis<Found>) => readonly Note[];
}

type Inspected<Found> = Found & {
  readonly serverVersion: number;
  readonly principal: InspectedPrincipal | null;
};

/**
 * One step of taking a principal out: inspects, plans and applies in one transaction. A role that is gone has nothing
 * left to take.
 *
 * @throws OperationError `PRINCIPAL_NOT_ALLOWED`
 */
export async function offboardStep<Found>(
  pools: Pools,
  target: Target,
  principal: string,
  { signal, remainingMs, dryRun, assertHeld }: OffboardOptions,
  { tables, fields, ofAnybody = false, plan }: Step<Found>,
): Promise<Offboarded> {
  if (!ofAnybody) refuseName(principal);
  const acting = actingAdmin(target.database, undefined);
  const inspection = sql`
WITH ${principalTables(principal)}${tables}
SELECT jsonb_build_object(${principalFields}${fields}) AS inspected`;
  const transaction = () =>
    pools.withConnection(target, { signal }, (client) =>
      changeInTransaction(
        client,
        { acting, lock: `offboard ${principal}`, timeoutMs: remainingMs(), inspection },
        (result) => {
          const found = (result.rows[0] as { inspected: Inspected<Found> }).inspected;
          const { principal: role, serverVersion } = found;
          if (role === null) return { offboarded: nothing, statements: [] };
          if (!ofAnybody) refusePrincipal(principal, role);
          const script = new Script(acting, serverVersion);
          const notes = plan({ principal, serverVersion, role, found, script });
          const statements = script.statements();
          if (!dryRun) assertHeld?.();
          return {
            offboarded: {
              changes: script.changes,
              notes,
              statements: statements.map(({ text }) => text),
              remaining: notes.some(isRemainder),
            },
            statements: dryRun ? [] : statements,
          };
        },
      ),
    );
  const { offboarded } = await retryConcurrentChanges(signal, () => againWhereTaken(transaction));
  return offboarded;
}
