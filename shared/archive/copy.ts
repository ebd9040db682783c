import { createHash } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import type pg from 'pg';
import { explainStorageError, formatPlace, type ObjectPlace } from '../gcp/storage/client.ts';
import type { StoredObject } from '../gcp/storage/objects.ts';
import { openObject } from '../gcp/storage/read.ts';
import { uploadObject } from '../gcp/storage/write.ts';
import { OperationError } from '../operation/errors.ts';
import { qualified, sql } from '../postgres/sql.ts';
import type { DescribedTable } from './describe/describe.ts';
import type { ArchivedTable } from './manifest.ts';
import { columnList } from './session.ts';

/** By its default: bundled, a CommonJS library has no other export. */
const copyStreams = async () => (await import('pg-copy-streams')).default;

/**
 * Writes a table's rows as an object, and notes on it how many they are. The object is there with all of them or not at
 * all.
 *
 * @param rows that the transaction sees
 */
export async function copyOut(
  client: pg.ClientBase,
  { schema, table, columns }: Pick<DescribedTable, 'schema' | 'table' | 'columns'>,
  rows: number,
  place: ObjectPlace,
  signal: AbortSignal,
): Promise<StoredObject> {
  const { to } = await copyStreams();
  const statement = sql`COPY ${qualified(schema, table)}${columnList(columns)} TO STDOUT`;
  const source = client.query(to(statement.text));
  const object = await uploadObject(place, [source, createGzip()], {
    signal,
    contentType: 'application/gzip',
    metadata: rowsNote(rows, columns),
  });
  // How many they were comes after the last of them.
  await client.query('');
  if (source.rowCount === rows) return object;
  throw new Error(`COPY gave ${source.rowCount} rows of ${schema}.${table}, where there are ${rows}`);
}

/** What is noted on an object with rows: by it, another attempt knows what it needn't do again. */
export function rowsNote(rows: number, columns: readonly string[]): Record<string, string> {
  const checksum = createHash('sha256').update(JSON.stringify(columns)).digest('hex');
  return { 'drover-rows': String(rows), 'drover-columns': checksum };
}

/**
 * Reads a table's rows from its object.
 *
 * @throws OperationError `ARCHIVE_DAMAGED` where the object has other bytes or rows than the manifest says
 */
export async function copyIn(
  client: pg.ClientBase,
  { schema, table, columns, rows }: ArchivedTable,
  object: StoredObject,
  signal: AbortSignal,
): Promise<void> {
  const { from } = await copyStreams();
  const statement = sql`COPY ${qualified(schema, table)}${columnList(columns)} FROM STDIN`;
  const source = await openObject(object, signal);
  const destination = client.query(from(statement.text));
  try {
    await pipeline(source, createGunzip(), destination, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw isUndecodable(error)
      ? damaged(object, 'is not what gzip writes', error)
      : explainStorageError(error, object);
  }
  if (destination.rowCount !== rows) {
    throw damaged(object, `has ${destination.rowCount} rows, where the manifest says ${rows}`);
  }
}

function isUndecodable(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^Z_[A-Z]+_ERROR$/.test(String(error.code));
}

export function damaged(place: ObjectPlace, what: string, cause?: unknown): OperationError {
  return new OperationError('ARCHIVE_DAMAGED', `${formatPlace(place)} ${what}.`, { cause });
}
