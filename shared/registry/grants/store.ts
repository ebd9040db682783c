import type {
  DocumentReference,
  DocumentSnapshot,
  Firestore,
  Timestamp,
  Transaction,
} from '@google-cloud/firestore';
import { OperationError } from '../../operation/errors.ts';
import { Superseded } from '../intents.ts';
import { type OperationState, operationsCollection } from '../operations.ts';
import { type GrantSetWish, type Merged, merge, newerUndecided, withdraw } from './merge.ts';
import { emptySet, type GrantSet } from './model.ts';

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

/** Firestore's times as JavaScript's. */
function withDates(value: unknown): unknown {
  if (isTimestamp(value)) return value.toDate();
  if (Array.isArray(value)) return value.map(withDates);
  if (value === null || typeof value !== 'object' || Buffer.isBuffer(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, withDates(part)]));
}

function isTimestamp(value: unknown): value is Timestamp {
  return typeof value === 'object' && value !== null && 'toDate' in value;
}

/**
 * Writes down what an operation wants of a set, unless something newer is wanted.
 *
 * @param atLeast the epoch that was found in the database, where it refused this operation's
 * @throws Superseded where all of it is superseded
 * @throws OperationError `NEWER_UNDECIDED` (retryable), and what {@link merge} throws
 */
export async function registerWish(
  transaction: Transaction,
  ref: DocumentReference,
  found: GrantSet,
  wish: GrantSetWish,
  atLeast = 0,
): Promise<Registered> {
  const clean = await withoutFailed(transaction, ref.firestore, found, newerUndecided(found, wish));
  const [waiting] = newerUndecided(clean, wish);
  if (waiting !== undefined) throw newerIsUndecided(waiting);
  const merged = mergeWhole(clean, wish);
  return { ...merged, ...beginAttempt(transaction, ref, merged.set, atLeast) };
}

/**
 * Merges a wish of which something is left to do.
 *
 * @throws Superseded where all of it is superseded
 */
export function mergeWhole(set: GrantSet, wish: GrantSetWish): Merged {
  const merged = merge(set, wish);
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

/** A set without the open wishes of operations that failed: nobody took them back where the worker had died. */
export async function withoutFailed(
  transaction: Transaction,
  db: Firestore,
  set: GrantSet,
  operations: readonly string[],
): Promise<GrantSet> {
  if (operations.length === 0) return set;
  const records = db.collection(operationsCollection);
  const snapshots = await transaction.getAll(...operations.map((id) => records.doc(id)));
  const failed = snapshots.filter((one) => (one.get('state') as OperationState | undefined) === 'failed');
  return failed.reduce((rest, { id }) => withdraw(rest, id), set);
}

export function newerIsUndecided(by: string): OperationError {
  return new OperationError(
    'NEWER_UNDECIDED',
    `A newer message about the same grants is under way (operation ${by}); this one waits for its end`,
    { retryable: true },
  );
}
