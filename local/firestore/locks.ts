import { status } from '@grpc/grpc-js';
import { GrpcError } from '../grpc/server.ts';
import type { CommitPlan, DocumentChange } from './commit.ts';
import { DocumentLocks } from './document-locks.ts';
import type { StoredDocument } from './store.ts';
import type { Clock, Micros } from './time.ts';

/** What holds locks: a read-write transaction. */
export interface LockOwner {
  /** Names of the documents that it has read. */
  readonly documents: Set<string>;
  /** For each query that it has run, whether a document is in the range that the query read. */
  readonly queries: ((document: StoredDocument) => boolean)[];
  /** When its locks stop counting because nobody uses the transaction any more. */
  expiresAt(): Micros;
}

/** A commit as the lock table sees it: worked out afresh each time that it may be its turn. */
export interface PendingCommit<Result> {
  readonly owner: LockOwner | undefined;
  plan(): CommitPlan;
  carryOut(plan: CommitPlan): Result;
}

interface WaitingCommit {
  readonly owner: LockOwner | undefined;
  readonly names: ReadonlySet<string>;
  blockers(): Set<LockOwner>;
  /** Commits, fails, or goes on waiting. */
  retry(): void;
}

/**
 * https://cloud.google.com/firestore/docs/transaction-data-contention: who can't get a lock is delayed, then
 * refused. Shorter than the idle time of a transaction, so a dead client delays others only for so long.
 */
const lockWaitMilliseconds = 20_000;

/**
 * Pessimistic concurrency control, as the server client libraries of Firestore get it.
 *
 * What a read-write transaction has read can't be changed by anybody else until it ends: a commit that would
 * do so waits, first come, first served. Reads never conflict with reads. Two transactions that have both read
 * what both want to write would wait for each other for ever; the second one to commit is refused at once.
 * Since every transaction locks what it reads before it writes, transactions are serializable.
 */
export class LockTable {
  readonly #clock: Clock;
  readonly #expire: (owner: LockOwner) => void;
  readonly #documents: DocumentLocks;
  readonly #readers = new Set<LockOwner>();
  readonly #waiting = new Set<WaitingCommit>();

  /** @param expire told of an owner whose time is over, whose locks are gone */
  constructor(clock: Clock, expire: (owner: LockOwner) => void) {
    this.#clock = clock;
    this.#expire = expire;
    this.#documents = new DocumentLocks(clock, (name) => this.#isAwaited(name));
  }

  /** Locks a document that `owner` is about to read. Undefined means that it need not wait. */
  lockDocument(owner: LockOwner, name: string): Promise<void> | undefined {
    return this.#documents.lock(owner, name);
  }

  /** Locks all documents, present and future, that a query of `owner` covers. */
  lockQuery(owner: LockOwner, covers: (document: StoredDocument) => boolean): void {
    owner.queries.push(covers);
    this.#readers.add(owner);
  }

  /**
   * Carries a commit out as soon as no other transaction has read what it changes.
   *
   * @throws ABORTED when waiting would never end or has lasted too long; whatever `plan` throws
   */
  commit<Result>(commit: PendingCommit<Result>): Result | Promise<Result> {
    const plan = commit.plan();
    const blockers = this.#blockers(commit.owner, plan);
    if (blockers.size === 0) return commit.carryOut(plan);
    if (commit.owner && this.#waitsFor(blockers, commit.owner)) throw contention();
    return this.#wait(commit, plan, blockers);
  }

  /**
   * Ends what `owner` holds and lets those go on who waited for it.
   *
   * @param written names of the documents that it changed; undefined if it didn't get that far
   */
  release(owner: LockOwner, written?: { has(name: string): boolean }): void {
    const names = [...owner.documents];
    this.#readers.delete(owner);
    owner.queries.length = 0;
    this.#documents.release(owner, written);
    for (const waiting of [...this.#waiting]) waiting.retry();
    for (const name of names) this.#documents.admit(name);
  }

  #wait<Result>(commit: PendingCommit<Result>, first: CommitPlan, blockers: Set<LockOwner>): Promise<Result> {
    const deadline = this.#clock.now() + lockWaitMilliseconds * 1000;
    return new Promise((resolve, reject) => {
      let cancelTimer = this.#wakeAt(deadline, blockers, () => waiting.retry());
      const leave = (settle: () => void) => {
        cancelTimer();
        this.#waiting.delete(waiting);
        settle();
        for (const name of waiting.names) this.#documents.admit(name);
      };
      const waiting: WaitingCommit = {
        owner: commit.owner,
        names: new Set(first.changes.keys()),
        blockers: () => this.#blockers(commit.owner, commit.plan()),
        retry: () => {
          if (!this.#waiting.has(waiting)) return;
          try {
            const plan = commit.plan();
            const present = this.#blockers(commit.owner, plan);
            if (present.size === 0) {
              // Out of the queue first: carrying it out releases locks, which asks the whole queue again.
              this.#waiting.delete(waiting);
              const result = commit.carryOut(plan);
              leave(() => resolve(result));
            } else if (this.#clock.now() >= deadline) {
              throw contention();
            } else {
              cancelTimer();
              cancelTimer = this.#wakeAt(deadline, present, () => waiting.retry());
            }
          } catch (error) {
            leave(() => reject(error));
          }
        },
      };
      this.#waiting.add(waiting);
    });
  }

  #wakeAt(deadline: Micros, blockers: Set<LockOwner>, wake: () => void): () => void {
    const expiries = [...blockers].map((owner) => owner.expiresAt());
    const first = Math.min(deadline, ...expiries);
    return this.#clock.after(Math.max(0, Math.ceil((first - this.#clock.now()) / 1000)), wake);
  }

  #isAwaited(name: string): boolean {
    for (const waiting of this.#waiting) if (waiting.names.has(name)) return true;
    return false;
  }

  /** The other transactions that have read what a commit changes. */
  #blockers(owner: LockOwner | undefined, plan: CommitPlan): Set<LockOwner> {
    const blockers = new Set<LockOwner>();
    for (const change of plan.changes.values()) {
      this.#documents.addHolders(change.name, blockers);
      for (const reader of this.#readers) if (hasRead(reader, change)) blockers.add(reader);
    }
    if (owner) blockers.delete(owner);
    const now = blockers.size === 0 ? 0 : this.#clock.now();
    for (const blocker of blockers) {
      if (blocker.expiresAt() > now) continue;
      blockers.delete(blocker);
      this.#expire(blocker);
    }
    return blockers;
  }

  /** Whether one of `blockers` waits for `owner`, directly or through others. */
  #waitsFor(blockers: Set<LockOwner>, owner: LockOwner): boolean {
    const seen = new Set(blockers);
    for (const blocker of seen) {
      if (blocker === owner) return true;
      for (const waiting of this.#waiting) {
        if (waiting.owner === blocker) for (const next of blockersOf(waiting)) seen.add(next);
      }
    }
    return false;
  }
}

function hasRead(owner: LockOwner, { previous, next }: DocumentChange): boolean {
  return owner.queries.some((covers) => (previous && covers(previous)) || (next && covers(next)));
}

/** Nobody blocks a commit that is going to fail of itself. */
function blockersOf(waiting: WaitingCommit): Iterable<LockOwner> {
  try {
    return waiting.blockers();
  } catch {
    return [];
  }
}

function contention(): GrpcError {
  return new GrpcError(status.ABORTED, 'Too much contention on these documents. Please try again.');
}
