import { type Call, type Handler, int64Timestamp } from './call.ts';
import { invalid } from './errors.ts';
import { decode, encode, sizeOf } from './pages.ts';
import { type Field, keyOf, modeOf } from './schema.ts';
import { selectFields } from './selected-fields.ts';
import type { Store } from './store.ts';
import { requireRows, rowsOf } from './table-rows.ts';
import { printSeconds } from './timestamps.ts';
import type { RecordValue, Value } from './values.ts';

/** A page of the service is limited by its bytes. */
const defaultSize = 10_000;

/** https://cloud.google.com/bigquery/docs/reference/rest/v2/tabledata/list */
export function listRows(store: Store): Handler {
  return ({ path, query }: Call) => {
    const table = store.table(path['dataset'] ?? '', path['table'] ?? '');
    requireRows(table, 'Cannot list a table of type VIEW.');
    const all = rowsOf(store, table);
    const fields = selectFields(table.settings.schema?.fields ?? [], query['selectedFields']);
    const from = positionOf(query);
    const to = from + (sizeOf(query) ?? defaultSize);
    const print = timestampPrinter(query);
    const rows = all.slice(from, to).map(({ values }) => ({ f: cellsOf(values, fields, print) }));
    return {
      kind: 'bigquery#tableDataList',
      etag: table.etag,
      totalRows: String(all.length),
      ...(rows.length > 0 && { rows }),
      ...(to < all.length && { pageToken: encode(String(to)) }),
    };
  };
}

function positionOf({ pageToken, startIndex = '0' }: Call['query']): number {
  const position = pageToken ? decode(pageToken) : startIndex;
  if (!/^\d+$/.test(position)) throw invalid(`Invalid value for startIndex: ${position}`);
  return Number(position);
}

function timestampPrinter(query: Call['query']): (value: bigint) => string {
  return query[int64Timestamp] === 'true' ? String : printSeconds;
}

type Cell = { readonly v: unknown };

function cellsOf(record: RecordValue, fields: readonly Field[], print: (value: bigint) => string): Cell[] {
  const one = (field: Field, value: Value) => {
    if (typeof value === 'bigint') return print(value);
    return field.fields && value !== null ? { f: cellsOf(value as RecordValue, field.fields, print) } : value;
  };
  return fields.map((field) => {
    const value = record[keyOf(field.name)] ?? null;
    if (modeOf(field) !== 'REPEATED') return { v: one(field, value) };
    return { v: ((value ?? []) as readonly Value[]).map((element) => ({ v: one(field, element) })) };
  });
}
