import type { Firestore } from '@google-cloud/firestore';
import { OperationError } from '../operation/errors.ts';
import { attribute } from '../operation/request.ts';
import { type OperationRecord, operationsCollection } from './operations.ts';
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
    const reopened = found.state === 'pending' && found.payload;
    if (found.state !== 'failed' && !reopened) {
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
    if (!found.payload)
      throw new OperationError('NOT_REPLAYABLE', `The message of operation ${id} was not kept`);
    transaction.update(ref, { state: 'pending', reported: false, deadLettered: false, expireAt: null });
    return found;
  });
  const { payload } = record;
  if (!payload) throw new OperationError('NOT_REPLAYABLE', `The message of operation ${id} was not kept`);
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
