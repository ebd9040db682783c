import { extname } from 'node:path';
import pg from 'pg';
import type { Content, Format } from '../../../functions/sync-repo-metadata/documents/document.ts';
import { readDocument } from '../../../functions/sync-repo-metadata/documents/read.ts';
import { wordsOf } from '../../../functions/sync-repo-metadata/words.ts';
import { identifier, qualified, sql } from '../../../shared/postgres/sql.ts';
import { languages } from '../sync-repository.ts';
import { filesOfObject, type ReadFile } from './sync-files.ts';
import type { SyncOrder } from './sync-process.ts';

/** What a row of the product's says, as far as it isn't of the file's own bytes. */
export interface KnownRow {
  /** The number of columns, and the values of all but the last two, `blob` and `text`. */
  readonly begin: Buffer;
  /** So many bytes at the end of the file are its text; undefined where it has none. */
  readonly textBytes: number | undefined;
}

/** COPY's binary format: https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-BINARY-FORMAT */
export const copyHeader = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)]);
export const copyEnd = Buffer.from([0xff, 0xff]);

const columns = [
  ...['repository', 'collection', 'key', 'path', 'parts', 'definition', 'title', 'metadata', 'refs'],
  ...['created_commit', 'updated_commit', 'created_at', 'updated_at', 'language', 'words', 'blob', 'text'],
];

export function copyStatement(schema: string): string {
  const list = columns.map(identifier);
  return sql`COPY ${qualified(schema, 'documents')} (${list}) FROM STDIN (FORMAT binary)`.text;
}

/** The rows that the product made of an object, by their paths. */
export async function learnRows(
  client: pg.Client,
  { object, schema, repository }: SyncOrder['learn'] & object,
): Promise<Map<string, KnownRow>> {
  const metadata = await metadataOf(object);
  const { rows } = await client.query<Learned>(
    sql`
SELECT repository, collection, key, path, parts, definition, title, refs, octet_length(text) AS bytes
  FROM ${qualified(schema, 'documents')}
 WHERE repository = ${repository}`.text,
  );
  const at = timestamp(new Date());
  return new Map(
    rows.map((row) => {
      const begin = beginOf(row, metadata.get(row.path), at);
      return [row.path, { begin, textBytes: row.bytes ?? undefined }];
    }),
  );
}

/** By paths. A row has its fields in another order, which makes other positions of its words. */
async function metadataOf(object: string): Promise<Map<string, Content>> {
  const found = new Map<string, Content>();
  for await (const files of filesOfObject(object)) {
    for (const { path, content } of files) {
      const reading = readDocument(formats[extname(path)] ?? 'source', content);
      if ('content' in reading) found.set(path, { ...reading.content, text: undefined });
    }
  }
  return found;
}

const formats: Readonly<Record<string, Format>> = { '.md': 'markdown', '.yaml': 'yaml', '.json': 'json' };

interface Learned {
  repository: string;
  collection: string;
  key: string;
  path: string;
  parts: unknown;
  definition: string;
  title: string | null;
  refs: unknown;
  bytes: number | null;
}

const commit = '0'.repeat(40);

function beginOf(row: Learned, content: Content | undefined, at: Buffer): Buffer {
  const { repository, collection, key, path, parts, definition, title, refs } = row;
  if (content === undefined) throw new Error(`${path} can’t be read`);
  const texts = (values: readonly (string | null)[]) =>
    values.map((value) => (value === null ? null : Buffer.from(value)));
  const values = [
    ...texts([repository, collection, key, path]),
    jsonb(JSON.stringify(parts)),
    ...texts([definition, title]),
    jsonb(content.json),
    jsonb(JSON.stringify(refs)),
    ...texts([commit, commit]),
    at,
    at,
    ...texts([languages[collection] ?? '', wordsOf(content.metadata)]),
  ];
  const count = Buffer.alloc(2);
  count.writeInt16BE(columns.length);
  return Buffer.concat([count, ...values.flatMap(field)]);
}

/** A value with its length before it. */
function field(value: Buffer | null): Buffer[] {
  return [lengthOf(value), ...(value === null ? [] : [value])];
}

function lengthOf(value: Buffer | null): Buffer {
  const length = Buffer.allocUnsafe(4);
  length.writeInt32BE(value === null ? -1 : value.length);
  return length;
}

/** After the version of its format. */
function jsonb(json: string): Buffer {
  return Buffer.from(`\x01${json}`);
}

/** Microseconds since 2000. */
function timestamp(time: Date): Buffer {
  const value = Buffer.alloc(8);
  value.writeBigInt64BE(BigInt(time.getTime() - Date.UTC(2000, 0)) * 1000n);
  return value;
}

/** A row, in parts that are sent one after the other: the text is the file's own bytes. */
export function rowOf({ begin, textBytes }: KnownRow, { content, blob }: ReadFile): readonly Buffer[] {
  const text = textBytes === undefined ? null : content.subarray(content.length - textBytes);
  return [begin, ...field(Buffer.from(blob, 'latin1')), ...field(text)];
}

/** A connection that has been used. */
export async function connectTo(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('SELECT 1');
  return client;
}
