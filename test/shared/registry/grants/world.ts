import type { DocumentReference, Transaction } from '@google-cloud/firestore';
import { OperationError } from '../../../../shared/operation/errors.ts';
import type { GrantSetWish } from '../../../../shared/registry/grants/merge.ts';
import { withdraw } from '../../../../shared/registry/grants/merge.ts';
import {
  emptySet,
  type GrantSet,
  grantKey,
  hasOverwritten,
  isKnown,
  isResumed,
  openOperations,
  type RegisteredGrant,
} from '../../../../shared/registry/grants/model.ts';
import {
  dueGrants,
  expire,
  settle,
  type Wanted,
  wantedOf,
  wantedWithout,
} from '../../../../shared/registry/grants/outcome.ts';
import {
  beginAttempt,
  EndedWishes,
  type Registered,
  refuseEnded,
  registerWish,
} from '../../../../shared/registry/grants/store.ts';
import { Superseded } from '../../../../shared/registry/intents.ts';

export const scope = { instance: 'acme:europe-west1:main', database: 'app', schema: 'billing' };

/** A moment, in minutes after some other. */
export const minute = (minutes: number) => new Date(Date.UTC(2026, 0, 1) + minutes * 60_000);

/** Longer than any of these stories. */
export const keepDays = 400;

export type Ending = 'succeeded' | 'failed';

/** What an operation would do next: nothing yet, or bring about what it has written down. */
interface Attempt {
  readonly registered: Registered & { readonly due?: readonly RegisteredGrant[] };
  readonly wanted: Wanted;
  /** An earlier one may have changed the catalog. */
  readonly resumed: boolean;
  readonly known: boolean;
  /** The number that it found in the catalog. */
  found?: number;
  done: 'registered' | 'applied' | 'settled';
}

interface Worker {
  readonly wish?: GrantSetWish;
  /** Refused by the catalog, whenever it gets there. */
  readonly impossible: boolean;
  attempt?: Attempt | undefined;
  ending?: Ending;
}

/**
 * One set of grants in the registry, its memberships in a catalog, and workers that can be stopped between any two steps:
 * the registry's own functions, in the order in which an operation calls them.
 */
export class World {
  set: GrantSet = emptySet(scope);
  /** Keys of the grants that the catalog has. */
  readonly catalog = new Set<string>();
  #mark = 0;
  now = 0;
  readonly workers = new Map<string, Worker>();

  /** Somebody asks for something. */
  ask(wish: GrantSetWish, impossible = false): void {
    this.workers.set(wish.author.operation, { wish, impossible });
  }

  /** The clock asks for what is due to be taken back. */
  askExpiry(operation: string): void {
    this.workers.set(operation, { impossible: false });
  }

  /** One step of one worker: writes down, changes the catalog, records that it is done, ends. */
  async step(operation: string): Promise<void> {
    const worker = this.worker(operation);
    if (worker.ending) return;
    const { attempt } = worker;
    if (attempt === undefined) await this.#register(operation, worker, 0);
    else if (attempt.done === 'registered') await this.#apply(operation, worker, attempt);
    else if (attempt.done === 'applied') this.#settle(operation, attempt);
    else worker.ending = 'succeeded';
  }

  /** The worker dies where it stands; its message comes again. */
  crash(operation: string): void {
    this.worker(operation).attempt = undefined;
  }

  /** It is given up where it stands, and nobody takes its wish out of the registry, or what it did out of the catalog. */
  giveUp(operation: string): void {
    const worker = this.worker(operation);
    if (worker.ending || worker.attempt?.done === 'settled') return;
    worker.attempt = undefined;
    worker.ending = 'failed';
  }

  /** Time passes. */
  tick(minutes: number): void {
    this.now += minutes;
  }

  /** Every worker goes on until all have ended. */
  async finish(): Promise<void> {
    const open = () => [...this.workers].filter(([, { ending }]) => ending === undefined);
    for (let round = 0; open().length > 0; round += 1) {
      if (round > 20 * this.workers.size + 20) {
        throw new Error(`they wait for each other: ${open().map(([operation]) => operation)}`);
      }
      for (const [operation] of open()) await this.step(operation);
    }
  }

  /** As `reconcile` does it when it compares: what ended without a word is undone. */
  undoAbandoned(): void {
    this.#undo(openOperations(this.set).filter((operation) => this.worker(operation).ending));
  }

  worker(operation: string): Worker {
    const worker = this.workers.get(operation);
    if (worker === undefined) throw new Error(`there is no ${operation}`);
    return worker;
  }

  /** Grants that are there by what was decided. */
  present(): Map<string, Date | undefined> {
    const decided = Object.entries(this.set.grants).flatMap(([key, { value, before, undecided }]) => {
      const state = undecided ? before : value;
      return state?.present ? [[key, state.expiresAt] as const] : [];
    });
    return new Map(decided);
  }

