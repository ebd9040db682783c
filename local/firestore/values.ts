import { toMicros } from './time.ts';
import type { Fields, Value } from './wire.ts';

/** Order of the types: a value of a lower rank sorts before every value of a higher one. */
const rank = {
  nullValue: 0,
  booleanValue: 1,
  integerValue: 2,
  doubleValue: 2,
  timestampValue: 3,
  stringValue: 4,
  bytesValue: 5,
  referenceValue: 6,
  geoPointValue: 7,
  arrayValue: 8,
  mapValue: 10,
} as const satisfies Record<Value['valueType'], number>;

const vectorRank = 9;

export const nullValue: Value = { valueType: 'nullValue', nullValue: 'NULL_VALUE' };

export function isVector(value: Value): boolean {
  if (value.valueType !== 'mapValue') return false;
  const type = value.mapValue.fields?.['__type__'];
  return type?.valueType === 'stringValue' && type.stringValue === '__vector__';
}

/** Rank of a value's type; inequality filters match values of the operand's rank only. */
export function typeRank(value: Value): number {
  return isVector(value) ? vectorRank : rank[value.valueType];
}

export function isNumber(
  value: Value | undefined,
): value is Extract<Value, { valueType: 'integerValue' | 'doubleValue' }> {
  return value?.valueType === 'integerValue' || value?.valueType === 'doubleValue';
}

export function isNaNValue(value: Value | undefined): boolean {
  return value?.valueType === 'doubleValue' && Number.isNaN(value.doubleValue);
}

/**
 * Compares two values in Firestore's total order over all types.
 *
 * @returns negative, 0 or positive. Equality is a query's: 1 equals 1.0, -0 equals 0, NaN equals NaN.
 * @see https://cloud.google.com/firestore/docs/concepts/data-types#value_type_ordering
 */
export function compareValues(a: Value, b: Value): number {
  if (a === b) return 0;
  const byType = typeRank(a) - typeRank(b);
  if (byType !== 0) return byType;
  switch (a.valueType) {
    case 'nullValue':
      return 0;
    case 'booleanValue':
      return b.valueType === a.valueType ? Number(a.booleanValue) - Number(b.booleanValue) : 0;
    case 'integerValue':
    case 'doubleValue':
      return isNumber(b) ? compareNumbers(a, b) : 0;
    case 'timestampValue':
      return b.valueType === a.valueType ? toMicros(a.timestampValue) - toMicros(b.timestampValue) : 0;
    case 'stringValue':
      return b.valueType === a.valueType ? compareText(a.stringValue, b.stringValue) : 0;
    case 'bytesValue':
      return b.valueType === a.valueType ? Buffer.compare(a.bytesValue, b.bytesValue) : 0;
    case 'referenceValue':
      return b.valueType === a.valueType ? compareNames(a.referenceValue, b.referenceValue) : 0;
    case 'geoPointValue':
      return b.valueType === a.valueType
        ? (a.geoPointValue.latitude ?? 0) - (b.geoPointValue.latitude ?? 0) ||
            (a.geoPointValue.longitude ?? 0) - (b.geoPointValue.longitude ?? 0)
        : 0;
    case 'arrayValue':
      return b.valueType === a.valueType
        ? compareArrays(a.arrayValue.values ?? [], b.arrayValue.values ?? [])
        : 0;
    case 'mapValue':
      return b.valueType === a.valueType ? compareMaps(a, b) : 0;
  }
}

export function valuesEqual(a: Value, b: Value): boolean {
  if (a.valueType === 'stringValue') return b.valueType === 'stringValue' && a.stringValue === b.stringValue;
  return compareValues(a, b) === 0;
}

/** Whether two values are stored alike. Stricter than a query's equality: 1 and 1.0 differ, so do 0 and -0. */
export function sameValue(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (a.valueType !== b.valueType) return false;
  if (a.valueType === 'doubleValue')
    return b.valueType === a.valueType && Object.is(a.doubleValue, b.doubleValue);
  if (a.valueType === 'arrayValue' && b.valueType === 'arrayValue') {
    const left = a.arrayValue.values ?? [];
    const right = b.arrayValue.values ?? [];
    return (
      left.length === right.length &&
      left.every((value, index) => {
        const other = right[index];
        return other !== undefined && sameValue(value, other);
      })
    );
  }
  if (a.valueType === 'mapValue' && b.valueType === 'mapValue') {
    return sameFields(a.mapValue.fields ?? {}, b.mapValue.fields ?? {});
  }
  return compareValues(a, b) === 0;
}

