import { randomUUID } from 'node:crypto';
import type {
  DocumentReference,
  DocumentSnapshot,
  Firestore,
  Timestamp,
  Transaction,
} from '@google-cloud/firestore';
import { hasStatus } from '../gcp/status.ts';
import { decideClaim } from '../operation/claim.ts';
import type { Delivery } from '../operation/delivery.ts';
import { OperationError } from '../operation/errors.ts';
import type { Request } from '../operation/request.ts';
import {
  isFinal,
  noLongerDeferred,
  type OperationRecord,
  operationsCollection,
  reopened,
} from './operations.ts';

/** A worker's hold on an operation. */
export interface Claim {
  readonly id: string;
  readonly ref: DocumentReference;
  /** Random, so that a worker knows its own writes again even where it never got their answers. */
  readonly owner: string;
  readonly epoch: number;
  readonly startedAt: Date;
  /** The operation's place among others about the same thing: its own, whichever of its deliveries this is. */
  readonly order: Order;
  /** When the document was last written by this worker: the condition of its next write. */
  token: Timestamp;
}

/** What tells older wishes from newer ones. */
export interface Order {
  readonly publishedAt: Date;
  readonly revision?: number;
}

export type ClaimResult =
  | { readonly kind: 'claimed'; readonly claim: Claim }
  | { readonly kind: 'report'; readonly record: OperationRecord }
  | { readonly kind: 'busy' | 'done' | 'conflict' };

export interface Wanted {
  readonly id: string;
  readonly functionName: string;
  readonly request: Request;
  readonly delivery: Delivery;
  readonly messageHash: string;
  readonly target: string | undefined;
  readonly leaseSeconds: number;
}

/**
 * Takes an operation, so that no other worker runs it. One call where nobody asked before, which is nearly always.
 *
 * Every write is conditional, and a write whose answer was lost is known again by its nonce.
 */
export async function claimOperation(db: Firestore, wanted: Wanted): Promise<ClaimResult> {
  const ref = db.collection(operationsCollection).doc(wanted.id);
  const owner = randomUUID();
  const startedAt = new Date();
  const claimed = (epoch: number, token: Timestamp, order: Order): ClaimResult => ({
    kind: 'claimed',
    claim: { id: wanted.id, ref, owner, epoch, startedAt, order, token },
  });
  try {
    const { writeTime } = await ref.create(firstRecord(wanted, owner, startedAt));
    return claimed(1, writeTime, orderOf(wanted.request));
  } catch (error) {
    if (!hasStatus(error, 'ALREADY_EXISTS')) throw error;
  }
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const snapshot = await ref.get();
    const found = existing(snapshot);
    const order = orderOf({ ...found.record, publishedAt: found.record.publishedAt.toDate() });
    if (found.record.owner === owner) return claimed(found.record.epoch, found.updateTime, order);
    const decision = decideClaim(found.record, wanted.messageHash, found.silentSeconds, found.readAt);
    if (decision === 'report') return { kind: 'report', record: found.record };
    if (decision !== 'take-over') return { kind: decision };
    const epoch = found.record.epoch + 1;
    try {
      const { writeTime } = await ref.update(
        {
          state: 'running',
          owner,
          epoch,
          leaseSeconds: wanted.leaseSeconds,
          startedAt,
          renewedAt: startedAt,
          ...(isFinal(found.record.state) ? reopened : {}),
          ...(found.record.state === 'deferred' ? noLongerDeferred : {}),
          // It had a place among its tenant's; others may have it by now.
          ...(found.record.admitted ? { admitted: false } : {}),
        },
        { lastUpdateTime: found.updateTime },
      );
      return claimed(epoch, writeTime, order);
    } catch (error) {
      if (!hasStatus(error, 'FAILED_PRECONDITION')) throw error;
    }
  }
  return { kind: 'busy' };
}

function orderOf({ publishedAt, revision }: { publishedAt: Date; revision?: number }): Order {
  return revision === undefined ? { publishedAt } : { publishedAt, revision };
}

/** The record of an operation that nobody asked for before. */
export function firstRecord(
  { functionName, request, delivery, ...wanted }: Wanted,
  owner: string,
  now: Date,
) {
  const { operationId, dryRun, publishedAt, revision, claimedActor, traceparent, tenant } = request;
  return {
    function: functionName,
    operationId,
    dryRun,
    messageHash: wanted.messageHash,
    messageId: delivery.messageId,
    publishedAt,
    revision,
    claimedActor,
    traceparent,
    target: wanted.target,
    tenant,
    state: 'running',
    epoch: 1,
    owner,
    leaseSeconds: wanted.leaseSeconds,
    renewedAt: now,
    createdAt: now,
    startedAt: now,
    reported: false,
    deadLettered: false,
  };
}

function existing(snapshot: DocumentSnapshot) {
  const { updateTime, readTime } = snapshot;
  if (updateTime === undefined) {
    throw new OperationError('RECORD_GONE', 'The record of this operation was deleted a moment ago', {
      retryable: true,
    });
  }
  return {
    record: snapshot.data() as OperationRecord,
    updateTime,
    readAt: readTime.toDate(),
    silentSeconds: (readTime.toMillis() - updateTime.toMillis()) / 1000,
  };
}

/**
 * Says that the worker is alive.
 *
 * @throws OperationError `LEASE_LOST` when another worker took over
 */
export async function renewLease(claim: Claim): Promise<void> {
  try {
    const { writeTime } = await claim.ref.update({ renewedAt: new Date() }, { lastUpdateTime: claim.token });
    claim.token = writeTime;
  } catch (error) {
    if (!hasStatus(error, 'FAILED_PRECONDITION')) throw error;
    const snapshot = await claim.ref.get();
    if (snapshot.get('owner') !== claim.owner || snapshot.updateTime === undefined) throw leaseLost(claim);
    claim.token = snapshot.updateTime; // the renewal had arrived, only its answer was lost
  }
}

export function leaseLost(claim: Claim): OperationError {
  return new OperationError(
    'LEASE_LOST',
    `Another worker took operation ${claim.id} over: this one (attempt ${claim.epoch}) was silent for too long`,
    { retryable: true },
  );
}

/**
 * Runs a transaction, in which the worker still holds the operation: without its lease it may not even wish.
 *
 * @param refs documents that `update` gets as they are
 */
export function transactAsHolder<T>(
  db: Firestore,
  claim: Claim,
  refs: readonly DocumentReference[],
  update: (transaction: Transaction, snapshots: DocumentSnapshot[]) => Promise<T>,
): Promise<T> {
  return db.runTransaction(async (transaction) => {
    const [record, ...snapshots] = await transaction.getAll(claim.ref, ...refs);
    if (record?.get('owner') !== claim.owner) throw leaseLost(claim);
    return update(transaction, snapshots);
  });
}