  async #register(operation: string, worker: Worker, atLeast: number): Promise<void> {
    const resumed = isResumed(this.set, operation);
    const known = isKnown(this.set, operation);
    try {
      const registered: Attempt['registered'] | undefined = await (worker.wish
        ? registerWish(this.#transaction, this.#ref, this.set, worker.wish, atLeast)
        : this.#registerExpiry(operation, atLeast));
      if (registered === undefined) {
        worker.ending = 'succeeded';
        return;
      }
      const wanted = worker.wish
        ? wantedOf(registered.set, worker.wish, registered.superseded)
        : wantedExpiry(registered.due);
      worker.attempt = { registered, wanted, resumed, known, done: 'registered' };
    } catch (error) {
      if (error instanceof EndedWishes) {
        this.#undo(error.operations);
        await this.#register(operation, worker, atLeast);
      } else if (error instanceof Superseded) worker.ending = 'succeeded';
      else if (!(error instanceof OperationError)) throw error;
      else if (!error.retryable) worker.ending = 'failed';
    }
  }

  async #registerExpiry(operation: string, atLeast: number): Promise<Attempt['registered'] | undefined> {
    const open = openOperations(this.set).filter((id) => id !== operation);
    await refuseEnded(this.#transaction, this.#ref.firestore, open);
    const due = dueGrants(this.set, minute(this.now), operation);
    if (due.length === 0) return undefined;
    const expiring = expire(this.set, due, operation);
    return {
      due,
      set: expiring,
      superseded: [],
      by: [],
      ...beginAttempt(this.#transaction, this.#ref, expiring, atLeast),
    };
  }

  async #apply(operation: string, worker: Worker, attempt: Attempt): Promise<void> {
    const { epoch, outstanding } = attempt.registered;
    if (this.#mark > epoch) {
      worker.attempt = undefined;
      await this.#register(operation, worker, this.#mark);
      return;
    }
    // A grant that is over before it begins is refused, unless it was not when it was asked for.
    const isRefused = !attempt.known && attempt.wanted.grants.some((grant) => this.#isOver(grant));
    if (worker.impossible || isRefused) {
      if (attempt.resumed || hasOverwritten(attempt.registered.set, operation)) this.#undo([operation]);
      else this.set = withdraw(this.set, operation);
      worker.ending = 'failed';
      return;
    }
    attempt.found = this.#mark;
    const changed = this.#change(attempt.wanted);
    if (changed || outstanding) this.#mark = epoch;
    attempt.done = 'applied';
  }

  #isOver({ present, notAfter }: Wanted['grants'][number]): boolean {
    return present && notAfter !== undefined && notAfter <= minute(this.now);
  }

  /** As `undo` does it: the mark, then what the mark says, then the registry. */
  #undo(operations: readonly string[]): void {
    const open = openOperations(this.set).filter((id) => operations.includes(id));
    if (open.length === 0) return;
    const epoch = Math.max(this.set.epoch, this.#mark) + 1;
    const reached = this.set.reached === true || this.#mark > this.set.appliedEpoch;
    if (reached) this.#change(wantedWithout(this.set, open));
    this.#mark = epoch;
    const marked = { ...this.set, epoch, appliedEpoch: epoch, reached };
    this.set = open.reduce<GrantSet>(withdraw, marked);
  }

  #change({ grants, surplus, undecided }: Wanted): boolean {
    const before = [...this.catalog].sort().join();
    for (const grant of grants) {
      if (grant.present && !this.#isOver(grant)) this.catalog.add(grantKey(grant));
      else this.catalog.delete(grantKey(grant));
    }
    const known = new Set([...grants, ...undecided].map(grantKey));
    if (surplus === 'revoke') {
      for (const key of [...this.catalog]) if (!known.has(key)) this.catalog.delete(key);
    }
    return [...this.catalog].sort().join() !== before;
  }

  #settle(operation: string, attempt: Attempt): void {
    const done = { operation, epoch: attempt.registered.epoch, found: attempt.found ?? 0 };
    const { set, overwrittenBy } = settle(this.set, done, { now: minute(this.now), keepDays });
    this.set = set;
    if (overwrittenBy.length > 0) {
      this.crash(operation);
      return;
    }
    attempt.done = 'settled';
  }

  /** As much of Firestore as the registry asks of it here. */
  get #transaction(): Transaction {
    const state = (id: string) => this.workers.get(id)?.ending ?? 'running';
    const fake = {
      getAll: async (...records: { id: string }[]) => records.map(({ id }) => ({ id, get: () => state(id) })),
      set: (_ref: unknown, set: GrantSet) => {
        this.set = set;
      },
    };
    return fake as unknown as Transaction;
  }

  get #ref(): DocumentReference {
    const fake = { firestore: { collection: () => ({ doc: (id: string) => ({ id }) }) } };
    return fake as unknown as DocumentReference;
  }
}

function wantedExpiry(due: readonly RegisteredGrant[] = []): Wanted {
  return {
    grants: due.map(({ role, principal }) => ({ role, principal, present: false })),
    customRoles: [],
    surplus: 'ignore',
    undecided: [],
  };
}
