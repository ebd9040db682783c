import type { Row } from './row.ts';
import { type Field, type FieldType, keyOf, modeOf, type Schema } from './schema.ts';
import type { Value } from './values.ts';

const fixed: Readonly<Partial<Record<FieldType, number>>> = {
  INTEGER: 8,
  FLOAT: 8,
  NUMERIC: 16,
  BIGNUMERIC: 32,
  BOOLEAN: 1,
  TIMESTAMP: 8,
  DATE: 8,
  TIME: 8,
  DATETIME: 8,
};

/** Logical bytes of rows. @see https://cloud.google.com/bigquery/pricing#data */
export function bytesOf(rows: readonly Row[], schema: Schema = { fields: [] }): number {
  return rows.reduce((total, { values }) => total + bytesOfRecord(values, schema.fields), 0);
}

function bytesOfRecord(value: Value | undefined, fields: readonly Field[]): number {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return 0;
  const values = value as Readonly<Record<string, Value>>;
  return fields.reduce((total, field) => total + bytesOfField(values[keyOf(field.name)], field), 0);
}

function bytesOfField(value: Value | undefined, field: Field): number {
  const all = modeOf(field) === 'REPEATED' ? ((value ?? []) as readonly Value[]) : [value];
  return all.reduce<number>((total, one) => total + bytesOfOne(one, field), 0);
}

function bytesOfOne(value: Value | undefined, { type, fields }: Field): number {
  if (value === null || value === undefined) return 0;
  if (type === 'RECORD') return bytesOfRecord(value, fields ?? []);
  const size = fixed[type];
  if (size !== undefined) return size;
  return type === 'BYTES'
    ? 2 + Buffer.byteLength(String(value), 'base64')
    : 2 + Buffer.byteLength(String(value));
}
