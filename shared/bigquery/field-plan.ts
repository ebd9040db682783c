import type { Field } from './model.ts';

export interface FieldPlan {
  /** What to write: all that is there, in its order, and behind it what is missing. */
  readonly fields: readonly Field[];
  /** What writing it changes, in words. Nothing, if it is as it should be. */
  readonly changes: readonly string[];
  /** What BigQuery can't change in a table that is there, in words. */
  readonly conflicts: readonly string[];
}

/** Names of GoogleSQL for what the API calls otherwise. */
const otherNames: Readonly<Record<string, string>> = {
  int64: 'INTEGER',
  float64: 'FLOAT',
  bool: 'BOOLEAN',
  struct: 'RECORD',
};

/**
 * What brings a table's columns to what they should be. Columns are added, requirements dropped, descriptions mended;
 * no column is ever taken away, and none gets another type: whoever added one has use for it, and rows are in it.
 *
 * @param prefix of the names of fields within a record
 * @see https://cloud.google.com/bigquery/docs/managing-table-schemas
 */
export function planFields(current: readonly Field[], wanted: readonly Field[], prefix = ''): FieldPlan {
  const wantedByName = new Map(wanted.map((field) => [nameOf(field), field]));
  const existing = current.map((field) => {
    const should = wantedByName.get(nameOf(field));
    return should ? planField(field, should, prefix) : { field, changes: [], conflicts: [] };
  });
  const present = new Set(current.map(nameOf));
  const missing = wanted.filter((field) => !present.has(nameOf(field)));
  return {
    fields: [...existing.map(({ field }) => field), ...missing.map(relaxed)],
    changes: [
      ...existing.flatMap(({ changes }) => changes),
      ...missing.map(({ name }) => `column ${prefix}${name} added`),
    ],
    conflicts: existing.flatMap(({ conflicts }) => conflicts),
  };
}

function planField(current: Field, wanted: Field, prefix: string) {
  const path = `${prefix}${current.name}`;
  const is = `${typeOf(current)}${isRepeated(current) ? ' REPEATED' : ''}`;
  const should = `${typeOf(wanted)}${isRepeated(wanted) ? ' REPEATED' : ''}`;
  if (is !== should) {
    return { field: current, changes: [], conflicts: [`column ${path} is ${is}, not ${should}`] };
  }
  // Only loosened: rows that lack a value may be there, and whoever writes all of them isn't disturbed.
  const relaxes = current.mode === 'REQUIRED' && wanted.mode !== 'REQUIRED';
  const describes = wanted.description !== undefined && wanted.description !== (current.description ?? '');
  const within = planFields(current.fields ?? [], wanted.fields ?? [], `${path}.`);
  return {
    field: {
      ...current,
      ...(relaxes && { mode: 'NULLABLE' }),
      ...(describes && { description: wanted.description }),
      ...(current.fields && { fields: within.fields }),
    },
    changes: [
      ...(relaxes ? [`column ${path} no longer required`] : []),
      ...(describes ? [`column ${path} described`] : []),
      ...within.changes,
    ],
    conflicts: within.conflicts,
  };
}

/** A column that is added can't be required: rows that are there have no value for it. */
function relaxed(field: Field): Field {
  return {
    ...field,
    ...(field.mode === 'REQUIRED' && { mode: 'NULLABLE' }),
    ...(field.fields && { fields: field.fields.map(relaxed) }),
  };
}

function nameOf({ name }: Field): string {
  return name.toLowerCase();
}

function typeOf({ type }: Field): string {
  return otherNames[type.toLowerCase()] ?? type.toUpperCase();
}

function isRepeated({ mode }: Field): boolean {
  return mode === 'REPEATED';
}
