import { invalidValue } from './invalid-value.ts';
import type { FieldType } from './schema.ts';
import { type Micros, readDate, readDatetime, readTime, readTimestamp } from './timestamps.ts';

/** A value as it is kept: a timestamp is a number, every other scalar the text that answers have. */
export type Value = string | Micros | null | readonly Value[] | RecordValue;

export interface RecordValue {
  readonly [key: string]: Value;
}

/** `stream`: a JSON value comes as text; `load`: as it is. */
export type Source = 'stream' | 'load';

type Read = (value: unknown, source: Source) => string | Micros;

const int64 = { minimum: -(2n ** 63n), maximum: 2n ** 63n - 1n };
const floats: Readonly<Record<string, string>> = {
  nan: 'NaN',
  inf: 'Infinity',
  '+inf': 'Infinity',
  '-inf': '-Infinity',
  infinity: 'Infinity',
  '+infinity': 'Infinity',
  '-infinity': '-Infinity',
};
const truths = ['true', 't', 'yes', 'y', '1'];
const falsehoods = ['false', 'f', 'no', 'n', '0'];

const readers: Readonly<Record<Exclude<FieldType, 'RECORD'>, Read>> = {
  STRING: String,
  BYTES: readBytes,
  INTEGER: readInteger,
  FLOAT: readFloat,
  NUMERIC: (value) => readDecimal(value, 'NUMERIC', 29, 9),
  BIGNUMERIC: (value) => readDecimal(value, 'BIGNUMERIC', 39, 38),
  BOOLEAN: readBoolean,
  TIMESTAMP: (value) => readTimestamp(String(value)),
  DATE: (value) => readDate(String(value)),
  TIME: (value) => readTime(String(value)),
  DATETIME: (value) => readDatetime(String(value)),
  JSON: readJsonValue,
};

/**
 * A scalar as a row has it.
 *
 * @param value no object, unless a JSON value is loaded
 * @throws InvalidValue
 * @see https://cloud.google.com/bigquery/docs/loading-data-cloud-storage-json#details_of_loading_json_data
 */
export function readScalar(
  type: Exclude<FieldType, 'RECORD'>,
  value: unknown,
  source: Source,
): string | Micros {
  return readers[type](value, source);
}

function readBytes(value: unknown): string {
  const text = String(value);
  const bytes = Buffer.from(text, 'base64').toString('base64');
  if (bytes.replace(/=+$/, '') === text.replace(/=+$/, '').replaceAll('-', '+').replaceAll('_', '/'))
    return bytes;
  throw invalidValue(`Could not decode base64 string to bytes. Value: ${text}`);
}

function readInteger(value: unknown): string {
  const text = String(value).trim();
  if (/^[+-]?\d+(\.0*)?$/.test(text)) {
    const integer = BigInt(text.replace(/^\+/, '').replace(/\..*/, ''));
    if (integer >= int64.minimum && integer <= int64.maximum) return String(integer);
  }
  throw invalidValue(`Cannot convert value to integer (bad value): ${text}`);
}

function readFloat(value: unknown): string {
  const text = String(value).trim();
  const special = floats[text.toLowerCase()];
  if (special) return special;
  const number = text === '' ? Number.NaN : Number(text);
  if (Number.isFinite(number)) return Number.isInteger(number) ? `${number}.0` : String(number);
  throw invalidValue(`Cannot convert value to floating point (bad value): ${text}`);
}

function readBoolean(value: unknown): string {
  const text = String(value).toLowerCase();
  if (truths.includes(text)) return 'true';
  if (falsehoods.includes(text)) return 'false';
  throw invalidValue(`Cannot convert value to boolean (bad value): ${text}`);
}

/**
 * @param whole how many digits there may be before the point
 * @param scale how many after it
 */
function readDecimal(value: unknown, type: string, whole: number, scale: number): string {
  const text = String(value).trim();
  const [, sign = '', digits = '', fraction = ''] = /^([+-]?)(\d*)\.?(\d*)$/.exec(text) ?? [];
  const integer = digits.replace(/^0+/, '');
  const decimals = fraction.replace(/0+$/, '');
  if (!digits && !fraction) throw invalidValue(`Invalid ${type} value: ${text}`);
  if (integer.length > whole || decimals.length > scale) throw invalidValue(`Invalid ${type} value: ${text}`);
  const number = `${integer || '0'}${decimals && `.${decimals}`}`;
  return sign === '-' && number !== '0' ? `-${number}` : number;
}

function readJsonValue(value: unknown, source: Source): string {
  if (source === 'load') return JSON.stringify(value);
  const text = String(value);
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    throw invalidValue(`Invalid JSON value: ${text}`);
  }
}
