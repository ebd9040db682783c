import type { DocumentReference, Firestore } from '@google-cloud/firestore';
import { OperationError } from '../operation/errors.ts';
import { attribute } from '../operation/request.ts';
import { isStuck, type OperationRecord, operationsCollection, reopened } from './operations.ts';
import { readPayload } from './parts.ts';

/** Pub/Sub's limit. */
const mostAttributes = 100;

const contract: ReadonlySet<string> = new Set(Object.values(attribute));

/** A message to be published again. */
export interface Replay {
  /** The topic: every function listens to the one of its name. */
  readonly topic: string;
  readonly data: Buffer;
  readonly attributes: Record<string, string>;
}

/**
 * Opens a failed operation again, so that the next delivery of its message runs it. The message keeps its id and its
 * time: whatever was asked for since then is newer.
 *
 * Reopening before publishing loses nothing: what crashes between the two can be replayed again.
 *
 * @throws OperationError `NOT_FOUND`, or `NOT_REPLAYABLE` where it didn't fail or has no message
 */
export async function reopenOperation(db: Firestore, id: string): Promise<Replay> {
  const ref = db.collection(operationsCollection).doc(id);
  const record = await db.runTransaction(async (transaction) => {
    const snapshot = await transaction.get(ref);
    const found = snapshot.data() as OperationRecord | undefined;
    if (found === undefined)
      throw new OperationError('NOT_FOUND', `There is no operation with the record ${id}`);
    const waits = found.state === 'pending' && found.payload;
    if (found.state !== 'failed' && !waits) {
      throw new OperationError(
        'NOT_REPLAYABLE',
        `Operation ${id} is ${found.state}: only what failed can be replayed`,
      );
    }
    if (found.function === 'dead-letter') {
      throw new OperationError(
        'NOT_REPLAYABLE',
        `Operation ${id} names no function that it was for: publish it anew`,
      );
    }
    if (!found.payload) throw notKept(id, found);
    transaction.update(ref, { state: 'pending', renewedAt: new Date(), ...reopened });
    return found;
  });
  return messageOf(ref, record);
}

/**
 * The message of an operation as it was, to be published again.
 *
 * @throws OperationError `NOT_REPLAYABLE` where it was not kept
 */
export async function messageOf(ref: DocumentReference, record: OperationRecord): Promise<Replay> {
  const { payload } = record;
  if (!payload) throw notKept(ref.id, record);
  const own = {
    [attribute.operationId]: record.operationId,
    [attribute.publishedAt]: record.publishedAt.toDate().toISOString(),
  };
  // What Pub/Sub added or keeps for itself can't be published; and there is room for so many only.
  const original = payload.attributes
    .filter(({ name }) => !(name in own) && !/^(?:CloudPubSub|goog)/.test(name))
    .sort((a, b) => Number(contract.has(b.name)) - Number(contract.has(a.name)))
    .slice(0, mostAttributes - Object.keys(own).length);
  return {
    topic: record.function,
    data: await readPayload(ref, payload),
    attributes: { ...Object.fromEntries(original.map(({ name, value }) => [name, value])), ...own },
  };
}

function notKept(id: string, record: OperationRecord): OperationError {
  const why = isStuck(record)
    ? 'nothing was heard of it for an hour. If it comes after all it is run; else publish it anew'
    : 'publish it anew';
  return new OperationError('NOT_REPLAYABLE', `The message of operation ${id} was not kept: ${why}`);
}
