import type { DocumentReference, Transaction } from '@google-cloud/firestore';
import { config } from '../config.ts';
import { firestore } from '../gcp/firestore.ts';
import { classify } from '../operation/classify.ts';
import type { OperationContext } from '../operation/definition.ts';
import { OperationError } from '../operation/errors.ts';
import type { Change, Note } from '../operation/outcome.ts';
import { type ConvergedGrants, convergeGrants, GrantsFenced } from '../postgres/grants/converge.ts';
import { foundEpoch } from '../postgres/grants/found.ts';
import type { InspectedGrants } from '../postgres/grants/model.ts';
import { nothing } from '../postgres/offboard/model.ts';
import { registerDatabase } from '../registry/databases.ts';
import { withdraw } from '../registry/grants/merge.ts';
import { type GrantSet, hasOverwritten, isResumed } from '../registry/grants/model.ts';
import { settle, type Wanted } from '../registry/grants/outcome.ts';
import { EndedWishes, newerIsUndecided, type Registered, readSet } from '../registry/grants/store.ts';
import { desiredOf, type SetScope, setRef } from './scope.ts';
import { endActingSessions } from './sessions.ts';
import { undo } from './undo.ts';

/** A change to one set of grants: what is written into the registry, and what then has to be so in the catalog. */
export interface SetChange<R extends Registered = Registered> {
  readonly scope: SetScope;
  /** Writes down what should be. Runs in a transaction, maybe several times. */
  readonly register: (
    transaction: Transaction,
    ref: DocumentReference,
    set: GrantSet,
    atLeast: number,
  ) => Promise<R>;
  readonly wanted: (registered: R) => Wanted;
  /** Throws where what the catalog says stands against it. */
  readonly examine?: (found: InspectedGrants, registered: R) => void;
  /** Comes before the catalog is changed. */
  readonly prepare?: (registered: R) => Promise<readonly Change[]>;
  /** It only takes back: where the roles or their database are gone, so is what was granted. */
  readonly onlyTakesBack?: boolean;
}

export interface AppliedChange<R> {
  readonly registered: R;
  /** Undefined where there was nothing left to take back from. */
  readonly converged: ConvergedGrants | undefined;
  readonly changes: readonly Change[];
  readonly notes: readonly Note[];
}

/** Thrown where a grant was to be taken back whose time isn't over by the clock of its database. */
export class NotDueYet extends OperationError {
  constructor() {
    super('NOT_DUE_YET', 'By the database’s clock the grant is not over yet');
  }
}

/**
 * Brings about a change to one set: the registry first, then the catalog under the registry's number, then the registry
 * again, which says that it is so. After a crash between any two of these it can be repeated. What turns out to be
 * impossible is taken out of the registry again.
 *
 * @throws OperationError, `Superseded`
 */
export async function applyToSet<R extends Registered>(
  operation: OperationContext,
  change: SetChange<R>,
): Promise<AppliedChange<R>> {
  const { scope } = change;
  const ref = await setRef(operation, scope);
  for (let atLeast = 0; ; ) {
    // Whether an attempt at this may have changed the catalog: an earlier one, one that this replaced, or this one.
    const progress = { reached: false };
    try {
      let resumed = false;
      const registered = await operation.transact([ref], (transaction, [snapshot]) => {
        const set = readSet(snapshot, scope);
        resumed = isResumed(set, operation.id);
        return change.register(transaction, ref, set, atLeast);
      });
      progress.reached = resumed || hasOverwritten(registered.set, operation.id);
      const prepared = await prepareChange(operation, change, ref, registered, resumed);
      return await bringAbout(operation, change, ref, { registered, prepared, progress });
    } catch (error) {
      if (error instanceof EndedWishes) {
        await undo(operation, scope, error.operations);
        continue;
      }
      // Ours may still be the newest wish: the registry decides, and numbers it above what the catalog carries.
      if (error instanceof GrantsFenced && error.epoch > atLeast) {
        atLeast = error.epoch;
        continue;
      }
      const impossible = !operation.signal.aborted && !classify(error).retryable;
      if (impossible && progress.reached) await undo(operation, scope, [operation.id]);
      else if (impossible) await takeBack(operation, ref, scope);
      throw error;
    }
  }
}

