import type { JsonSchema } from './json-schema.ts';

export type ColumnType =
  | 'bigint'
  | 'numeric'
  | 'boolean'
  | 'text'
  | 'date'
  | 'timestamptz'
  | 'text[]'
  | 'jsonb';

/** A field of the metadata as a column of its collection's view. */
export interface Column {
  readonly name: string;
  readonly property: string;
  readonly type: ColumnType;
}

/** Of more a view would be of no use to anybody; PostgreSQL's own limit is 1,600. */
const mostColumns = 200;

const longestName = 63;

/**
 * The columns that a JSON Schema gives: one for each property of the object that it describes.
 *
 * @param taken names of other columns, which these don't get
 */
export function columnsOf(schema: JsonSchema, taken: readonly string[]): Column[] {
  const names = new Set(taken);
  const columns: Column[] = [];
  const properties = follow(schema, schema)['properties'];
  if (!isObject(properties)) return columns;
  for (const [property, described] of Object.entries(properties)) {
    const name = names.has(property) ? `metadata_${property}` : property;
    // What can't be a column is there in the metadata.
    if (names.has(name) || name === '' || Buffer.byteLength(name) > longestName || name.includes('\0'))
      continue;
    if (columns.length === mostColumns) break;
    names.add(name);
    columns.push({ name, property, type: typeOf(isObject(described) ? described : {}, schema) });
  }
  return columns;
}

function typeOf(given: JsonSchema, root: JsonSchema): ColumnType {
  const schema = follow(given, root);
  switch (onlyType(schema)) {
    case 'integer':
      return 'bigint';
    case 'number':
      return 'numeric';
    case 'boolean':
      return 'boolean';
    case 'string':
      if (schema['format'] === 'date') return 'date';
      return schema['format'] === 'date-time' ? 'timestamptz' : 'text';
    case 'array': {
      const { items } = schema;
      return isObject(items) && typeOf(items, root) === 'text' ? 'text[]' : 'jsonb';
    }
    default:
      return 'jsonb';
  }
}

/** The one type that values have which aren't null. */
function onlyType({ type, enum: values, const: only }: JsonSchema): unknown {
  if (Array.isArray(type)) {
    const others = type.filter((one) => one !== 'null');
    return others.length === 1 ? others[0] : undefined;
  }
  if (type !== undefined) return type;
  const constants = Array.isArray(values) ? values : only === undefined ? [] : [only];
  const isText = constants.length > 0 && constants.every((one) => typeof one === 'string' || one === null);
  return isText ? 'string' : undefined;
}

/** What a `$ref` within the schema stands for; some steps of the way at most. */
function follow(schema: JsonSchema, root: JsonSchema, steps = 8): JsonSchema {
  const { $ref } = schema;
  if (typeof $ref !== 'string' || !$ref.startsWith('#') || steps === 0) return schema;
  let found: unknown = root;
  for (const part of $ref.split('/').slice(1)) {
    const key = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
    found = isObject(found) && Object.hasOwn(found, key) ? found[key] : undefined;
  }
  return isObject(found) ? follow(found, root, steps - 1) : {};
}

function isObject(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** As far as PostgreSQL goes along: JSON Schema takes hours and minutes for a leap second’s that no day has. */
const time =
  /^(\d{4})-\d{2}-\d{2}(?:[Tt ](?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d(?:\.\d{1,20})?|60)(?:[Zz]|[+-](\d{2})(?::?[0-5]\d)?))?$/;

/** PostgreSQL knows no offset of 16 hours or more, and nobody lives there. */
const greatestOffset = 15;

/**
 * Whether a value that its JSON Schema allows can be read as its column's type: a view must never fail for one row's sake.
 *
 * @returns what is wrong with it
 */
export function misfit({ property, type }: Column, value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  switch (type) {
    case 'bigint':
      // Of numbers beyond 2⁵³ only the nearest double is known: the least of all integers is left out with those beyond it.
      return Math.abs(Number(value)) < 2 ** 63 ? undefined : `${property} is an integer of more than 64 bits`;
    case 'date':
    case 'timestamptz': {
      const [, year, offset = '0'] = time.exec(String(value)) ?? [];
      if (year === undefined) return `${property} is no date that PostgreSQL reads`;
      if (Number(year) === 0) return `${property} is in the year 0, which PostgreSQL has not`;
      return Number(offset) > greatestOffset ? `${property} has an offset of 16 hours or more` : undefined;
    }
    default:
      // Of the others JSON Schema has made sure, and text and jsonb are anything.
      return undefined;
  }
}
