import { invalid } from './errors.ts';
import { type Field, fieldNamed, modeOf, type Schema } from './schema.ts';

/** What two schemas differ in, field by field; `path` is the field's full name. */
type Difference =
  | { readonly kind: 'removed'; readonly path: string; readonly field: Field }
  | { readonly kind: 'added'; readonly path: string; readonly field: Field }
  | { readonly kind: 'type' | 'mode'; readonly path: string; readonly from: string; readonly to: string };

/**
 * An update of a table may add fields and relax what is required.
 *
 * @param table its full name
 * @throws ApiError 400
 * @see https://cloud.google.com/bigquery/docs/managing-table-schemas
 */
export function requireUpdatable(table: string, current: Schema, next: Schema): void {
  for (const difference of compare(current.fields, next.fields)) {
    if (difference.kind === 'removed') {
      throw mismatch(table, `Field ${difference.path} is missing in new schema`);
    }
    if (difference.kind === 'added') {
      if (modeOf(difference.field) !== 'REQUIRED') continue;
      throw mismatch(table, `Cannot add required fields to an existing schema. (field: ${difference.path})`);
    }
    const { kind, path, from, to } = difference;
    if (kind === 'mode' && from === 'REQUIRED' && to === 'NULLABLE') continue;
    throw mismatch(table, `Field ${path} has changed ${kind} from ${from} to ${to}`);
  }
}

/**
 * Rows to append must have all required fields of a table, and none that it lacks.
 *
 * @param table its full name
 * @throws ApiError 400
 * @see https://cloud.google.com/bigquery/docs/managing-table-schemas#add_column_when_you_append_data
 */
export function requireAppendable(table: string, current: Schema, incoming: Schema): void {
  for (const difference of compare(current.fields, incoming.fields)) {
    if (difference.kind === 'added') throw mismatch(table, `Cannot add fields (field: ${difference.path})`);
    if (difference.kind === 'removed') {
      if (modeOf(difference.field) !== 'REQUIRED') continue;
      throw mismatch(table, `Field ${difference.path} is missing in new schema`);
    }
    const { kind, path, from, to } = difference;
    if (kind === 'mode' && from === 'NULLABLE' && to === 'REQUIRED') continue;
    throw mismatch(table, `Field ${path} has changed ${kind} from ${from} to ${to}`);
  }
}

function* compare(current: readonly Field[], next: readonly Field[], prefix = ''): Generator<Difference> {
  for (const field of current) {
    const path = `${prefix}${field.name}`;
    const other = fieldNamed(next, field.name);
    if (other === undefined) {
      yield { kind: 'removed', path, field };
      continue;
    }
    if (other.type !== field.type) yield { kind: 'type', path, from: field.type, to: other.type };
    if (modeOf(other) !== modeOf(field)) yield { kind: 'mode', path, from: modeOf(field), to: modeOf(other) };
    yield* compare(field.fields ?? [], other.fields ?? [], `${path}.`);
  }
  for (const field of next) {
    if (!fieldNamed(current, field.name)) yield { kind: 'added', path: `${prefix}${field.name}`, field };
  }
}

function mismatch(table: string, message: string) {
  return invalid(`Provided Schema does not match Table ${table}. ${message}`);
}
