import type { DocumentReference, Transaction } from '@google-cloud/firestore';
import { config } from '../config.ts';
import { firestore } from '../gcp/firestore.ts';
import { classify } from '../operation/classify.ts';
import type { OperationContext } from '../operation/definition.ts';
import { OperationError } from '../operation/errors.ts';
import type { Change, Note } from '../operation/outcome.ts';
import { type ConvergedGrants, convergeGrants, GrantsFenced } from '../postgres/grants/converge.ts';
import type { DesiredGrants, InspectedGrants } from '../postgres/grants/model.ts';
import { registerDatabase } from '../registry/databases.ts';
import { withdraw } from '../registry/grants/merge.ts';
import { type GrantSet, grantsCollection } from '../registry/grants/model.ts';
import { settle, type Wanted } from '../registry/grants/outcome.ts';
import { newerIsUndecided, type Registered, readSet } from '../registry/grants/store.ts';
import { endActingSessions } from './sessions.ts';

/** Which set of grants: those of a schema, or null for the database's own roles. */
export type SetScope = Pick<GrantSet, 'instance' | 'database' | 'schema'>;

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
  /** Grants that it is about, by key. */
  readonly keys: (registered: R) => readonly string[];
  /** Throws where what the catalog says stands against it. */
  readonly examine?: (found: InspectedGrants, registered: R) => void;
  /** Comes before the catalog is changed. */
  readonly prepare?: () => Promise<readonly Change[]>;
}

export interface AppliedChange<R> {
  readonly registered: R;
  readonly converged: ConvergedGrants;
  readonly changes: readonly Change[];
  readonly notes: readonly Note[];
}

/** Thrown where a grant was to be taken back whose time isn't over by the clock of its database. */
export class NotDueYet extends OperationError {
  constructor() {
    super('NOT_DUE_YET', 'By the database’s clock the grant is not over yet');
  }
}

/** The document of a set. */
export function setRef(operation: Pick<OperationContext, 'registry'>, scope: SetScope) {
  const { instance, database, schema } = scope;
  // No schema is called that: a name is never empty.
  return operation.registry(grantsCollection, instance, database, schema ?? '');
}

/** A scope with what it has to be like, for the catalog's part. */
export function desiredOf(
  { database, schema }: SetScope,
  wanted: Wanted,
  fence: DesiredGrants['fence'],
): DesiredGrants {
  return { database, schema: schema ?? undefined, ...wanted, fence };
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
    const registered = await operation.transact([ref], (transaction, [snapshot]) =>
      change.register(transaction, ref, readSet(snapshot, scope), atLeast),
    );
    try {
      return await bringAbout(operation, change, ref, registered);
    } catch (error) {
      // Ours may still be the newest wish: the registry decides, and numbers it above what the catalog carries.
      if (error instanceof GrantsFenced && error.epoch > atLeast) {
        atLeast = error.epoch;
        continue;
      }
      const impossible = !operation.signal.aborted && !classify(error).retryable;
      if (impossible) await takeBack(operation, ref, scope);
      throw error;
    }
  }
}

async function bringAbout<R extends Registered>(
  operation: OperationContext,
  change: SetChange<R>,
  ref: DocumentReference,
  registered: R,
): Promise<AppliedChange<R>> {
  const { scope, keys, examine, prepare } = change;
  const prepared = (await prepare?.()) ?? [];
  const desired = desiredOf(scope, change.wanted(registered), registered);
  const converged = await convergeGrants(operation.pools, scope, [desired], {
    ...operation,
    ...(examine ? { examine: (found) => examine(found, registered) } : {}),
  });
  // Now that it is known to exist.
  await registerDatabase(await firestore(), scope);
  // The wish is taken out of the registry again, and comes back with the next look at what is due.
  if (converged.plans.some(({ early }) => early.length > 0)) throw new NotDueYet();
  const sessions = await endActingSessions(operation, scope, converged.found, [
    { scope: desired, plan: converged.plans[0], resumed: resumedBy(operation.id, registered) },
  ]);
  const overwrittenBy = await operation.transact([ref], async (transaction, [snapshot]) => {
    const done = { operation: operation.id, epoch: registered.epoch, keys: keys(registered) };
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
    changes: [...prepared, ...converged.changes, ...sessions.changes],
    notes: [...converged.notes, ...sessions.notes],
  };
}

/** What this operation takes back, and may have taken back in an earlier attempt. */
function resumedBy(operation: string, { outstanding, set }: Registered) {
  return Object.values(set.grants).filter(
    ({ undecided, value }) => outstanding && undecided && value.operation === operation && !value.present,
  );
}

async function takeBack(operation: OperationContext, ref: DocumentReference, scope: SetScope): Promise<void> {
  await operation.transact([ref], async (transaction, [snapshot]) => {
    if (snapshot?.exists) transaction.set(ref, withdraw(readSet(snapshot, scope), operation.id));
  });
}
