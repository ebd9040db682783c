import { isObject, type JsonObject } from '../http/json.ts';
import { invalid } from './errors.ts';
import { choiceOf, objectsOf, requiredText, supportOnly, textOf } from './fields.ts';

export type Mode = 'NULLABLE' | 'REQUIRED' | 'REPEATED';

export interface Field {
  readonly name: string;
  readonly type: FieldType;
  /** NULLABLE where it is left out. */
  readonly mode: Mode | undefined;
  readonly description: string | undefined;
  /** Of a RECORD. */
  readonly fields: readonly Field[] | undefined;
}

export interface Schema {
  readonly fields: readonly Field[];
}

const types = [
  'STRING',
  'BYTES',
  'INTEGER',
  'FLOAT',
  'NUMERIC',
  'BIGNUMERIC',
  'BOOLEAN',
  'TIMESTAMP',
  'DATE',
  'TIME',
  'DATETIME',
  'JSON',
  'RECORD',
] as const;

export type FieldType = (typeof types)[number];

/** Answers have the old names. */
const aliases: Readonly<Record<string, FieldType>> = {
  INT64: 'INTEGER',
  FLOAT64: 'FLOAT',
  BOOL: 'BOOLEAN',
  STRUCT: 'RECORD',
};

const reserved = /^(_TABLE_|_FILE_|_PARTITION|_ROW_TIMESTAMP|__ROOT__|_COLIDENTIFIER)/i;
const maximumDepth = 15;

/**
 * @throws ApiError 400
 * @see https://cloud.google.com/bigquery/docs/schemas
 */
export function schemaOf(object: JsonObject): Schema | undefined {
  const schema = object['schema'] ?? undefined;
  if (schema === undefined) return undefined;
  if (!isObject(schema)) throw invalid('Invalid value for schema');
  supportOnly('a schema', schema, ['fields']);
  return { fields: readFields(schema, 1) };
}

export function modeOf({ mode }: Field): Mode {
  return mode ?? 'NULLABLE';
}

/** A field by its name, in which capitals and small letters are the same. */
export function fieldNamed(fields: readonly Field[], name: string): Field | undefined {
  return fields.find((field) => keyOf(field.name) === keyOf(name));
}

/** What is the same for all ways to write a field's name. */
export function keyOf(name: string): string {
  return name.toLowerCase();
}

function readFields(parent: JsonObject, depth: number): readonly Field[] {
  if (depth > maximumDepth) throw invalid(`Schema is nested deeper than ${maximumDepth} levels`);
  const fields = (objectsOf(parent, 'fields') ?? []).map((field) => readField(field, depth));
  for (const field of fields) {
    if (fieldNamed(fields, field.name) !== field)
      throw invalid(`Field ${field.name} already exists in schema`);
  }
  return fields;
}

function readField(field: JsonObject, depth: number): Field {
  supportOnly('a field', field, ['name', 'type', 'mode', 'description', 'fields']);
  const name = requiredText(field, 'name');
  if (!/^[a-zA-Z_]\w{0,299}$/.test(name) || reserved.test(name)) {
    throw invalid(
      `Invalid field name "${name}". Fields must contain only letters, numbers, and underscores, start with a letter or underscore, and be at most 300 characters long.`,
    );
  }
  const type = readType(requiredText(field, 'type'), name);
  if ((type === 'RECORD') !== (field['fields'] !== undefined)) {
    throw invalid(
      type === 'RECORD'
        ? `Field ${name} is type RECORD but has no schema`
        : `Field ${name} of type ${type} has fields`,
    );
  }
  return {
    name,
    type,
    mode: choiceOf(field, 'mode', ['NULLABLE', 'REQUIRED', 'REPEATED']),
    description: textOf(field, 'description'),
    fields: type === 'RECORD' ? readFields(field, depth + 1) : undefined,
  };
}

function readType(given: string, name: string): FieldType {
  const upper = given.toUpperCase();
  const type = aliases[upper] ?? types.find((known) => known === upper);
  if (type) return type;
  throw invalid(`The type ${given} of field ${name} is not implemented here`);
}
