import { status } from '@grpc/grpc-js';
import { GrpcError } from '../grpc/server.ts';
import { toMicros, toTimestamp } from './time.ts';
import { compareText, isVector } from './values.ts';
import type { Fields, Value } from './wire.ts';

const maxDepth = 20;
const maxNameBytes = 1500;
const reservedName = /^__.*__$/s;

/**
 * What a client sent as fields, in the form they are stored in: timestamps cut to microseconds, map keys in
 * order. (Firestore does not keep the order in which keys were written; code that relies on it has to fail here.)
 *
 * @throws INVALID_ARGUMENT for what the limits forbid
 * @see https://cloud.google.com/firestore/quotas#collections_documents_and_fields
 */
export function storedFields(fields: Fields | undefined, depth = 1): Fields {
  if (fields === undefined) return {};
  if (depth > maxDepth) throw invalid(`The document is nested more than ${maxDepth} levels deep.`);
  const stored: Fields = {};
  for (const name of Object.keys(fields).sort(compareText)) {
    checkFieldName(name);
    const value = fields[name];
    if (value !== undefined) stored[name] = storedValue(value, depth, name);
  }
  return stored;
}

/** One value in the form it is stored in. `name` is the field's, for messages. */
export function storedValue(value: Value, depth: number, name: string): Value {
  switch (value.valueType) {
    case 'nullValue':
    case 'booleanValue':
    case 'integerValue':
    case 'doubleValue':
    case 'stringValue':
    case 'bytesValue':
    case 'referenceValue':
      return value;
    case 'timestampValue':
      return { valueType: 'timestampValue', timestampValue: toTimestamp(toMicros(value.timestampValue)) };
    case 'geoPointValue':
      checkGeoPoint(value.geoPointValue);
      return value;
    case 'arrayValue':
      return storedArray(value.arrayValue.values ?? [], depth, name);
    case 'mapValue':
      if (isVector(value)) return value;
      return { valueType: 'mapValue', mapValue: { fields: storedFields(value.mapValue.fields, depth + 1) } };
    default:
      throw invalid(`Property ${name} has no value that can be stored.`);
  }
}

function storedArray(values: readonly Value[], depth: number, name: string): Value {
  if (depth >= maxDepth) throw invalid(`The document is nested more than ${maxDepth} levels deep.`);
  const stored = values.map((element) => {
    if (element.valueType === 'arrayValue') throw invalid('Cannot convert an array value in an array value.');
    return storedValue(element, depth + 1, name);
  });
  return { valueType: 'arrayValue', arrayValue: { values: stored } };
}

function checkFieldName(name: string): void {
  if (name === '') throw invalid('The property name is empty.');
  if (reservedName.test(name)) throw invalid(`The property name "${name}" is reserved.`);
  if (name.length * 3 > maxNameBytes && Buffer.byteLength(name) > maxNameBytes) {
    throw invalid(`The property name is longer than ${maxNameBytes} bytes.`);
  }
}

function checkGeoPoint({ latitude = 0, longitude = 0 }: { latitude?: number; longitude?: number }): void {
  if (!(Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180)) {
    throw invalid('A geographical point must have a latitude within ±90 and a longitude within ±180.');
  }
}

function invalid(message: string): GrpcError {
  return new GrpcError(status.INVALID_ARGUMENT, message);
}