export function sameFields(a: Fields, b: Fields): boolean {
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) => {
    const left = a[name];
    const right = Object.hasOwn(b, name) ? b[name] : undefined;
    return left !== undefined && right !== undefined && sameValue(left, right);
  });
}

type NumberValue = Extract<Value, { valueType: 'integerValue' | 'doubleValue' }>;

function compareNumbers(a: NumberValue, b: NumberValue): number {
  const left = a.valueType === 'integerValue' ? Number(a.integerValue) : a.doubleValue;
  const right = b.valueType === 'integerValue' ? Number(b.integerValue) : b.doubleValue;
  if (left < right) return -1;
  if (left > right) return 1;
  // NaN sorts before every number.
  if (Number.isNaN(left) || Number.isNaN(right))
    return Number(Number.isNaN(right)) - Number(Number.isNaN(left));
  if (Math.abs(left) < Number.MAX_SAFE_INTEGER) return 0;
  if (!Number.isFinite(left)) return 0;
  // Beyond 2^53 different integers become the same double: decide by the exact numbers.
  const exactLeft = a.valueType === 'integerValue' ? BigInt(a.integerValue) : BigInt(a.doubleValue);
  const exactRight = b.valueType === 'integerValue' ? BigInt(b.integerValue) : BigInt(b.doubleValue);
  return exactLeft < exactRight ? -1 : exactLeft > exactRight ? 1 : 0;
}

/** Compares as UTF-8 bytes do. UTF-16 units agree with that except where surrogates meet U+E000 to U+FFFF. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left !== right) {
      const leftSurrogate = left >= 0xd800 && left <= 0xdfff;
      const rightSurrogate = right >= 0xd800 && right <= 0xdfff;
      return leftSurrogate === rightSurrogate ? left - right : leftSurrogate ? 1 : -1;
    }
  }
  return a.length - b.length;
}

/** Compares resource names segment by segment: a parent before its children, numeric ids before the others. */
export function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  const left = a.split('/');
  const right = b.split('/');
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index++) {
    const order = compareIds(left[index] ?? '', right[index] ?? '');
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

const numericId = /^__id(-?\d+)__$/;

export function compareIds(a: string, b: string): number {
  if (a === b) return 0;
  const left = a.startsWith('__id') ? numericId.exec(a)?.[1] : undefined;
  const right = b.startsWith('__id') ? numericId.exec(b)?.[1] : undefined;
  if (left !== undefined && right !== undefined) return BigInt(left) < BigInt(right) ? -1 : 1;
  if (left !== undefined) return -1;
  if (right !== undefined) return 1;
  return compareText(a, b);
}

function compareArrays(a: readonly Value[], b: readonly Value[]): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const left = a[index];
    const right = b[index];
    const order = left === undefined || right === undefined ? 0 : compareValues(left, right);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

type MapValue = Extract<Value, { valueType: 'mapValue' }>;

function compareMaps(a: MapValue, b: MapValue): number {
  const left = a.mapValue.fields ?? {};
  const right = b.mapValue.fields ?? {};
  if (isVector(a)) return compareVectors(left, right);
  const leftNames = Object.keys(left).sort(compareText);
  const rightNames = Object.keys(right).sort(compareText);
  const length = Math.min(leftNames.length, rightNames.length);
  for (let index = 0; index < length; index++) {
    const leftName = leftNames[index] ?? '';
    const rightName = rightNames[index] ?? '';
    const order =
      compareText(leftName, rightName) ||
      compareValues(left[leftName] ?? nullValue, right[rightName] ?? nullValue);
    if (order !== 0) return order;
  }
  return leftNames.length - rightNames.length;
}

/** Vectors sort by their dimension first, then by their components. */
function compareVectors(a: Fields, b: Fields): number {
  const components = (fields: Fields): readonly Value[] =>
    fields['value']?.valueType === 'arrayValue' ? (fields['value'].arrayValue.values ?? []) : [];
  const left = components(a);
  const right = components(b);
  return left.length - right.length || compareArrays(left, right);
}
