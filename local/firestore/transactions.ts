import { randomBytes } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { GrpcError } from '../grpc/server.ts';
import type { LockOwner } from './locks.ts';
import type { StoredDocument } from './store.ts';
import type { Clock, Micros } from './time.ts';

/** https://cloud.google.com/firestore/quotas#writes_and_transactions */
const idleMicros: Micros = 60 * 1_000_000;
const totalMicros: Micros = 270 * 1_000_000;

interface Begun {
  readonly id: Buffer;
  readonly database: string;
  /** Extends its life: called whenever the client uses it. */
  touch(): void;
  expiresAt(): Micros;
}

/** Reads everything as it was at one time; holds no locks. */
export interface ReadOnlyTransaction extends Begun {
  readonly kind: 'read-only';
  readonly snapshot: Micros;
}

/** Reads what is, and locks it until the end. */
export interface ReadWriteTransaction extends Begun, LockOwner {
  readonly kind: 'read-write';
}

export type Transaction = ReadOnlyTransaction | ReadWriteTransaction;

/** The transactions that have begun and not ended. */
export class Transactions {
  readonly #clock: Clock;
  readonly #open = new Map<string, Transaction>();
  /** Tells the ids of this server from all others, so that ended ones need not be remembered. */
  readonly #nonce = randomBytes(8);
  #issued = 0n;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  beginReadOnly(database: string, snapshot: Micros): ReadOnlyTransaction {
    return this.#register({ kind: 'read-only', snapshot, ...this.#begin(database) });
  }

  beginReadWrite(database: string): ReadWriteTransaction {
    const documents = new Set<string>();
    const queries: ((document: StoredDocument) => boolean)[] = [];
    return this.#register({ kind: 'read-write', documents, queries, ...this.#begin(database) });
  }

  /**
   * The open transaction of that id; counts as a use of it.
   *
   * @throws INVALID_ARGUMENT for an id that this server never gave, or whose transaction has ended or expired.
   *   The official client tells the latter by its message and runs the transaction again.
   */
  use(id: Buffer, database: string): Transaction {
    const transaction = this.#open.get(id.toString('hex'));
    if (transaction && transaction.expiresAt() > this.#clock.now()) {
      if (transaction.database !== database) throw invalidTransaction();
      transaction.touch();
      return transaction;
    }
    if (transaction === undefined && !this.#wasIssued(id)) throw invalidTransaction();
    throw new GrpcError(
      status.INVALID_ARGUMENT,
      'The referenced transaction has expired or is no longer valid.',
    );
  }

  isOpen(transaction: Transaction): boolean {
    return this.#open.get(transaction.id.toString('hex')) === transaction;
  }

  all(): Iterable<Transaction> {
    return this.#open.values();
  }

  /** Transactions whose client has not used them for too long. */
  *expired(): Iterable<Transaction> {
    const now = this.#clock.now();
    for (const transaction of this.#open.values()) if (transaction.expiresAt() <= now) yield transaction;
  }

  end(transaction: { readonly id: Buffer }): void {
    this.#open.delete(transaction.id.toString('hex'));
  }

  #register<Kind extends Transaction>(transaction: Kind): Kind {
    this.#open.set(transaction.id.toString('hex'), transaction);
    return transaction;
  }

  #begin(database: string): Begun {
    const start = this.#clock.now();
    let used = start;
    const id = Buffer.alloc(16);
    this.#nonce.copy(id);
    this.#issued += 1n;
    id.writeBigUInt64BE(this.#issued, 8);
    return {
      id,
      database,
      touch: () => {
        used = this.#clock.now();
      },
      expiresAt: () => Math.min(used + idleMicros, start + totalMicros),
    };
  }

  #wasIssued(id: Buffer): boolean {
    return id.length === 16 && id.subarray(0, 8).equals(this.#nonce) && id.readBigUInt64BE(8) <= this.#issued;
  }
}

function invalidTransaction(): GrpcError {
  return new GrpcError(status.INVALID_ARGUMENT, 'Invalid transaction.');
}
