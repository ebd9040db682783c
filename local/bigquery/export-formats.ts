import { invalid } from './errors.ts';
import type { Row } from './row.ts';
import { type Field, keyOf, modeOf, type Schema } from './schema.ts';
import { printTimestamp } from './timestamps.ts';
import type { RecordValue, Value } from './values.ts';

/** What a file holds. */
export type PrintFile = (rows: readonly Row[]) => string;

/** @see https://cloud.google.com/bigquery/docs/exporting-data#data_types */
export function jsonLines({ fields }: Schema): PrintFile {
  return (rows) => rows.map(({ values }) => `${JSON.stringify(jsonRecord(values, fields))}\n`).join('');
}

/**
 * @throws ApiError 400 for a schema that CSV has no room for
 * @see https://cloud.google.com/bigquery/docs/exporting-data#export_limitations
 */
export function csv({ fields }: Schema, delimiter: string, withHeader: boolean): PrintFile {
  const nested = fields.find((field) => field.type === 'RECORD' || modeOf(field) === 'REPEATED');
  if (nested) throw invalid(`Operation cannot be performed on a nested schema. Field: ${nested.name}`);
  const quote = (text: string) =>
    text === '' || /["\r\n]/.test(text) || text.includes(delimiter)
      ? `"${text.replaceAll('"', '""')}"`
      : text;
  const line = (cells: readonly string[]) => `${cells.join(delimiter)}\n`;
  const header = withHeader ? line(fields.map(({ name }) => name)) : '';
  return (rows) =>
    header +
    rows
      .map(({ values }) =>
        line(
          fields.map(({ name }) => {
            const value = values[keyOf(name)] ?? null;
            return value === null ? '' : quote(scalarText(value));
          }),
        ),
      )
      .join('');
}

/** NULL is left out. */
function jsonRecord(record: RecordValue, fields: readonly Field[]): Readonly<Record<string, unknown>> {
  const printed = fields.map((field) => {
    const value = record[keyOf(field.name)] ?? null;
    const isRepeated = modeOf(field) === 'REPEATED';
    return [field.name, isRepeated ? jsonList(field, value) : jsonValue(field, value)] as const;
  });
  return Object.fromEntries(printed.filter(([, value]) => value !== null));
}

function jsonList(field: Field, value: Value): readonly unknown[] {
  return ((value ?? []) as readonly Value[]).map((element) => jsonValue(field, element));
}

function jsonValue({ type, fields }: Field, value: Value): unknown {
  if (value === null) return null;
  if (type === 'RECORD') return jsonRecord(value as RecordValue, fields ?? []);
  const text = scalarText(value);
  if (type === 'BOOLEAN') return text === 'true';
  if (type === 'JSON') return JSON.parse(text);
  // JSON has no other numbers, and a 64-bit integer may be too large for those who read one.
  return type === 'FLOAT' && Number.isFinite(Number(text)) ? Number(text) : text;
}

function scalarText(value: Value): string {
  return typeof value === 'bigint' ? printTimestamp(value) : String(value);
}
