import { quoted, Unreadable } from './fault.ts';
import { assertNumber } from './jsonb.ts';

/** A value, and the same as JSON. */
export interface Value {
  readonly value: unknown;
  readonly json: string;
}

const int = /^[-+]?[0-9]+$/;
const otherInt = /^0(?:o[0-7]+|x[0-9a-fA-F]+)$/;
const float = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
const noNumber = /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;

/** Hexadecimal digits of the largest double; also bounds what it takes to write them as decimal ones. */
const mostHexDigits = 256;

const words = new Map<string, Value>([
  ...['', '~', 'null', 'Null', 'NULL'].map((word) => [word, { value: null, json: 'null' }] as const),
  ...['true', 'True', 'TRUE'].map((word) => [word, { value: true, json: 'true' }] as const),
  ...['false', 'False', 'FALSE'].map((word) => [word, { value: false, json: 'false' }] as const),
]);

const longestWord = 5;

/**
 * What a scalar without quotes is in the core schema of YAML 1.2 (10.3.2). Numbers keep all their digits in `json`.
 *
 * @throws Unreadable
 */
export function plainScalar(source: string, offset: number): Value {
  const word = source.length <= longestWord ? words.get(source) : undefined;
  return word ?? numeric(source, offset) ?? text(source);
}

export function text(value: string): Value {
  return { value, json: JSON.stringify(value) };
}

/** The tags that say what a scalar is to be, whatever it looks like. Dates and times stay as they are written. */
export const scalarTags = ['str', 'null', 'bool', 'int', 'float', 'timestamp'].map(
  (name) => `tag:yaml.org,2002:${name}`,
);

/**
 * @param tag - one of `scalarTags`, or `!`
 * @throws Unreadable when the scalar isn't what its tag says
 */
export function taggedScalar(tag: string, source: string, offset: number): Value {
  const name = tag.slice(tag.lastIndexOf(':') + 1);
  if (name === 'str' || name === 'timestamp' || name === '!') return text(source);
  const plain = plainScalar(source, offset);
  const kind = plain.value === null ? 'null' : typeof plain.value;
  const wanted = { null: 'null', bool: 'boolean', int: 'number', float: 'number' }[name];
  const whole = name !== 'int' || int.test(source) || otherInt.test(source);
  if (kind === wanted && whole) return plain;
  throw new Unreadable('INVALID_YAML', offset, `${quoted(source)} is tagged !!${name}, and isn't one.`);
}

function numeric(source: string, offset: number): Value | undefined {
  if (!mayBeNumber(source.charCodeAt(0))) return undefined;
  if (float.test(source)) {
    const json = asJsonNumber(source);
    return { value: assertNumber(json, offset), json };
  }
  if (otherInt.test(source)) {
    const digits = source.slice(2).replace(/^0+(?=.)/, '');
    if (digits.length <= mostHexDigits) {
      const json = BigInt(source.slice(0, 2) + digits).toString();
      return { value: assertNumber(json, offset), json };
    }
  }
  if (!otherInt.test(source) && !noNumber.test(source)) return undefined;
  throw new Unreadable(
    'NOT_STORABLE',
    offset,
    `The number ${quoted(source)} is none that JSON has: leave it out, or write it as a string.`,
  );
}

/** Digits, `+`, `-` and `.`. */
function mayBeNumber(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || code === 0x2b || code === 0x2d || code === 0x2e;
}

/** `+01.` is 1, `.5` is 0.5. */
function asJsonNumber(source: string): string {
  const [, sign = '', whole = '', decimals = '', exponent = ''] =
    /^([-+]?)0*([0-9]*)(?:\.([0-9]*))?(?:[eE](.*))?$/.exec(source) ?? [];
  return (
    (sign === '-' ? '-' : '') + (whole || '0') + (decimals && `.${decimals}`) + (exponent && `e${exponent}`)
  );
}
