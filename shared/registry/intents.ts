import type {
  DocumentReference,
  DocumentSnapshot,
  Firestore,
  Timestamp,
  Transaction,
} from '@google-cloud/firestore';
import { OperationError } from '../operation/errors.ts';
import { type Claim, leaseLost, type Order } from './claims.ts';
import { type OperationRecord, operationsCollection } from './operations.ts';

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
  intent: StoredIntent | null;
  /** What to go back to where the intent turns out to be impossible. */
  previous: StoredIntent | null;
  applied?: Record<string, unknown>;
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
 * Records what an operation wants, unless something newer is wanted.
 *
 * @param identity fields that say what the document is about, for people and queries
 * @param atLeast the epoch found on the thing itself. It can be ahead of the registry where one of them was restored
 *   from a backup or the database is a clone
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
    const recorded = found?.intent ?? undefined;
    const again = recorded?.operation === claim.id;
    if (recorded && !again && isOlder(claim.order, orderOf(recorded))) {
      await giveWay(transaction, db.collection(operationsCollection).doc(recorded.operation));
    }
    const epoch = Math.max(found?.epoch ?? 0, wish.atLeast ?? 0) + 1;
    const document = {
      ...identity,
      epoch,
      appliedEpoch: found?.appliedEpoch ?? 0,
      intent: { operation: claim.id, ...claim.order, desired },
      previous: again ? (found?.previous ?? null) : (recorded ?? null),
    };
    // Field by field: a merge would leave what the last wish had and this one hasn't.
    transaction.set(ref, document, { mergeFields: Object.keys(document) });
    return { ref, epoch, outstanding: found !== undefined && found.appliedEpoch !== found.epoch };
  });
}

/**
 * An older wish gives way to one that was done, and waits for one that nobody knows yet whether it can be. One that
 * failed is out of the way; where it is replayed, it is the newer one again.
 */
async function giveWay(transaction: Transaction, newer: DocumentReference): Promise<void> {
  const record = (await transaction.get(newer)).data() as OperationRecord | undefined;
  if (record === undefined || record.state === 'succeeded') throw new Superseded(newer.id);
  if (record.state === 'failed') return;
  throw new OperationError(
    'NEWER_UNDECIDED',
    `A newer message about the same thing is under way (operation ${newer.id}); this one waits for its end`,
    { retryable: true },
  );
}

function orderOf({ publishedAt, revision }: StoredIntent): Order {
  return revision === undefined
    ? { publishedAt: publishedAt.toDate() }
    : { publishedAt: publishedAt.toDate(), revision };
}

/**
 * Records, in the transaction that ends the operation, that an intent is so now.
 *
 * @param facts what came of it, replacing what was known before
 */
export function markApplied(
  transaction: Transaction,
  intent: Intent,
  snapshot: DocumentSnapshot,
  facts: Record<string, unknown>,
): void {
  const appliedEpoch = snapshot.get('appliedEpoch') as number;
  if (appliedEpoch >= intent.epoch) return; // a newer attempt finished first; what it found is newer, too
  transaction.update(intent.ref, { appliedEpoch: intent.epoch, applied: facts });
}

/** Takes an impossible intent back, so that it doesn't stand in the way of what was wanted before. */
export function withdraw(
  transaction: Transaction,
  intent: Intent,
  snapshot: DocumentSnapshot,
  operation: string,
): void {
  const found = snapshot.data() as IntentDocument;
  if (found.intent?.operation !== operation) return;
  transaction.update(intent.ref, { intent: found.previous, previous: null });
}
