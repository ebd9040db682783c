import { describe, expect, it } from 'vitest';
import { columnsOf, misfit } from '../../../../functions/sync-repo-metadata/catalog/columns.ts';
import { anyOf } from '../../../../functions/sync-repo-metadata/catalog/globs.ts';
import { compileJsonSchema } from '../../../../functions/sync-repo-metadata/catalog/json-schema.ts';
import { referencesOf } from '../../../../functions/sync-repo-metadata/catalog/references.ts';
import { wordsOf } from '../../../../functions/sync-repo-metadata/words.ts';

describe('a JSON Schema', () => {
  it('says what is wrong, and where', () => {
    const violations = compileJsonSchema({
      type: 'object',
      properties: { score: { type: 'integer', minimum: 0 }, kind: { enum: ['a', 'b'] } },
      required: ['score'],
      additionalProperties: false,
    });
    expect(violations({ score: 0 })).toEqual([]);
    expect(violations({ score: -1 })).toEqual(['score must be >= 0']);
    expect(violations({})).toEqual(["the metadata must have required property 'score'"]);
    expect(violations({ score: 1, kind: 'c' })[0]).toContain('"a", "b"');
    expect(violations({ score: 1, other: 1 })[0]).toContain('other');
  });

  it('tells patterns apart', () => {
    const violations = compileJsonSchema({
      properties: { a: { type: 'string', pattern: '^a$' }, b: { type: 'string', pattern: '^b$' } },
    });
    expect(violations({ a: 'a', b: 'b' })).toEqual([]);
    expect(violations({ a: 'b' })).toHaveLength(1);
    expect(violations({ b: 'a' })).toHaveLength(1);
  });

  it('matches a pattern that explodes in other engines', () => {
    const violations = compileJsonSchema({ type: 'string', pattern: '^(a+)+$' });
    expect(violations(`${'a'.repeat(100_000)}b`)).toHaveLength(1);
  });

  it.each([
    [{ type: 'strin' }, 'type'],
    [{ $ref: 'https://example.com/other.json' }, 'resolve'],
    [{ pattern: '(?=x)' }, 'regexp'],
    [{ $async: true }, 'asynchronous'],
  ])('%j is refused', (schema, why) => {
    expect(() => compileJsonSchema(schema)).toThrow(why);
  });
});

describe('columns', () => {
  const types = (properties: object, more: object = {}) =>
    Object.fromEntries(
      columnsOf({ properties, ...more }, ['title', 'id']).map(({ name, type }) => [name, type]),
    );

  it('have the types that the schema gives', () => {
    expect(
      types({
        a: { type: 'integer' },
        b: { type: 'number' },
        c: { type: 'boolean' },
        d: { type: 'string' },
        e: { type: 'string', format: 'date' },
        f: { type: 'string', format: 'date-time' },
        g: { type: 'array', items: { type: 'string' } },
        h: { type: 'array' },
        i: { type: 'object' },
        j: { type: ['integer', 'null'] },
        k: { type: ['integer', 'string'] },
        l: { enum: ['x', 'y'] },
        m: { enum: [0, 1] },
        n: true,
        o: { const: 'x' },
      }),
    ).toEqual({
      a: 'bigint',
      b: 'numeric',
      c: 'boolean',
      d: 'text',
      e: 'date',
      f: 'timestamptz',
      g: 'text[]',
      h: 'jsonb',
      i: 'jsonb',
      j: 'bigint',
      k: 'jsonb',
      l: 'text',
      m: 'jsonb',
      n: 'jsonb',
      o: 'text',
    });
  });

  it('follow references within the schema, and end where those go in circles', () => {
    const $defs = { score: { type: 'integer' }, loop: { $ref: '#/$defs/loop' } };
    expect(types({ a: { $ref: '#/$defs/score' }, b: { $ref: '#/$defs/loop' } }, { $defs })).toEqual({
      a: 'bigint',
      b: 'jsonb',
    });
  });

  it('get other names where theirs are taken, or none', () => {
    const long = 'x'.repeat(64);
    const properties = { title: { type: 'string' }, [long]: {}, ä: { type: 'string' } };
    expect(types(properties)).toEqual({ metadata_title: 'text', ä: 'text' });
  });

  it.each([
    ['bigint', 9007199254740993n, undefined],
    ['bigint', 2n ** 63n, '64 bits'],
    ['bigint', 1e300, '64 bits'],
    ['date', '2024-02-29', undefined],
    ['date', '0000-01-01', 'year 0'],
    ['timestamptz', '2024-01-02T03:04:05+02:00', undefined],
    ['timestamptz', '2024-01-02T03:04:05+16:00', '16 hours'],
    ['timestamptz', null, undefined],
    ['text', 'anything', undefined],
  ] as const)('of type %s take %s: %s', (type, value, why) => {
    const found = misfit({ name: 'x', property: 'x', type }, value);
    if (why === undefined) expect(found).toBeUndefined();
    else expect(found).toContain(why);
  });
});

describe('globs', () => {
  it.each([
    ['**/*.md', 'a/b.md', true],
    ['**/*.md', 'b.md', true],
    ['*.md', 'a/b.md', false],
    ['**/*.{md,txt}', 'a/b.txt', true],
    ['**/*.md', '.github/b.md', false],
    ['.github/*.md', '.github/b.md', true],
    ['docs/[ab].md', 'docs/a.md', true],
  ])('%s covers %s: %s', (glob, path, covers) => {
    expect(anyOf([glob])(path)).toBe(covers);
  });

  it.each([
    ['/docs/*.md', 'begins with /'],
    ['!docs', 'exclude'],
    ['*a*a*a', 'more than 2 stars'],
  ])('%s is refused', (glob, why) => {
    expect(() => anyOf([glob])).toThrow(why);
  });
});

describe('references', () => {
  const declared = [{ field: 'uses.library', collection: 'libraries' }];

  it.each([
    [{ uses: { library: 'a' } }, ['a']],
    [{ uses: { library: ['a', 'b', 1] } }, ['a', 'b', '1']],
    [{ uses: [{ library: 'a' }, { library: ['b'] }] }, ['a', 'b']],
    [{ uses: { library: { name: 'a' } } }, []],
    [{ uses: null }, []],
    [[], []],
  ])('of %j are %j', (metadata, keys) => {
    expect(referencesOf(metadata, declared).map(({ key }) => key)).toEqual(keys);
  });

  it('are never an object’s own workings', () => {
    expect(referencesOf({}, [{ field: 'constructor.name', collection: 'x' }])).toEqual([]);
  });
});

describe('words', () => {
  it('are the texts, and not more than search has room for', () => {
    expect(wordsOf({ a: 'one', b: ['two', { c: 'three' }], d: 4 })).toBe('one two three');
    expect(wordsOf(Array.from({ length: 100 }, () => '🐄'.repeat(500))).length).toBeLessThanOrEqual(20_000);
    expect(wordsOf(['x'.repeat(19_999), '🐄']).isWellFormed()).toBe(true);
  });
});
