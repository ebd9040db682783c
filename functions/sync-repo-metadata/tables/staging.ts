import type pg from 'pg';
import { binaryRow, copyEnd, copyHeader } from './copy-binary.ts';
import { createStaging } from './definition.ts';

/** A document that is new or not as it was. */
export interface StagedDocument {
  readonly collection: string;
  readonly key: string;
  readonly path: string;
  /** JSON, as `metadata` and `refs` are. */
  readonly parts: string;
  readonly blob: string;
  readonly definition: string;
  readonly language: string;
  readonly title: string | undefined;
  readonly metadata: string;
  readonly text: string | undefined;
  /** Words of the metadata, for full text search. */
  readonly words: string;
  readonly refs: string;
}

/** Sent at once: enough that a COPY costs little beside what it carries. */
const batchBytes = 2 * 1024 * 1024;

const columns = [
  'collection',
  'key',
  'path',
  'parts',
  'blob',
  'definition',
  'language',
  'title',
  'metadata',
  'text',
  'words',
  'refs',
] as const satisfies readonly (keyof StagedDocument)[];
const jsonColumns: ReadonlySet<string> = new Set(['parts', 'metadata', 'refs']);

/** By its default: bundled, a CommonJS library has no other export. */
const copyStreams = async () => (await import('pg-copy-streams')).default;

/** Documents on their way to the session's own table. At most one batch is being sent while the next one is filled. */
export class Staging {
  readonly #client: pg.ClientBase;
  readonly #owner: string;
  #rows: Buffer[] = [];
  #bytes = 0;
  #sending: Promise<void> = Promise.resolve();

  constructor(client: pg.ClientBase, owner: string) {
    this.#client = client;
    this.#owner = owner;
  }

  /** Makes the table anew, for languages that documents are in; `owner` may read it. */
  async begin(languages: readonly string[]): Promise<void> {
    this.#rows = [];
    this.#bytes = 0;
    for (const { text } of createStaging(languages, this.#owner)) await this.#client.query(text);
  }

  /** Resolves when there is room for the next one. */
  async add(document: StagedDocument): Promise<void> {
    const row = binaryRow(columns.map((column) => [document[column], jsonColumns.has(column)]));
    this.#rows.push(row);
    this.#bytes += row.length;
    if (this.#bytes >= batchBytes) await this.#flush();
  }

  /** Resolves when all of them have arrived. */
  async end(): Promise<void> {
    await this.#flush();
    await this.#sending;
  }

  async #flush(): Promise<void> {
    await this.#sending;
    if (this.#rows.length === 0) return;
    const batch = [copyHeader, ...this.#rows, copyEnd];
    this.#rows = [];
    this.#bytes = 0;
    this.#sending = this.#send(batch);
    // Whoever adds the next batch, or ends, is told.
    this.#sending.catch(() => undefined);
  }

  async #send(batch: readonly Buffer[]): Promise<void> {
    const { from } = await copyStreams();
    const text = `COPY pg_temp.staged (${columns.join(', ')}) FROM STDIN (FORMAT binary)`;
    const copy = this.#client.query(from(text));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    copy.once('finish', resolve).once('error', reject);
    copy.end(Buffer.concat(batch));
    await promise;
  }
}
