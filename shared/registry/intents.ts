import type {
  DocumentReference,
  DocumentSnapshot,
  Firestore,
  Timestamp,
  Transaction,
} from '@google-cloud/firestore';
import { OperationError } from '../operation/errors.ts';
import { type Claim, leaseLost, type Order } from './claims.ts';
import { type OperationState, operationsCollection } from './operations.ts';

/**
 * What should be: written before anything is done about it, ordered, and numbered. The number (epoch) fences: it
 * rises with every attempt at the same thing, and whoever changes the thing leaves it there as a mark, so that a
 * worker that slept through its successor's work is refused by the thing itself.
 */
export interface Intent {
  readonly ref: DocumentReference;
  readonly epoch: number;
  /**
   * An earlier attempt may still be on its way to do something: even if nothing is left to change, the mark has to be
   * set, or that attempt would not be refused.
   */
  readonly outstanding: boolean;
}

/** A wish, with its place among others. */
interface StoredIntent {
  operation: string;
  publishedAt: Timestamp;
  revision?: number;
  desired: unknown;
}

/** The part that every registry document about something managed has in common. */
export interface IntentDocument {
  epoch: number;
  appliedEpoch: number;
  /** Wishes that are not done, as far as is known: under way, to be repeated, or failed without saying so here. */
  intents: StoredIntent[];
  /** The newest wish that was done, and what came of it. */
  applied?: StoredIntent & Record<string, unknown>;
}

/** Thrown by {@link recordIntent}: something newer was wanted, and done. The operation ends without doing anything. */
export class Superseded extends Error {
  override readonly name = 'Superseded';
  readonly by: string;

  constructor(by: string) {
    super(`A newer message about the same thing was done before (operation ${by})`);
    this.by = by;
  }
}

/** Whether a wish is older than the one on record: by revision where both have one, else by time of publishing. */
export function isOlder(mine: Order, recorded: Order): boolean {
  if (mine.revision !== undefined && recorded.revision !== undefined && mine.revision !== recorded.revision) {
    return mine.revision < recorded.revision;
  }
  return mine.publishedAt < recorded.publishedAt;
}

/**
 * Records what an operation wants, unless something newer is so already.
 *
 * @param wish.identity fields that say what the document is about, for people and queries
 * @param wish.atLeast the epoch found on the thing itself. It can be ahead of the registry where one of them was
 *   restored from a backup or the database is a clone
 * @throws Superseded
 * @throws OperationError `LEASE_LOST`: a worker without its lease may not even wish; `NEWER_UNDECIDED` (retryable)
 */
export async function recordIntent(
  db: Firestore,
  claim: Claim,
  wish: { ref: DocumentReference; identity: Record<string, unknown>; desired: unknown; atLeast?: number },
): Promise<Intent> {
  const { ref, identity, desired } = wish;
  return db.runTransaction(async (transaction) => {
    const [operation, snapshot] = await transaction.getAll(claim.ref, ref);
    if (operation?.get('owner') !== claim.owner) throw leaseLost(claim);
    const found = snapshot?.data() as IntentDocument | undefined;
    const { applied, intents = [] } = found ?? {};
    const isNewer = (other: StoredIntent) =>
      other.operation !== claim.id && isOlder(claim.order, orderOf(other));
    if (applied && isNewer(applied)) throw new Superseded(applied.operation);
    const newer = intents.filter(isNewer);
    await giveWay(transaction, db, newer);
    const others = intents.filter((other) => other.operation !== claim.id && !newer.includes(other));
    const epoch = Math.max(found?.epoch ?? 0, wish.atLeast ?? 0) + 1;
    const document = {
      ...identity,
      epoch,
      appliedEpoch: found?.appliedEpoch ?? 0,
      intents: [...others, { operation: claim.id, ...claim.order, desired }],
    };
    // Field by field: a merge would leave what the last wish had and this one hasn't.
    transaction.set(ref, document, { mergeFields: Object.keys(document) });
    return { ref, epoch, outstanding: found !== undefined && found.appliedEpoch !== found.epoch };
  });
}

/**
 * Waits for newer wishes of which nobody knows yet whether they can be. Those that failed are out of the way; where
 * one is replayed, it is the newer one again.
 */
async function giveWay(
  transaction: Transaction,
  db: Firestore,
  newer: readonly StoredIntent[],
): Promise<void> {
  if (newer.length === 0) return;
  const operations = db.collection(operationsCollection);
  const records = await transaction.getAll(...newer.map(({ operation }) => operations.doc(operation)));
  for (const record of records) {
    const state = record.get('state') as OperationState | undefined;
    if (state === 'failed') continue;
    if (state === undefined || state === 'succeeded') throw new Superseded(record.id);
    throw new OperationError(
      'NEWER_UNDECIDED',
      `A newer message about the same thing is under way (operation ${record.id}); this one waits for its end`,
      { retryable: true },
    );
  }
}

function orderOf({ publishedAt, revision }: StoredIntent): Order {
  return revision === undefined
    ? { publishedAt: publishedAt.toDate() }
    : { publishedAt: publishedAt.toDate(), revision };
}

/**
 * Records, in the transaction that ends the operation, that its wish is so now. Older ones that are still recorded
 * can only be superseded by it, so they go.
 *
 * @param facts what came of it, replacing what was known before
 */
export function markApplied(
  transaction: Transaction,
  claim: Pick<Claim, 'id' | 'order'>,
  intent: Intent,
  snapshot: DocumentSnapshot,
  facts: Record<string, unknown>,
): void {
  const found = snapshot.data() as IntentDocument;
  const mine = found.intents.find(({ operation }) => operation === claim.id);
  const intents = found.intents.filter((other) => other !== mine && !isOlder(orderOf(other), claim.order));
  // A newer attempt may have finished first; what it found is newer, too.
  const applied = mine && found.appliedEpoch < intent.epoch;
  transaction.update(intent.ref, {
    intents,
    ...(applied ? { appliedEpoch: intent.epoch, applied: { ...facts, ...mine } } : {}),
  });
}

/** Takes an impossible wish back. */
export function withdraw(
  transaction: Transaction,
  claim: Claim,
  intent: Intent,
  snapshot: DocumentSnapshot,
): void {
  const { intents } = snapshot.data() as IntentDocument;
  transaction.update(intent.ref, { intents: intents.filter(({ operation }) => operation !== claim.id) });
}
