import { gunzipSync } from 'node:zlib';
import { isObject } from '../http/json.ts';
import { InvalidValue, invalidValue } from './invalid-value.ts';
import { JobError } from './job.ts';
import { type ReadOptions, readValues } from './row.ts';
import type { Schema } from './schema.ts';
import type { RecordValue } from './values.ts';

export interface RejectedRow {
  readonly uri: string;
  /** In bytes from the beginning of the file. */
  readonly position: number;
  readonly message: string;
}

const gzipMagic = Buffer.from([0x1f, 0x8b]);

/** The rows of a file, which may be compressed. @see https://jsonlines.org */
export function parseLines(
  bytes: Buffer,
  uri: string,
  schema: Schema,
  options: ReadOptions,
): { values: readonly RecordValue[]; rejected: readonly RejectedRow[] } {
  const text = bytes.subarray(0, 2).equals(gzipMagic) ? gunzipSync(bytes) : bytes;
  const values: RecordValue[] = [];
  const rejected: RejectedRow[] = [];
  let position = 0;
  for (const line of text.toString().split('\n')) {
    try {
      if (line.trim() !== '') values.push(readLine(line, schema, options));
    } catch (error) {
      if (!(error instanceof InvalidValue)) throw error;
      rejected.push({ uri, position, message: error.message });
    }
    position += Buffer.byteLength(line) + 1;
  }
  return { values, rejected };
}

/** What a load job fails with whose files have too many rows that don't fit. */
export function tooManyErrors(rejected: readonly RejectedRow[]): JobError {
  const prefix = 'Error while reading data, error message: JSON';
  const [first] = rejected;
  const summary = `${prefix} table encountered too many errors, giving up. Rows: ${rejected.length}; errors: ${rejected.length}. Please look into the errors[] collection for more details.`;
  return new JobError([
    { reason: 'invalid', message: summary, ...(first && { location: first.uri }) },
    ...rejected.map(({ uri, position, message }) => ({
      reason: 'invalid',
      location: uri,
      message: `${prefix} parsing error in row starting at position ${position}: ${message}`,
    })),
  ]);
}

function readLine(line: string, schema: Schema, options: ReadOptions): RecordValue {
  const row = parse(line);
  if (isObject(row)) return readValues(row, schema, options);
  throw invalidValue('Start of object expected');
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw invalidValue('Parser terminated before end of string');
  }
}
