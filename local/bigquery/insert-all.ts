import type { JsonObject } from '../http/json.ts';
import type { Call, Handler } from './call.ts';
import { invalid } from './errors.ts';
import { flagOf, objectOf, objectsOf, supportOnly, textOf } from './fields.ts';
import { InvalidValue } from './invalid-value.ts';
import { type ReadOptions, type Row, readValues } from './row.ts';
import type { Schema } from './schema.ts';
import type { Store, Table } from './store.ts';
import { requireRows } from './table-rows.ts';

const maximumRows = 50_000;

/** For how long a second row with the same `insertId` is one too many. */
const memory = 60_000;

type Read = { readonly index: number } & (
  | { readonly row: Row; readonly insertId: string | undefined }
  | { readonly error: InvalidValue }
);

/**
 * @throws ApiError 400, 404; rows that don't fit are no error but `insertErrors`
 * @see https://cloud.google.com/bigquery/docs/reference/rest/v2/tabledata/insertAll
 */
export function insertAll(store: Store): Handler {
  return ({ path, body }: Call) => {
    const table = store.table(path['dataset'] ?? '', path['table'] ?? '');
    supportOnly('insertAll', body, ['kind', 'rows', 'skipInvalidRows', 'ignoreUnknownValues', 'traceId']);
    requireRows(table, `Cannot add rows to a table of type VIEW.`);
    const { schema } = table.settings;
    if (!schema) throw invalid('The destination table has no schema.');
    const options = {
      source: 'stream',
      ignoreUnknownValues: flagOf(body, 'ignoreUnknownValues') ?? false,
    } as const;
    const read = rowsOf(body).map((row, index) => readRow(store, row, index, schema, options));

    const hasErrors = read.some((one) => 'error' in one);
    const stops = hasErrors && !flagOf(body, 'skipInvalidRows');
    if (!stops) keep(store, table, read);
    const insertErrors = read.flatMap((one) => ('error' in one || stops ? [errorsOf(one)] : []));
    return { kind: 'bigquery#tableDataInsertAllResponse', ...(hasErrors && { insertErrors }) };
  };
}

function rowsOf(body: JsonObject): readonly JsonObject[] {
  const rows = objectsOf(body, 'rows') ?? [];
  if (rows.length === 0) throw invalid('No rows present in the request.');
  if (rows.length > maximumRows) throw invalid(`Too many rows present in the request, limit: ${maximumRows}`);
  return rows;
}

function readRow(store: Store, row: JsonObject, index: number, schema: Schema, options: ReadOptions): Read {
  supportOnly('a row', row, ['json', 'insertId']);
  const insertId = textOf(row, 'insertId');
  try {
    const values = readValues(objectOf(row, 'json') ?? {}, schema, options);
    return { index, row: { values, inserted: store.now(), streamed: true }, insertId };
  } catch (error) {
    if (error instanceof InvalidValue) return { index, error };
    throw error;
  }
}

function keep(store: Store, table: Table, read: readonly Read[]): void {
  const { insertIds } = table;
  for (const [insertId, time] of insertIds) {
    if (time + memory <= store.now()) insertIds.delete(insertId);
  }
  const fresh: Row[] = [];
  for (const one of read) {
    if ('error' in one || (one.insertId && insertIds.has(one.insertId))) continue;
    if (one.insertId) insertIds.set(one.insertId, store.now());
    fresh.push(one.row);
  }
  table.rows = [...table.rows, ...fresh];
}

function errorsOf(one: Read) {
  const error =
    'error' in one
      ? { reason: 'invalid', location: one.error.location, debugInfo: '', message: one.error.message }
      : { reason: 'stopped', location: '', debugInfo: '', message: '' };
  return { index: one.index, errors: [error] };
}