interface Attempt<R> {
  readonly registered: R;
  readonly prepared: readonly Change[];
  readonly progress: { reached: boolean };
}

async function bringAbout<R extends Registered>(
  operation: OperationContext,
  change: SetChange<R>,
  ref: DocumentReference,
  { registered, prepared, progress }: Attempt<R>,
): Promise<AppliedChange<R>> {
  const { scope, examine } = change;
  const desired = desiredOf(scope, change.wanted(registered), registered);
  const converged = await convergeGrants(operation.pools, scope, [desired], {
    ...operation,
    ...(examine ? { examine: (found) => examine(found, registered) } : {}),
  }).catch(unlessGone(change));
  progress.reached ||= converged !== undefined;
  // Now that it is known to exist.
  if (converged) await registerDatabase(await firestore(), scope);
  // The wish is taken out of the registry again, and comes back with the next look at what is due.
  if (converged?.plans.some(({ early }) => early.length > 0)) throw new NotDueYet();
  const sessions = converged
    ? await endActingSessions(operation, scope, converged.found, [
        { scope: desired, plan: converged.plans[0], resumed: resumedBy(operation.id, registered) },
      ])
    : nothing;
  const overwrittenBy = await operation.transact([ref], async (transaction, [snapshot]) => {
    const found = converged ? foundEpoch(desired, converged.found) : 0;
    const done = { operation: operation.id, epoch: registered.epoch, found };
    const retention = { now: new Date(), keepDays: config().DROVER_RECORD_DAYS };
    const settled = settle(readSet(snapshot, scope), done, retention);
    transaction.set(ref, settled.set);
    return settled.overwrittenBy;
  });
  // If that one turns out to be impossible, this wish is the newest again.
  if (overwrittenBy[0] !== undefined) throw newerIsUndecided(overwrittenBy[0]);
  return {
    registered,
    converged,
    changes: [...prepared, ...(converged?.changes ?? []), ...sessions.changes],
    notes: [...(converged?.notes ?? [goneNote(scope)]), ...sessions.notes],
  };
}

/** What this operation takes back, and may have taken back in an earlier attempt. */
function resumedBy(operation: string, { outstanding, set }: Registered) {
  return Object.values(set.grants).filter(
    ({ undecided, value }) => outstanding && undecided && value.operation === operation && !value.present,
  );
}

/** Until here nothing was done: what keeps it from being done must not keep an older wish from ending in time. */
async function prepareChange<R extends Registered>(
  operation: OperationContext,
  { scope, prepare }: SetChange<R>,
  ref: DocumentReference,
  registered: R,
  resumed: boolean,
): Promise<readonly Change[]> {
  try {
    return (await prepare?.(registered)) ?? [];
  } catch (error) {
    if (!resumed) await takeBack(operation, ref, scope);
    throw error;
  }
}

/** The roles were dropped by hand, or the database is no more. */
function unlessGone({ onlyTakesBack = false }: Pick<SetChange, 'onlyTakesBack'>) {
  return (error: unknown): undefined => {
    const { code } = classify(error);
    if (onlyTakesBack && (code === 'SCHEMA_NOT_MANAGED' || code === 'DATABASE_NOT_FOUND')) return undefined;
    throw error;
  };
}

function goneNote({ database, schema }: SetScope): Note {
  const name = [database, schema].filter(Boolean).join('.');
  return { code: 'SCHEMA_GONE', message: `${name} is no more, and neither is what was granted there.` };
}

async function takeBack(operation: OperationContext, ref: DocumentReference, scope: SetScope): Promise<void> {
  await operation.transact([ref], async (transaction, [snapshot]) => {
    if (snapshot?.exists) transaction.set(ref, withdraw(readSet(snapshot, scope), operation.id));
  });
}
