import { status } from '@grpc/grpc-js';
import { GrpcError } from '../grpc/server.ts';
import { type CommitResult, carryOut, planCommit } from './commit.ts';
import { LockTable } from './locks.ts';
import { DocumentStore } from './store.ts';
import { type Clock, type Micros, TimestampOracle } from './time.ts';
import { type ReadWriteTransaction, type Transaction, Transactions } from './transactions.ts';
import type { ConsistencySelector, TransactionOptions } from './wire.ts';
import type { DocumentWrite } from './writes.ts';

/** How one request reads: what is there now, under locks, or what was there at some time. */
export interface ReadView {
  /** Reads the past; undefined reads the present. */
  readonly time: Micros | undefined;
  /** Locks what it reads for this transaction. */
  readonly transaction: ReadWriteTransaction | undefined;
  /** Id of the transaction that this request began, which its first answer carries. */
  readonly begun: Buffer | undefined;
}

/** Documents, locks and transactions of the server, brought together. */
export class Database {
  readonly store = new DocumentStore();
  readonly #oracle: TimestampOracle;
  readonly #transactions: Transactions;
  readonly #locks: LockTable;

  constructor(clock: Clock) {
    this.#oracle = new TimestampOracle(clock);
    this.#transactions = new Transactions(clock);
    this.#locks = new LockTable(clock, (owner) => {
      for (const transaction of this.#transactions.expired())
        if (transaction === owner) this.#end(transaction);
    });
  }

  begin(database: string, options: TransactionOptions = {}): Transaction {
    for (const transaction of [...this.#transactions.expired()]) this.#end(transaction);
    if (options.mode !== 'readOnly') return this.#transactions.beginReadWrite(database);
    const { readTime } = options.readOnly ?? {};
    const snapshot = readTime ? this.#oracle.past(readTime) : this.#oracle.next();
    return this.#transactions.beginReadOnly(database, snapshot);
  }

  /** @throws INVALID_ARGUMENT or FAILED_PRECONDITION if one can't read like that */
  view(database: string, { transaction, newTransaction, readTime }: ConsistencySelector): ReadView {
    if (readTime) return { time: this.#oracle.past(readTime), transaction: undefined, begun: undefined };
    if (newTransaction) {
      const begun = this.begin(database, newTransaction);
      return { ...viewOf(begun), begun: begun.id };
    }
    if (transaction?.length) return viewOf(this.#transactions.use(transaction, database));
    return { time: undefined, transaction: undefined, begun: undefined };
  }

  /** The time that answers read through a view are true at. */
  readTime(view: ReadView): Micros {
    return view.time ?? this.#oracle.next();
  }

  /**
   * Locks documents for the view's transaction, if it has one that locks.
   *
   * @throws INVALID_ARGUMENT if the transaction ended meanwhile
   */
  async lockDocuments({ transaction }: ReadView, names: Iterable<string>): Promise<void> {
    if (transaction === undefined) return;
    for (const name of new Set(names)) {
      const admitted = this.#locks.lockDocument(transaction, name);
      if (admitted === undefined) continue;
      await admitted;
      if (!this.#transactions.isOpen(transaction)) {
        this.#locks.release(transaction);
        this.#transactions.use(transaction.id, transaction.database);
      }
      transaction.touch();
    }
  }

  lockQuery({ transaction }: ReadView, covers: Parameters<LockTable['lockQuery']>[1]): void {
    if (transaction) this.#locks.lockQuery(transaction, covers);
  }

  /**
   * Applies all writes or none, and ends the transaction whichever it is.
   *
   * @param id of the transaction that the writes are part of
   * @throws the error of a write; ABORTED if other transactions are in the way; INVALID_ARGUMENT if `id` is no
   *   open transaction or a read-only one
   */
  async commit(database: string, writes: readonly DocumentWrite[], id?: Buffer): Promise<CommitResult> {
    const transaction = id?.length ? this.#transactions.use(id, database) : undefined;
    const owner = transaction?.kind === 'read-write' ? transaction : undefined;
    try {
      if (transaction && !owner && writes.length > 0) throw readOnly();
      return await this.#locks.commit({
        owner,
        plan: () => planCommit(this.store, writes, this.#oracle.next()),
        carryOut: (plan) => {
          const result = carryOut(this.store, plan);
          if (transaction) this.#end(transaction, plan.changes);
          return result;
        },
      });
    } catch (error) {
      if (transaction) this.#end(transaction);
      throw error;
    }
  }

  rollback(database: string, id: Buffer): void {
    this.#end(this.#transactions.use(id, database));
  }

  /** Ends all transactions and removes all documents. */
  clear(): void {
    for (const transaction of [...this.#transactions.all()]) this.#end(transaction);
    this.store.clear();
  }

  #end(transaction: Transaction, written?: ReadonlyMap<string, unknown>): void {
    this.#transactions.end(transaction);
    if (transaction.kind === 'read-write') this.#locks.release(transaction, written);
  }
}

function viewOf(transaction: Transaction): ReadView {
  return transaction.kind === 'read-only'
    ? { time: transaction.snapshot, transaction: undefined, begun: undefined }
    : { time: undefined, transaction, begun: undefined };
}

function readOnly(): GrpcError {
  return new GrpcError(status.INVALID_ARGUMENT, 'Cannot modify entities in a read-only transaction.');
}
