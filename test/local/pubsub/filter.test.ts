import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Filter, matches, parseFilter } from '../../../local/pubsub/filter.ts';

const attributes = { domain: 'com', 'iana.org/language_tag': 'en', region: 'us-east1' };

describe('a filter', () => {
  test.each([
    ['attributes:domain', true],
    ['attributes:missing', false],
    ['attributes:"iana.org/language_tag"', true],
    ['attributes.domain = "com"', true],
    ['attributes.domain="org"', false],
    ['attributes.domain != "com"', false],
    ['attributes.domain != "org"', true],
    ['attributes.missing != "com"', true],
    ['attributes."iana.org/language_tag" = "en"', true],
    ['hasPrefix(attributes.region, "us-")', true],
    ['hasPrefix(attributes.missing, "")', false],
    ['NOT attributes:missing', true],
    ['-attributes:domain', false],
    ['attributes:domain AND attributes.region = "eu"', false],
    ['attributes:domain OR attributes.region = "eu"', true],
    ['(attributes:missing OR attributes:domain) AND NOT attributes:missing', true],
    ['NOT (attributes:missing OR attributes:domain)', false],
    ['attributes.domain = "\\u0063\\x6f\\155"', true],
    ['attributes:toString', false],
  ])('%s gives %s', (text, expected) => {
    expect(matches(parseFilter(text), attributes)).toBe(expected);
  });

  test.each([
    'attributes:a AND attributes:b OR attributes:c',
    'attributes:a OR attributes:b AND attributes:c',
    'attributes.a = unquoted',
    "attributes.a = 'v'",
    'attributes.a',
    'labels.a = "x"',
    'attributesXa = "x"',
    'attributes.a > "x"',
    'hasPrefix(attributes.region "x")',
    '(attributes:a',
    'attributes:a)',
    'attributes:a and attributes:b',
    'attributes:a attributes:b',
    'attributes.a = "\\q"',
    '   ',
    `attributes.a = "${'x'.repeat(256)}"`,
  ])('%s is refused', (text) => {
    expect(() => parseFilter(text)).toThrow(expect.objectContaining({ code: 3 }));
  });

  test('means what its parts mean, however they are combined', () => {
    fc.assert(
      fc.property(filters, fc.dictionary(keys, values), (filter, given) => {
        const text = print(filter);
        fc.pre(Buffer.byteLength(text) <= 256);
        expect(matches(parseFilter(text), given)).toBe(evaluate(filter, given));
      }),
      { numRuns: 2000 },
    );
  });

  test('that is random text is parsed or refused, nothing else', () => {
    const pieces = [
      'attributes',
      ':',
      '.',
      'a',
      '"b"',
      '=',
      '!=',
      'AND',
      'OR',
      'NOT',
      '-',
      '(',
      ')',
      ' ',
      ',',
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces, 'hasPrefix'), { maxLength: 12 }), (parts) => {
        try {
          matches(parseFilter(parts.join('')), { a: 'b' });
        } catch (error) {
          expect(error).toMatchObject({ name: 'GrpcError', code: 3 });
        }
      }),
      { numRuns: 2000 },
    );
  });
});

const keys = fc.constantFrom('a', 'b-c', 'd e', '\\', '"', 'AND');
const values = fc.constantFrom('', 'x', 'xy', 'x"y', '\\', 'é');
const { filter: filters } = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 3 },
    fc.record({ kind: fc.constant('has' as const), key: keys }),
    fc.record({ kind: fc.constant('equals' as const), key: keys, value: values }),
    fc.record({ kind: fc.constant('prefix' as const), key: keys, prefix: values }),
    fc.record({ kind: fc.constant('not' as const), condition: tie('filter') }),
    fc.record({
      kind: fc.constantFrom('and' as const, 'or' as const),
      conditions: fc.array(tie('filter'), { minLength: 2, maxLength: 3 }),
    }),
  ),
}));

function print(filter: Filter): string {
  switch (filter.kind) {
    case 'has':
      return `attributes:${quote(filter.key)}`;
    case 'equals':
      return `attributes.${quote(filter.key)} = ${quote(filter.value)}`;
    case 'prefix':
      return `hasPrefix(attributes.${quote(filter.key)}, ${quote(filter.prefix)})`;
    case 'not':
      return `NOT (${print(filter.condition)})`;
    default:
      return filter.conditions
        .map((part) => `(${print(part)})`)
        .join(filter.kind === 'and' ? ' AND ' : ' OR ');
  }
}

/** The meaning written a second time, in another way, so that a mistake has to be made twice. */
function evaluate(filter: Filter, given: Record<string, string>): boolean {
  const held = new Map(Object.entries(given));
  switch (filter.kind) {
    case 'has':
      return held.has(filter.key);
    case 'equals':
      return held.get(filter.key) === filter.value;
    case 'prefix':
      return held.get(filter.key)?.indexOf(filter.prefix) === 0;
    case 'not':
      return !evaluate(filter.condition, given);
    case 'and':
      return !filter.conditions.map((part) => evaluate(part, given)).includes(false);
    case 'or':
      return filter.conditions.map((part) => evaluate(part, given)).includes(true);
  }
}

function quote(text: string): string {
  return `"${text.replace(/["\\]/g, (character) => `\\${character}`)}"`;
}
