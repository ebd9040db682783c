import { quoted, Unreadable } from './fault.ts';

/** Objects and lists within each other. PostgreSQL's parser and JSON.stringify end a process's stack at some thousands. */
export const deepest = 100;

/** Digits after the point, as `numeric` counts them (PostgreSQL manual, 8.1.2). */
const mostDecimals = 16_383;

/**
 * An exponent may make 131,072 digits of eight characters wherever `jsonb` is shown as text; what a double can hold
 * needs 324.
 */
const largestExponent = 400;

/** So many, without an exponent, are never too many. */
const plainDigits = 300;

/** @throws Unreadable when PostgreSQL's `text` and `jsonb` can't keep a string */
export function assertStorable(value: string, offset: number): void {
  if (value.includes('\0')) {
    throw new Unreadable(
      'NUL_IN_TEXT',
      offset,
      `The string ${quoted(value)} has an escaped NUL character, which PostgreSQL can’t keep.`,
    );
  }
  if (!value.isWellFormed()) {
    throw new Unreadable(
      'NOT_STORABLE',
      offset,
      `The string ${quoted(value)} has an escaped half of a surrogate pair, which is no character.`,
    );
  }
}

/**
 * @param digits - a number as JSON writes it
 * @throws Unreadable when `numeric` can't keep it, or no double is near it
 */
export function assertNumber(digits: string, offset: number): number {
  const value = Number(digits);
  if (digits.length <= plainDigits && !/[eE]/.test(digits)) return value;
  const mark = digits.search(/[eE]/);
  const exponent = mark === -1 ? 0 : Number(digits.slice(mark + 1));
  const point = digits.indexOf('.');
  const decimals = point === -1 ? 0 : (mark === -1 ? digits.length : mark) - point - 1;
  const storable =
    Number.isFinite(value) && Math.abs(exponent) <= largestExponent && decimals - exponent <= mostDecimals;
  if (storable) return value;
  throw new Unreadable(
    'NOT_STORABLE',
    offset,
    `The number ${quoted(digits)} is too large, too small or too long to be kept: write it as a string.`,
  );
}

/** Sets a key that may be `__proto__`. */
export function put(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== '__proto__') {
    object[key] = value;
    return;
  }
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}

export function tooDeep(offset: number): Unreadable {
  return new Unreadable(
    'TOO_DEEP',
    offset,
    `Lists and mappings are nested deeper than ${deepest} levels: make the file flatter.`,
  );
}

export function duplicateKey(key: string, offset: number): Unreadable {
  return new Unreadable(
    'DUPLICATE_KEY',
    offset,
    `The key ${quoted(key)} is there twice in the same mapping, and only one of the values could be kept.`,
  );
}
