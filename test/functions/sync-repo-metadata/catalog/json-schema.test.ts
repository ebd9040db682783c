import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileJsonSchema } from '../../../../functions/sync-repo-metadata/catalog/json-schema.ts';

const doubled = (levels: number) => ({
  $ref: '#/$defs/d0',
  $defs: {
    ...Object.fromEntries(
      Array.from({ length: levels }, (_, index) => {
        const next = { $ref: `#/$defs/d${index + 1}` };
        return [`d${index}`, { anyOf: [next, next] }];
      }),
    ),
    [`d${levels}`]: { type: 'string' },
  },
});
const chain = (length: number) => ({
  $ref: '#/$defs/d0',
  $defs: Object.fromEntries(
    Array.from({ length }, (_, index) => [
      `d${index}`,
      index === length - 1 ? {} : { $ref: `#/$defs/d${index + 1}` },
    ]),
  ),
});

describe('a JSON Schema', () => {
  it.each([
    ['{$ref: #}', { $ref: '#' }, 'recursive'],
    ['one in allOf', { allOf: [{ $ref: '#' }] }, 'recursive'],
    ['a tree', { properties: { a: { items: { $ref: '#' } } } }, 'recursive'],
    ['one by dependencies', { dependencies: { a: { $ref: '#' } } }, 'recursive'],
    [
      'two that lead to each other',
      { $ref: '#/$defs/a', $defs: { a: { not: { $ref: '#/$defs/b' } }, b: { if: { $ref: '#/$defs/a' } } } },
      'recursive',
    ],
    [
      'one that leads to itself where it is no schema',
      { $ref: '#/x/0', x: [{ $ref: '#/x/0' }] },
      'recursive',
    ],
    ['doubled references', doubled(40), 'more than 1000 subschemas'],
    [
      'many dependencies',
      { dependentRequired: Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [index, []])) },
      'more than 1000 subschemas',
    ],
    ['a long chain', chain(5000), 'deeper than 100'],
    ['$dynamicRef', { items: { $dynamicRef: '#x' } }, '$dynamicRef'],
    ['$recursiveRef', { $recursiveRef: '#' }, '$recursiveRef'],
    ['$async', { items: { $async: true } }, 'asynchronous'],
    ['the schema of schemas', { $ref: 'https://json-schema.org/draft/2020-12/schema' }, 'can’t be resolved'],
    ['an anchor', { $ref: '#a', $defs: { a: { $anchor: 'a' } } }, 'can’t be resolved'],
    ['nothing', { $ref: '#/$defs/a' }, 'there is nothing'],
    ['an object’s own workings', { $ref: '#/constructor' }, 'there is nothing'],
    ['an $id within', { properties: { a: { $id: 'x' } } }, '$id'],
    ['an $id on the way', { $ref: '#/x/y', x: { $id: 'z', y: {} } }, '$id'],
    ['a long pattern', { pattern: 'a'.repeat(501) }, 'more than 500'],
    ['a pattern of many steps', { pattern: '^(([a-z]{1,30}){1,30})*$' }, 'repeats more'],
    ['a pattern of large counts', { pattern: 'a{600}b{0,600}' }, 'repeats more'],
    ['such a name', { patternProperties: { 'a{600}b{600}': {} } }, 'repeats more'],
    [
      'many large patterns',
      { allOf: Array.from({ length: 20 }, (_, index) => ({ pattern: `a{900}${index}` })) },
      'too large together',
    ],
  ])('is refused: %s', (_, schema, why) => {
    expect(() => compileJsonSchema(schema)).toThrow(why);
  });

  it('may use a part of it in several places', () => {
    const violations = compileJsonSchema({
      $id: 'https://example.com/x',
      properties: { a: { $ref: '#/$defs/s' }, b: { $ref: '#/$defs/s' }, $ref: { type: 'string' } },
      $defs: { s: { type: 'string', enum: ['x'] }, unused: { $ref: '#/$defs/unused' } },
    });
    expect(violations({ a: 'x', b: 'x', $ref: '#' })).toEqual([]);
    expect(violations({ a: 'x', b: 'y' })).toEqual(['b must be equal to one of the allowed values: "x"']);
    expect(compileJsonSchema(doubled(6))('x')).toEqual([]);
    expect(compileJsonSchema(chain(90))('x')).toEqual([]);
  });

  it('has unique items where no two are the same JSON', () => {
    const violations = compileJsonSchema({ uniqueItems: true });
    const item = fc.constantFrom(
      1,
      '1',
      0,
      -0,
      null,
      true,
      'true',
      [1],
      ['1'],
      { a: 1, b: 2 },
      { b: 2, a: 1 },
      { a: 1 },
    );
    fc.assert(
      fc.property(fc.array(item, { maxLength: 4 }), (items) => {
        const same = items.some((one, index) => items.slice(index + 1).some((other) => equals(one, other)));
        expect(violations(items)).toHaveLength(same ? 1 : 0);
      }),
    );
    expect(compileJsonSchema({ uniqueItems: false })([1, 1])).toEqual([]);
    expect(violations(Array.from({ length: 100_000 }, (_, index) => ({ a: index })))).toEqual([]);
  });

  it('says which text is too long for a pattern, be it a key', () => {
    expect(compileJsonSchema({ pattern: 'a' })('a'.repeat(10_001))[0]).toContain('has 10001 characters');
    expect(compileJsonSchema({ not: { pattern: 'b' } })('a'.repeat(10_001))).toHaveLength(1);
    expect(compileJsonSchema({ patternProperties: { a: {} } })({ ['a'.repeat(10_001)]: 1 })).toHaveLength(1);
    expect(compileJsonSchema({ pattern: 'a$' })('a'.repeat(10_000))).toEqual([]);
  });

  it.each([
    [
      'texts under a pattern',
      { items: { pattern: '(?:a?){300}a{300}b' } },
      Array.from({ length: 500 }, () => 'a'.repeat(9999)),
    ],
    [
      'values under subschemas',
      { items: { allOf: Array.from({ length: 400 }, () => ({ not: { const: 1 } })) } },
      Array(1_000_000).fill(0),
    ],
    ['items of contains', { contains: { type: 'string' } }, Array(2_000_000).fill(0)],
    [
      'values of an enum',
      { items: { enum: Array.from({ length: 50_000 }, (_, index) => index) } },
      Array(1_000_000).fill(49_999),
    ],
    [
      'values that are tried',
      { items: { anyOf: [...Array.from({ length: 100 }, () => ({ type: 'string' })), {}] } },
      Array(100_000).fill(0),
    ],
    ['unique items', { items: { uniqueItems: true } }, [Array(1_000_000).fill({ a: { b: 1 } })]],
    [
      'characters to count',
      { allOf: Array.from({ length: 100 }, () => ({ minLength: 1 })) },
      'a'.repeat(5_000_000),
    ],
  ])('does not look at too much: %s', (_, schema, value) => {
    expect(compileJsonSchema(schema)(value)).toEqual([expect.stringContaining('too much for its schema')]);
  });

  it('is violated by what can’t be checked', () => {
    let deep: unknown = [];
    for (let level = 0; level < 200; level += 1) deep = [deep];
    const loop: unknown[] = [];
    loop.push(loop);
    expect(compileJsonSchema({ uniqueItems: true })(loop)).toEqual([
      expect.stringContaining('can’t be checked'),
    ]);
    expect(compileJsonSchema({ items: { uniqueItems: true } })([[1n, 2n]])).toEqual([
      expect.stringContaining('can’t be checked'),
    ]);
    expect(compileJsonSchema({ uniqueItems: true })(deep)).toEqual([]);
  });

  it('takes no time for a hostile text of any format', () => {
    const formats = [
      'date',
      'time',
      'date-time',
      'iso-time',
      'iso-date-time',
      'duration',
      'uri',
      'uri-reference',
      'uri-template',
      'url',
      'email',
      'hostname',
      'ipv4',
      'ipv6',
      'regex',
      'uuid',
      'json-pointer',
      'json-pointer-uri-fragment',
      'relative-json-pointer',
      'byte',
    ];
    const checks = formats.map((format) => compileJsonSchema({ format }));
    const begin = fc.constantFrom(
      '',
      'http://',
      'ftp://a@',
      'a@a.',
      'a:',
      'a://[',
      '#/',
      '/',
      '{a',
      'P',
      '::',
      '00:00:00.',
      '2020-01-01T',
    );
    const unit = fc.constantFrom(
      'a',
      '1',
      '-',
      '.',
      '/',
      ':',
      '::',
      '@',
      '%41',
      'a.',
      'a-',
      'a@',
      '~0',
      '{a',
      '{a}',
      ',a',
      'AA==\n',
      '(',
      '[',
      ' ',
    );
    fc.assert(
      fc.property(begin, unit, fc.constantFrom('', '!', '\n', '@', '%', ' '), (first, one, last) => {
        const text = (first + one.repeat(60_000)).slice(0, 60_000) + last;
        for (const check of checks) check(text);
      }),
    );
  });

  it.each([
    ['https://user@example.com:8080/a?b#c', true],
    ['ftp://example.com', true],
    ['mailto:a@example.com', false],
    ['https://', false],
    ['https://a b', false],
    ['example.com', false],
  ])('takes %s for a url: %s', (text, valid) => {
    expect(compileJsonSchema({ format: 'url' })(text)).toHaveLength(valid ? 0 : 1);
  });
});

function equals(one: unknown, other: unknown): boolean {
  // -0 and 0 are one number in JSON.
  const plain = (value: unknown) => (value === 0 ? 0 : value);
  try {
    expect(plain(one)).toEqual(plain(other));
    return true;
  } catch {
    return false;
  }
}
