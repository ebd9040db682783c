import type { Firestore } from '@google-cloud/firestore';
import { decideClaim } from '../operation/claim.ts';
import { OperationError } from '../operation/errors.ts';
import { firstRecord, type Wanted } from './claims.ts';
import { expiry } from './expiry.ts';
import {
  conflictDocumentId,
  isFinal,
  leftLine,
  type OperationRecord,
  type OperationState,
  operationsCollection,
  type RecordedError,
} from './operations.ts';
import { keepPayload } from './parts.ts';

/** The owner of operations that Pub/Sub gave up on: a worker that is still at one has lost it. */
const owner = 'dead-letter';

/**
 * The record of a message that names no operation: its id went with the delivery, for a dead letter is a message of
 * its own. What it says and when it was published find it; among equals the one that hasn't ended.
 */
export async function findRecord(
  db: Firestore,
  { functionName, messageHash, request }: Pick<Wanted, 'functionName' | 'messageHash' | 'request'>,
): Promise<{ id: string; operationId: string } | undefined> {
  const { docs } = await db
    .collection(operationsCollection)
    .where('function', '==', functionName)
    .where('messageHash', '==', messageHash)
    .where('publishedAt', '==', request.publishedAt)
    .where('dryRun', '==', request.dryRun)
    .get();
  const twins = docs.filter((candidate) => candidate.get('tenant') === request.tenant);
  const found = twins.find((candidate) => !isFinal(candidate.get('state') as OperationState)) ?? twins[0];
  return found && { id: found.id, operationId: found.get('operationId') as string };
}

/**
 * Ends an operation whose deliveries are used up, and keeps its message.
 *
 * @param deliveries how often it was delivered
 * @returns the record to report, or undefined where the operation had ended before and was reported
 * @throws OperationError `BUSY` while a worker is at it: it may still succeed
 */
export async function exhaustOperation(
  db: Firestore,
  wanted: Wanted,
  deliveries: number,
): Promise<{ id: string; record: OperationRecord } | undefined> {
  const found = await db.collection(operationsCollection).doc(wanted.id).get();
  // The record of another message with the same id stays as it is.
  const conflicts = found.exists && found.get('messageHash') !== wanted.messageHash;
  const id = conflicts ? conflictDocumentId(wanted.id, wanted.messageHash) : wanted.id;
  const ref = db.collection(operationsCollection).doc(id);
  const payload = await keepPayload(ref, wanted.delivery);
  return db.runTransaction(async (transaction) => {
    const snapshot = await transaction.get(ref);
    const existing = snapshot.data() as OperationRecord | undefined;
    if (existing && snapshot.updateTime) {
      const silentSeconds = (snapshot.readTime.toMillis() - snapshot.updateTime.toMillis()) / 1000;
      const decision = decideClaim(existing, wanted.messageHash, silentSeconds, snapshot.readTime.toDate());
      if (decision === 'done') return undefined;
      if (decision === 'report') return { id, record: existing };
      if (decision === 'conflict') {
        throw new OperationError('BUSY', 'Another message took this operation id a moment ago', {
          retryable: true,
        });
      }
      if (decision === 'busy') {
        throw new OperationError('BUSY', 'A worker is at this operation; it may succeed yet', {
          retryable: true,
        });
      }
    }
    const finishedAt = new Date();
    const last = existing?.error ?? undefined;
    const fields = {
      state: 'failed',
      reason: 'exhausted',
      error: {
        code: 'EXHAUSTED',
        message: `Given up after ${deliveries} deliveries. ${last ? `The last one failed with ${last.code}: ${last.message}` : 'None of them left a record.'}`,
        details: last ? { last: withoutLast(last) } : {},
      },
      owner,
      epoch: (existing?.epoch ?? 0) + 1,
      payload,
      finishedAt,
      expireAt: expiry(finishedAt),
      durationMs: 0,
      reported: false,
      deadLettered: true,
      ...leftLine(existing),
    };
    if (existing) transaction.update(ref, fields);
    else transaction.create(ref, { ...firstRecord(wanted, owner, finishedAt), ...fields });
    const record = { ...(existing ?? firstRecord(wanted, owner, finishedAt)), ...fields };
    return { id, record: record as unknown as OperationRecord };
  });
}

/**
 * Notes on the record of an operation that failed for good that its message is among the dead letters.
 *
 * @returns false where there is no such record
 * @throws OperationError `BUSY` while it hasn't ended
 */
export async function noteDeadLetter(db: Firestore, { id }: Pick<Wanted, 'id'>): Promise<boolean> {
  const ref = db.collection(operationsCollection).doc(id);
  return db.runTransaction(async (transaction) => {
    const record = (await transaction.get(ref)).data() as OperationRecord | undefined;
    if (record === undefined) return false;
    if (!isFinal(record.state)) {
      throw new OperationError('BUSY', 'The operation of this dead letter has not ended yet', {
        retryable: true,
      });
    }
    // One that was replayed since, and succeeded, is no dead letter any more.
    if (record.state === 'failed' && !record.deadLettered) transaction.update(ref, { deadLettered: true });
    return true;
  });
}

/** An error without the one before it: a replay that is given up as well would nest them. */
function withoutLast({ code, message, details }: RecordedError): RecordedError {
  const { last: _, ...rest } = details;
  return { code, message, details: rest };
}
