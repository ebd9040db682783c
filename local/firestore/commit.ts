import { status } from '@grpc/grpc-js';
import { GrpcError } from '../grpc/server.ts';
import type { DocumentStore, StoredDocument } from './store.ts';
import { type Micros, toTimestamp } from './time.ts';
import { applyWrite, type DocumentWrite, type WriteOutcome } from './writes.ts';

/** What a commit would do to each document that it names. */
export interface CommitPlan {
  readonly time: Micros;
  readonly outcomes: readonly WriteOutcome[];
  readonly changes: ReadonlyMap<string, DocumentChange>;
}

export interface DocumentChange {
  readonly name: string;
  readonly previous: StoredDocument | undefined;
  readonly next: StoredDocument | undefined;
}

export interface CommitResult {
  readonly writeResults: object[];
  readonly commitTime: object;
}

/**
 * Works out a commit against the present documents: its writes in order, each on what those before it made.
 *
 * @throws the error of the first write that cannot be applied
 */
export function planCommit(
  store: DocumentStore,
  writes: readonly DocumentWrite[],
  commitTime: Micros,
): CommitPlan {
  const changes = new Map<string, DocumentChange>();
  const outcomes = writes.map((write) => {
    const planned = changes.get(write.name);
    const previous = planned ? planned.previous : store.get(write.name);
    const outcome = applyWrite(write, planned ? planned.next : previous, commitTime);
    changes.set(write.name, { name: write.name, previous, next: outcome.next });
    return outcome;
  });
  return { time: commitTime, outcomes, changes };
}

/** Makes a plan true. Documents that it leaves as they are keep their update time. */
export function carryOut(store: DocumentStore, plan: CommitPlan): CommitResult {
  const changed = [...plan.changes.values()].filter(({ previous, next }) => previous !== next);
  store.apply(changed, plan.time);
  return {
    writeResults: plan.outcomes.map(({ next, transformResults }) => ({
      ...(next && { updateTime: toTimestamp(next.updateTime) }),
      transformResults,
    })),
    commitTime: toTimestamp(plan.time),
  };
}

const maxRequestBytes = 10 * 1024 * 1024;

/**
 * Refuses a commit that is too large as a whole.
 *
 * @throws INVALID_ARGUMENT
 * @see https://cloud.google.com/firestore/quotas#writes_and_transactions
 */
export function checkRequestSize(bytes: number): void {
  if (bytes > maxRequestBytes) {
    throw new GrpcError(
      status.INVALID_ARGUMENT,
      `Request payload size exceeds the limit: ${maxRequestBytes} bytes.`,
    );
  }
}
