import type { DocumentReference, Firestore } from '@google-cloud/firestore';
import type { RecordedLoan, Recording } from './recording.ts';
import { dataOf, kindOf, pathOf, type RecordedWrite, repeatWrite } from './written.ts';

export interface TransactionOptions {
  readonly about?: string;
  readonly reads?: readonly string[];
}

/** Hands out what was recorded, each thing once. The order is up to whoever asks. */
export class Playback {
  readonly #db: Firestore;
  readonly #operation: string;
  readonly #commits: Commit[] = [];
  readonly #paths = new Map<string, string>();
  readonly #requests: { readonly call: string; readonly request: object; readonly text: string }[] = [];
  readonly #loans: RecordedLoan[];

  /** @param operation path of the operation's record */
  constructor(db: Firestore, operation: string, { calls, loans }: Recording) {
    this.#db = db;
    this.#operation = operation;
    this.#loans = [...loans];
    for (const { call, request } of calls) {
      if (call === 'Firestore Commit') this.#commits.push(commitOf(request['writes'] as RecordedWrite[]));
      // Reads say no more than which documents, and messages come and go by themselves.
      else if (!/^(Firestore (BatchGetDocuments|Rollback)|Pub\/Sub) ?/.test(call))
        this.#requests.push({ call, request, text: JSON.stringify(request) });
    }
    for (const write of this.#commits.flatMap(({ writes }) => writes))
      this.#paths.set(kindOf(write), pathOf(write));
  }

  /** Whether a document of this kind is still to be written. */
  writes(kind: string): boolean {
    return this.#commits.some(({ kinds }) => kinds.includes(kind));
  }

  /** Creates a document, outside of a transaction. */
  async create(kind: string): Promise<void> {
    const [write] = this.#takeCommit(kind, '');
    if (write) await this.#db.doc(pathOf(write)).create(dataOf(write));
  }

  /** Reads a document that is about to be written. */
  async get(kind: string): Promise<void> {
    await this.#refOf(kind).get();
  }

  /**
   * The next transaction that writes a document of a kind, with all else that it writes.
   *
   * @param about occurs in what it writes
   * @param reads kinds of documents that it reads, besides the operation's record; by default what it writes
   */
  async transact(kind: string, { about = '', reads }: TransactionOptions = {}): Promise<void> {
    const writes = this.#takeCommit(kind, about);
    const read = reads?.map((one) => this.#refOf(one)) ?? writes.map((write) => this.#db.doc(pathOf(write)));
    await this.#db.runTransaction(async (transaction) => {
      await transaction.getAll(this.#db.doc(this.#operation), ...read);
      for (const write of writes) repeatWrite(this.#db, transaction, write);
    });
  }

  /**
   * The next request of a call.
   *
   * @param about occurs in the request
   */
  take<T = Record<string, unknown>>(call: string, about = ''): T {
    const place = this.#requests.findIndex((one) => one.call === call && one.text.includes(about));
    const [taken] = this.#requests.splice(place, place < 0 ? 0 : 1);
    if (taken === undefined) throw new Error(`no ${call} was recorded of ${about}, or none is left`);
    return taken.request as T;
  }

  /** Whether a request of a call is left. */
  has(call: string, about: string): boolean {
    return this.#requests.some((one) => one.call === call && one.text.includes(about));
  }

  /** What comes next to PostgreSQL. */
  nextLoan(): RecordedLoan {
    const loan = this.#loans.shift();
    if (loan === undefined) throw new Error('no more was sent to PostgreSQL');
    return loan;
  }

  /** @throws Error where something wasn't repeated */
  end(): void {
    const left = [
      ...this.#requests.map(({ call }) => call),
      ...this.#commits.map(({ kinds }) => `Firestore Commit of ${kinds.join(', ')}`),
      ...this.#loans.map(({ messages }) => messages[0]),
    ];
    if (left.length > 0) throw new Error(`Drover makes calls that the floor doesn't:\n${left.join('\n')}`);
  }

  #refOf(kind: string): DocumentReference {
    return this.#db.doc(this.#paths.get(kind) ?? '');
  }

  #takeCommit(kind: string, about: string): readonly RecordedWrite[] {
    const place = this.#commits.findIndex(({ kinds, text }) => kinds.includes(kind) && text.includes(about));
    const [taken] = this.#commits.splice(place, place < 0 ? 0 : 1);
    if (taken === undefined) throw new Error(`no write to ${kind} was recorded, or none is left`);
    return taken.writes;
  }
}

interface Commit {
  readonly writes: readonly RecordedWrite[];
  readonly kinds: readonly string[];
  readonly text: string;
}

function commitOf(writes: readonly RecordedWrite[]): Commit {
  return { writes, kinds: writes.map(kindOf), text: JSON.stringify(writes) };
}
