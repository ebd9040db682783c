import { isObject, type JsonObject } from '../http/json.ts';
import { InvalidValue, invalidValue } from './invalid-value.ts';
import { type Field, fieldNamed, keyOf, modeOf, type Schema } from './schema.ts';
import { type RecordValue, readScalar, type Source, type Value } from './values.ts';

export interface Row {
  /** By key of the field; one that came later than the row has none. */
  readonly values: RecordValue;
  /** Milliseconds since the epoch. */
  readonly inserted: number;
  /** It came by `insertAll`. */
  readonly streamed: boolean;
}

export interface ReadOptions {
  readonly source: Source;
  /** Leaves out what no field is for. */
  readonly ignoreUnknownValues: boolean;
}

/** @throws InvalidValue where a row doesn't fit its table */
export function readValues(row: JsonObject, schema: Schema, options: ReadOptions): RecordValue {
  return readRecord(row, schema.fields, '', options);
}

function readRecord(
  object: JsonObject,
  fields: readonly Field[],
  prefix: string,
  options: ReadOptions,
): RecordValue {
  const record: Record<string, Value> = {};
  for (const [name, value] of Object.entries(object)) {
    const field = fieldNamed(fields, name);
    const path = `${prefix}${field?.name ?? name}`;
    if (field) record[keyOf(name)] = readField(field, value, path, options);
    else if (!options.ignoreUnknownValues) throw invalidValue(`no such field: ${path}.`, path);
  }
  const missing = fields
    .filter((field) => modeOf(field) === 'REQUIRED' && (record[keyOf(field.name)] ?? null) === null)
    .map(({ name }) => `Msg_0_CLOUD_QUERY_TABLE.${prefix}${name}`);
  if (missing.length === 0) return record;
  throw invalidValue(`Missing required field${missing.length > 1 ? 's' : ''}: ${missing.join(', ')}.`);
}

function readField(field: Field, value: unknown, path: string, options: ReadOptions): Value {
  if (modeOf(field) !== 'REPEATED') return readOne(field, value, path, options);
  if (value === null) return [];
  if (!Array.isArray(value)) throw invalidValue('Repeated field must be imported as a JSON array.', path);
  return value.map((element: unknown) => {
    if (element !== null) return readOne(field, element, path, options);
    throw invalidValue(`Only optional fields can be set to NULL. Field: ${path}; Value: NULL`, path);
  });
}

function readOne(field: Field, value: unknown, path: string, options: ReadOptions): Value {
  if (value === null || value === undefined) return null;
  const { type } = field;
  if (type === 'RECORD') {
    if (isObject(value)) return readRecord(value, field.fields ?? [], `${path}.`, options);
    throw invalidValue(`This field: ${path} is not a scalar.`, path);
  }
  const isWholeJson = type === 'JSON' && options.source === 'load';
  if (Array.isArray(value) && !isWholeJson)
    throw invalidValue('Array specified for non-repeated field.', path);
  if (isObject(value) && !isWholeJson) throw invalidValue(`This field: ${path} is not a record.`, path);
  try {
    return readScalar(type, value, options.source);
  } catch (error) {
    throw error instanceof InvalidValue ? invalidValue(error.message, path) : error;
  }
}
