import type { DocumentReference, DocumentSnapshot, Firestore, Transaction } from '@google-cloud/firestore';
import { OperationError } from '../../operation/errors.ts';
import { withDates } from '../dates.ts';
import { Superseded } from '../intents.ts';
import { isFinal, type OperationState, operationsCollection } from '../operations.ts';
import { type Closed, type GrantSetWish, type Merged, merge, newerUndecided } from './merge.ts';
import { type Author, emptySet, type GrantSet, openOperations } from './model.ts';

/** A wish that is in the registry, and is to be made so under this epoch. */
export interface Registered extends Merged {
  readonly epoch: number;
  /** An earlier attempt may still be on its way: the mark has to be set even where nothing is left to change. */
  readonly outstanding: boolean;
}

/** The set in a document, or an empty one. */
export function readSet(
  snapshot: DocumentSnapshot | undefined,
  scope: Pick<GrantSet, 'instance' | 'database' | 'schema'>,
): GrantSet {
  const data = snapshot?.data();
  return data === undefined ? emptySet(scope) : (withDates(data) as GrantSet);
}

/** Who wrote a document that an operation signs. */
export function readAuthor(snapshot: DocumentSnapshot): Author {
  return withDates(snapshot.data()) as Author;
}

/**
 * Writes down what an operation wants of a set, unless something newer is wanted.
 *
 * @param atLeast the epoch that was found in the database, where it refused this operation's
 * @param closed who was offboarded, and when
 * @throws EndedWishes, Superseded where all of it is superseded
 * @throws OperationError `NEWER_UNDECIDED` (retryable), and what {@link merge} throws
 */
export async function registerWish(
  transaction: Transaction,
  ref: DocumentReference,
  found: GrantSet,
  wish: GrantSetWish,
  atLeast = 0,
  closed?: Closed,
): Promise<Registered> {
  const isOthers = (id: string) => id !== wish.author.operation;
  const newer = newerUndecided(found, wish);
  await refuseEnded(transaction, ref.firestore, newer);
  const [waiting] = newer;
  if (waiting !== undefined) throw newerIsUndecided(waiting);
  const merged = await roomFor(
    () => mergeWhole(found, wish, closed),
    () => refuseEnded(transaction, ref.firestore, openOperations(found).filter(isOthers)),
  );
  return { ...merged, ...beginAttempt(transaction, ref, merged.set, atLeast) };
}

/** A set may be full of wishes that are nobody's any more: nothing is gained by waiting for those. */
async function roomFor(merging: () => Merged, refuse: () => Promise<void>): Promise<Merged> {
  try {
    return merging();
  } catch (error) {
    if (error instanceof OperationError && error.code === 'TOO_MANY_UNDECIDED') await refuse();
    throw error;
  }
}

/**
 * Merges a wish of which something is left to do.
 *
 * @throws Superseded where all of it is superseded
 */
export function mergeWhole(set: GrantSet, wish: GrantSetWish, closed?: Closed): Merged {
  const merged = merge(set, wish, closed);
  const { superseded, supersededBy } = merged;
  if (supersededBy !== undefined) throw new Superseded(supersededBy);
  // An exact wish is about more than what it lists.
  const count = wish.grants.length + wish.customRoles.length;
  const all = wish.mode !== 'exact' && count > 0 && superseded.length === count;
  if (all) throw new Superseded(merged.by.join(', '));
  return merged;
}

/** Numbers another attempt at a set. */
export function beginAttempt(
  transaction: Transaction,
  ref: DocumentReference,
  set: GrantSet,
  atLeast = 0,
): Pick<Registered, 'epoch' | 'outstanding'> {
  const epoch = Math.max(set.epoch, atLeast) + 1;
  transaction.set(ref, { ...set, epoch });
  return { epoch, outstanding: set.appliedEpoch !== set.epoch };
}

/** Thrown where open wishes are nobody's any more: nobody took them back where the worker had died. */
export class EndedWishes extends Error {
  override readonly name = 'EndedWishes';
  readonly operations: readonly string[];

  constructor(operations: readonly string[]) {
    super(`Operations ended without a word about what they wanted: ${operations.join(', ')}`);
    this.operations = operations;
  }
}

/**
 * @param operations with open wishes
 * @throws EndedWishes where some of them have ended. One that succeeded has settled what it did
 */
export async function refuseEnded(
  transaction: Transaction,
  db: Firestore,
  operations: readonly string[],
): Promise<void> {
  if (operations.length === 0) return;
  const records = db.collection(operationsCollection);
  const snapshots = await transaction.getAll(...operations.map((id) => records.doc(id)));
  const ended = snapshots.filter(hasEnded).map(({ id }) => id);
  if (ended.length > 0) throw new EndedWishes(ended);
}

/** Whether an operation's open wishes are nobody's any more. A record is kept longer than any wish is open. */
export function hasEnded(record: DocumentSnapshot): boolean {
  const state = record.get('state') as OperationState | undefined;
  return state === undefined || isFinal(state);
}

export function newerIsUndecided(by: string): OperationError {
  return new OperationError(
    'NEWER_UNDECIDED',
    `A newer message about the same grants is under way (operation ${by}); this one waits for its end`,
    { retryable: true },
  );
}
