import type { LockOwner } from './locks.ts';
import type { Clock } from './time.ts';

interface DocumentLock {
  readonly holders: Set<LockOwner>;
  /** Who wants to read it and lets the present holders finish first. First come, first served. */
  queue: { owner: LockOwner; admit: () => void }[];
  cancelTimer: (() => void) | undefined;
}

/**
 * How long a reader lets the present holders of a document finish before it shares the lock with them.
 *
 * Shared locks alone are correct, but then transactions that read and write one document all at once are all
 * aborted but one, and each client sleeps for a second before it tries again. Going one after the other costs
 * a short-lived transaction nothing and needs no second attempt.
 */
const patienceMilliseconds = 100;

const maxRemembered = 10_000;

/** The locks that transactions hold on single documents, and who waits to read one. */
export class DocumentLocks {
  readonly #clock: Clock;
  readonly #isAwaited: (name: string) => boolean;
  readonly #locks = new Map<string, DocumentLock>();
  /** Documents that the last transaction read without writing them: there, queueing would be for nothing. */
  readonly #onlyRead = new Set<string>();

  /** @param isAwaited whether a commit waits to change the document; readers let it go first */
  constructor(clock: Clock, isAwaited: (name: string) => boolean) {
    this.#clock = clock;
    this.#isAwaited = isAwaited;
  }

  /** Undefined if the lock is held at once. Never waits for ever: in the end it is shared. */
  lock(owner: LockOwner, name: string): Promise<void> | undefined {
    let lock = this.#locks.get(name);
    if (lock?.holders.has(owner)) return undefined;
    if (lock === undefined) {
      lock = { holders: new Set(), queue: [], cancelTimer: undefined };
      this.#locks.set(name, lock);
    }
    const free = lock.holders.size === 0 || this.#onlyRead.has(name);
    if (free && lock.queue.length === 0 && !this.#isAwaited(name)) {
      hold(lock, owner, name);
      return undefined;
    }
    const { queue } = lock;
    const admitted = new Promise<void>((admit) => queue.push({ owner, admit }));
    this.#startTimer(lock, name);
    return admitted;
  }

  addHolders(name: string, owners: Set<LockOwner>): void {
    for (const holder of this.#locks.get(name)?.holders ?? []) owners.add(holder);
  }

  release(owner: LockOwner, written: { has(name: string): boolean } | undefined): void {
    for (const name of owner.documents) {
      this.#locks.get(name)?.holders.delete(owner);
      if (written) this.#remember(name, written.has(name));
    }
    owner.documents.clear();
  }

  /** Lets the next reader in, if the document is free by now. */
  admit(name: string): void {
    const lock = this.#locks.get(name);
    if (lock === undefined || lock.holders.size > 0 || this.#isAwaited(name)) return;
    if (lock.queue.length === 0) {
      lock.cancelTimer?.();
      this.#locks.delete(name);
      return;
    }
    this.#admitFirst(lock, name, this.#onlyRead.has(name) ? lock.queue.length : 1);
  }

  #admitFirst(lock: DocumentLock, name: string, count: number): void {
    lock.cancelTimer?.();
    lock.cancelTimer = undefined;
    for (const { owner, admit } of lock.queue.splice(0, count)) {
      hold(lock, owner, name);
      admit();
    }
    this.#startTimer(lock, name);
  }

  #startTimer(lock: DocumentLock, name: string): void {
    if (lock.queue.length === 0 || lock.cancelTimer) return;
    lock.cancelTimer = this.#clock.after(patienceMilliseconds, () => {
      // One at a time: each that shares the lock is one more that may have to be aborted.
      lock.cancelTimer = undefined;
      this.#admitFirst(lock, name, 1);
    });
  }

  #remember(name: string, written: boolean): void {
    if (written) this.#onlyRead.delete(name);
    else if (this.#onlyRead.size >= maxRemembered) this.#onlyRead.clear();
    else this.#onlyRead.add(name);
  }
}

function hold(lock: DocumentLock, owner: LockOwner, name: string): void {
  lock.holders.add(owner);
  owner.documents.add(name);
}
