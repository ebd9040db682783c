import { status } from '@grpc/grpc-js';
import { GrpcError } from '../grpc/server.ts';
import type { Fields, Value } from './wire.ts';

/** A field's position in a document: map keys from the outside in. */
export type FieldPath = readonly string[];

const simpleSegment = /^[a-zA-Z_][a-zA-Z_0-9]*$/;
const maxPathBytes = 1500;
const cache = new Map<string, FieldPath>();
const cacheCapacity = 2000;

/** The pseudo field that stands for a document's own name. */
export const documentNameField = '__name__';

/**
 * Parses a field path: segments joined by dots, each either simple (`[a-zA-Z_][a-zA-Z_0-9]*`) or between
 * backticks, where a backslash escapes a backtick or a backslash.
 *
 * @throws INVALID_ARGUMENT
 * @see https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#google.firestore.v1.StructuredQuery.FieldReference
 */
export function parseFieldPath(text: string | undefined): FieldPath {
  if (text === undefined || text === '') throw invalid('', 'is empty');
  const known = cache.get(text);
  if (known) return known;
  if (text.length * 3 > maxPathBytes && Buffer.byteLength(text) > maxPathBytes) {
    throw invalid(text, `is longer than ${maxPathBytes} bytes`);
  }
  const path: string[] = [];
  let position = 0;
  do {
    const segment = text[position] === '`' ? readQuoted(text, position) : readSimple(text, position);
    path.push(segment.name);
    position = segment.end + 1;
    if (segment.end < text.length && text[segment.end] !== '.') throw invalid(text, 'has text after a quote');
  } while (position <= text.length);
  if (cache.size >= cacheCapacity) cache.clear();
  cache.set(text, path);
  return path;
}

interface Segment {
  readonly name: string;
  /** Index of what follows the segment. */
  readonly end: number;
}

function readSimple(text: string, start: number): Segment {
  const dot = text.indexOf('.', start);
  const end = dot === -1 ? text.length : dot;
  const name = text.slice(start, end);
  if (!simpleSegment.test(name)) throw invalid(text, `has the segment "${name}", which must be quoted`);
  return { name, end };
}

function readQuoted(text: string, start: number): Segment {
  let name = '';
  for (let position = start + 1; position < text.length; position++) {
    const character = text[position];
    if (character === '`') {
      if (name === '') throw invalid(text, 'has an empty segment');
      return { name, end: position + 1 };
    }
    if (character === '\\') position++;
    name += text[position] ?? '';
  }
  throw invalid(text, 'has an open quote');
}

function invalid(text: string, problem: string): GrpcError {
  return new GrpcError(status.INVALID_ARGUMENT, `Invalid property path "${text}": it ${problem}.`);
}

export function isDocumentName(path: FieldPath): boolean {
  return path.length === 1 && path[0] === documentNameField;
}

export function getField(fields: Fields, path: FieldPath): Value | undefined {
  let container: Fields | undefined = fields;
  let value: Value | undefined;
  for (const name of path) {
    if (container === undefined || !Object.hasOwn(container, name)) return undefined;
    value = container[name];
    container = value?.valueType === 'mapValue' ? (value.mapValue.fields ?? {}) : undefined;
  }
  return value;
}

/**
 * The fields with one of them set, or removed where `value` is undefined. What is not a map on the way to a
 * value that is set becomes one. Copies only the maps on the path: documents are never changed in place.
 */
export function withField(fields: Fields, path: FieldPath, value: Value | undefined): Fields {
  const [name, ...rest] = path;
  if (name === undefined) return fields;
  const present = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (rest.length === 0) {
    if (value !== undefined) return { ...fields, [name]: value };
    if (present === undefined) return fields;
    const { [name]: _removed, ...others } = fields;
    return others;
  }
  const nested = present?.valueType === 'mapValue' ? present.mapValue.fields : undefined;
  if (value === undefined && nested === undefined) return fields;
  return {
    ...fields,
    [name]: { valueType: 'mapValue', mapValue: { fields: withField(nested ?? {}, rest, value) } },
  };
}

/** Only the fields that a mask or projection names. */
export function selectFields(fields: Fields, paths: readonly FieldPath[]): Fields {
  let selected: Fields = {};
  for (const path of paths) {
    const value = getField(fields, path);
    if (value !== undefined) selected = withField(selected, path, value);
  }
  return selected;
}
