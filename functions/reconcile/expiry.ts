import { applyToSet, NotDueYet } from '../../shared/grants/apply.ts';
import type { SetScope } from '../../shared/grants/scope.ts';
import { classify } from '../../shared/operation/classify.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import type { Change, Note } from '../../shared/operation/outcome.ts';
import { readClock } from '../../shared/postgres/clock.ts';
import type { Target } from '../../shared/postgres/target.ts';
import { openOperations, type RegisteredGrant } from '../../shared/registry/grants/model.ts';
import { dueGrants, expire } from '../../shared/registry/grants/outcome.ts';
import { beginAttempt, type Registered, refuseEnded } from '../../shared/registry/grants/store.ts';

/** Thrown inside of a transaction that finds nothing to do. */
class NothingDue extends Error {
  override readonly name = 'NothingDue';
}

interface Expiring extends Registered {
  readonly due: readonly RegisteredGrant[];
}

/** Takes back what is due in the sets of one database, by that database's clock. */
export async function takeBackDue(
  target: Target,
  sets: readonly SetScope[],
  operation: OperationContext,
): Promise<{ changes: Change[]; notes: Note[] }> {
  const now = await clockOf(target, operation);
  const changes: Change[] = [];
  const notes: Note[] = [];
  for (const scope of sets) {
    try {
      const applied = await takeBackFrom(scope, now, operation);
      changes.push(...applied.changes);
      notes.push(...applied.notes);
    } catch (error) {
      // Renewed in the meantime, or not over yet for the server that the database runs on now.
      if (error instanceof NothingDue || error instanceof NotDueYet) continue;
      // It comes again with the next minute, and the other sets don't wait for it.
      const { code, message } = classify(error);
      if (operation.signal.aborted || code === 'LEASE_LOST') throw error;
      const name = [target.database, scope.schema].filter(Boolean).join('.');
      notes.push({
        code: 'NOT_TAKEN_BACK',
        message: `Grants on ${name} are over, and still there: ${code}: ${message}`,
      });
    }
  }
  return { changes, notes };
}

/** What was granted in a database that is no more is over by any clock. */
async function clockOf(target: Target, { pools, signal }: OperationContext): Promise<Date> {
  try {
    return await readClock(pools, target, signal);
  } catch (error) {
    if (classify(error).code === 'DATABASE_NOT_FOUND') return new Date();
    throw error;
  }
}

function takeBackFrom(scope: SetScope, now: Date, operation: OperationContext) {
  return applyToSet<Expiring>(operation, {
    scope,
    async register(transaction, ref, found, atLeast) {
      const others = openOperations(found).filter((id) => id !== operation.id);
      await refuseEnded(transaction, ref.firestore, others);
      const due = dueGrants(found, now, operation.id);
      if (due.length === 0) throw new NothingDue();
      const expiring = expire(found, due, operation.id);
      return {
        due,
        set: expiring,
        superseded: [],
        by: [],
        ...beginAttempt(transaction, ref, expiring, atLeast),
      };
    },
    wanted: ({ due, set }) => ({
      grants: due.map(({ role, principal, value }) => ({
        role,
        principal,
        present: false,
        ...(value.expiresAt === undefined ? {} : { notBefore: value.expiresAt }),
      })),
      customRoles: Object.keys(set.customRoles),
      surplus: 'ignore',
      undecided: [],
    }),
    onlyTakesBack: true,
  });
}
