import { status } from '@grpc/grpc-js';
import { GrpcError } from '../grpc/server.ts';
import { type FieldPath, getField, isDocumentName, parseFieldPath, withField } from './field-path.ts';
import { type Micros, toTimestamp } from './time.ts';
import { storedValue } from './value-rules.ts';
import { compareValues, isNaNValue, isNumber, nullValue, valuesEqual } from './values.ts';
import type { ArrayValue, Fields, Value, WireFieldTransform } from './wire.ts';

const maxTransforms = 500;
const int64Max = 2n ** 63n - 1n;
const int64Min = -(2n ** 63n);

/** A change of one field that depends on what it holds, or on the time of the commit. */
export interface FieldTransform {
  readonly path: FieldPath;
  /** `result` is what the server answers for this transform. */
  apply(present: Value | undefined, commitTime: Micros): { value: Value | undefined; result: Value };
}

/**
 * @throws INVALID_ARGUMENT
 * @see https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#fieldtransform
 */
export function parseTransforms(
  transforms: readonly WireFieldTransform[] | undefined,
): readonly FieldTransform[] {
  if (transforms === undefined || transforms.length === 0) return [];
  if (transforms.length > maxTransforms) {
    throw invalid(`Cannot apply more than ${maxTransforms} transforms to one document in a commit.`);
  }
  return transforms.map((transform) => {
    const path = parseFieldPath(transform.fieldPath);
    if (isDocumentName(path)) throw invalid('Cannot transform the name of a document.');
    return { path, apply: parseOperation(transform) };
  });
}

/** Applies transforms in order; each sees what those before it did. */
export function applyTransforms(
  fields: Fields,
  transforms: readonly FieldTransform[],
  commitTime: Micros,
): { fields: Fields; results: Value[] } {
  const results: Value[] = [];
  let changed = fields;
  for (const { path, apply } of transforms) {
    const { value, result } = apply(getField(changed, path), commitTime);
    changed = withField(changed, path, value);
    results.push(result);
  }
  return { fields: changed, results };
}

function parseOperation(transform: WireFieldTransform): FieldTransform['apply'] {
  switch (transform.transformType) {
    case 'setToServerValue':
      if (transform.setToServerValue !== 'REQUEST_TIME') throw invalid('Unknown server value.');
      return (_present, commitTime) => both(requestTime(commitTime));
    case 'increment': {
      const operand = numeric(transform.increment, 'increment');
      return (present) => both(isNumber(present) ? sum(present, operand) : operand);
    }
    case 'maximum': {
      const operand = numeric(transform.maximum, 'maximum');
      return (present) => both(extreme(present, operand, 1));
    }
    case 'minimum': {
      const operand = numeric(transform.minimum, 'minimum');
      return (present) => both(extreme(present, operand, -1));
    }
    case 'appendMissingElements': {
      const elements = storedElements(transform.appendMissingElements);
      return (present) => ({ value: arrayOf(union(arrayElements(present), elements)), result: nullValue });
    }
    case 'removeAllFromArray': {
      const elements = storedElements(transform.removeAllFromArray);
      return (present) => ({
        value: arrayOf(
          arrayElements(present).filter((kept) => !elements.some((gone) => valuesEqual(kept, gone))),
        ),
        result: nullValue,
      });
    }
    default:
      throw invalid('A field transform must say what to do.');
  }
}

function both(value: Value): { value: Value; result: Value } {
  return { value, result: value };
}

/** Milliseconds: the documented precision of REQUEST_TIME, coarser than update times. */
function requestTime(commitTime: Micros): Value {
  return { valueType: 'timestampValue', timestampValue: toTimestamp(Math.floor(commitTime / 1000) * 1000) };
}

type NumberValue = Extract<Value, { valueType: 'integerValue' | 'doubleValue' }>;

function numeric(operand: Value | undefined, what: string): NumberValue {
  if (!isNumber(operand)) throw invalid(`The operand of ${what} must be an integer or a double.`);
  return operand;
}

/** Integers saturate instead of overflowing; a double on either side makes a double. */
function sum(a: NumberValue, b: NumberValue): NumberValue {
  if (a.valueType === 'integerValue' && b.valueType === 'integerValue') {
    const exact = BigInt(a.integerValue) + BigInt(b.integerValue);
    const saturated = exact > int64Max ? int64Max : exact < int64Min ? int64Min : exact;
    return { valueType: 'integerValue', integerValue: String(saturated) };
  }
  return { valueType: 'doubleValue', doubleValue: asDouble(a) + asDouble(b) };
}

function asDouble(value: NumberValue): number {
  return value.valueType === 'integerValue' ? Number(value.integerValue) : value.doubleValue;
}

/** The larger (`sign` 1) or smaller (-1) of the two; the stored one if they are equal; NaN if either is. */
function extreme(present: Value | undefined, operand: NumberValue, sign: 1 | -1): Value {
  if (!isNumber(present)) return operand;
  if (isNaNValue(present)) return present;
  if (isNaNValue(operand)) return operand;
  return compareValues(operand, present) * sign > 0 ? operand : present;
}

function storedElements(array: ArrayValue | undefined): Value[] {
  return (array?.values ?? []).map((element) => {
    if (element.valueType === 'arrayValue') throw invalid('Cannot convert an array value in an array value.');
    return storedValue(element, 2, 'array element');
  });
}

function arrayElements(value: Value | undefined): readonly Value[] {
  return value?.valueType === 'arrayValue' ? (value.arrayValue.values ?? []) : [];
}

function arrayOf(values: Value[]): Value {
  return { valueType: 'arrayValue', arrayValue: { values } };
}

function union(present: readonly Value[], added: readonly Value[]): Value[] {
  const all = [...present];
  for (const element of added) {
    if (!all.some((known) => valuesEqual(known, element))) all.push(element);
  }
  return all;
}

function invalid(message: string): GrpcError {
  return new GrpcError(status.INVALID_ARGUMENT, message);
}
