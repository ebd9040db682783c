import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { contentOf, faultIn, withoutNegativeZero, yaml } from './reading.ts';

const storable = (value: unknown) => !/\\u0000|\\ud[89a-f]/.test(JSON.stringify(value));

const anyJson = fc.jsonValue({ stringUnit: 'binary', maxDepth: 4 }).filter(storable);

describe('YAML', () => {
  it('says what it was made of', () => {
    fc.assert(
      fc.property(anyJson, fc.constantFrom('block', 'flow', 'any'), (value, collectionStyle) => {
        const plain = withoutNegativeZero(value);
        const content = contentOf('yaml', stringify(plain, { collectionStyle }));
        expect(content.metadata).toEqual(plain);
        expect(JSON.parse(content.json)).toEqual(plain);
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    ['0', '0'],
    ['-0', '-0'],
    ['007', '7'],
    ['+5', '5'],
    ['0x1F', '31'],
    ['0o17', '15'],
    [`0x${'0'.repeat(300)}A`, '10'],
    ['.5', '0.5'],
    ['1.', '1'],
    ['-.50', '-0.50'],
    ['+1.e+2', '1e+2'],
    ['12345678901234567890', '12345678901234567890'],
    ['0xFFFFFFFFFFFFFFFFFFFF', '1208925819614629174706175'],
    ['0.10000000000000000000001', '0.10000000000000000000001'],
    ['~', 'null'],
    ['Null', 'null'],
    ['', 'null'],
    ['TRUE', 'true'],
    ['False', 'false'],
    ['"0"', '"0"'],
    ["'true'", '"true"'],
    ['yes', '"yes"'],
    ['tRUE', '"tRUE"'],
    ['1_000', '"1_000"'],
    ['1.2.3', '"1.2.3"'],
    ['12:30:45', '"12:30:45"'],
    ['2024-01-02', '"2024-01-02"'],
    ['2024-01-02T03:04:05+02:00', '"2024-01-02T03:04:05+02:00"'],
    ['!!str 5', '"5"'],
    ['! 5', '"5"'],
    ['!!int "5"', '5'],
    ['!!float 5', '5'],
    ['!!bool "true"', 'true'],
    ['!!null ""', 'null'],
    ['!!timestamp 2024-01-02', '"2024-01-02"'],
    ['!!seq [!!map {}]', '[{}]'],
    ['"\\u00e9\\x41\\ud83d\\udc02\\e"', '"éA🐂\\u001b"'],
    ['|\n  a\n   b\n', '"a\\n b\\n"'],
    ['>-\n  a\n  b\n\n  c\n', '"a b\\nc"'],
    ['a\n  b\n', '"a b"'],
    ['[a: 1, {b}, c]', '[{"a":1},{"b":null},"c"]'],
  ])('reads %j as %s', (source, json) => {
    expect(contentOf('yaml', `v: ${source}`).json).toBe(`{"v":${json}}`);
    expect(contentOf('yaml', `v:   # comment\n  ${source.replaceAll('\n', '\n  ')}`).json).toBe(
      `{"v":${json}}`,
    );
  });

  it('may be a list or a scalar', () => {
    expect(yaml('- a\n- 1\n')).toEqual(['a', 1]);
    expect(yaml('a b')).toBe('a b');
    expect(contentOf('yaml', 'null').json).toBe('null');
    expect(yaml('""')).toBe('');
  });

  it('is of version 1.2, whatever it says', () => {
    expect(yaml('%YAML 1.1\n---\na: yes\nb: 010\n')).toEqual({ a: 'yes', b: 10 });
  });

  it('has keys that are text, as they are written', () => {
    expect(yaml('1: a\n1.0: b\ntrue: c\n~: d\n? e\n: f\n!!int 2: g\n"": h\n2024-01-02: i')).toEqual({
      1: 'a',
      '1.0': 'b',
      true: 'c',
      '~': 'd',
      e: 'f',
      2: 'g',
      '': 'h',
      '2024-01-02': 'i',
    });
  });

  it.each(['? [a, b]\n: c\n', '[a]: b\n', '{a: b}: c\n', 'x: &k [a]\n*k : b\n'])(
    'has no key such as in %j',
    (text) => {
      expect(faultIn('yaml', text)).toMatchObject({ code: 'NOT_STORABLE' });
    },
  );

  it('pollutes nothing by its keys', () => {
    for (const text of [
      '__proto__: {polluted: 1}\nconstructor: 1\n',
      '? __proto__\n: {polluted: 1}\n? constructor\n: 1',
    ]) {
      const value = yaml(text);
      expect(Object.keys(value as object)).toEqual(['__proto__', 'constructor']);
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
      expect((value as Record<string, unknown>)['polluted']).toBeUndefined();
    }
  });

  it('repeats what its aliases stand for', () => {
    const text = 'a: &a {x: 1}\nb: *a\nc: [*a, &s s, *s]\n*s : t\nd: &a 2\ne: *a\n';
    const { metadata, json } = contentOf('yaml', text);
    expect(metadata).toEqual({ a: { x: 1 }, b: { x: 1 }, c: [{ x: 1 }, 's', 's'], s: 't', d: 2, e: 2 });
    expect(JSON.parse(json)).toEqual(metadata);
  });

  it('takes the anchor that came last before an alias', () => {
    expect(yaml('- &a [&a 1, *a]\n- *a\n')).toEqual([[1, 1], 1]);
  });

  it('merges mappings: what is written itself stays, and the first of several', () => {
    const text = 'x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz:\n  a: 3\n  <<: [*x, *y]\n  d: 3\n';
    expect(yaml(text)).toMatchObject({ z: { a: 3, b: 1, c: 2, d: 3 } });
    expect(yaml('b: {<<: {a: 1, __proto__: 2}, c: 3}')).toEqual({
      b: JSON.parse('{"a":1,"__proto__":2,"c":3}'),
    });
    expect(yaml('"<<": 1')).toEqual({ '<<': 1 });
  });

  it.each(['<<: 1', '<<:', '<<: [1]', '<<: [[{}]]', '<<: text'])('merges nothing else, as in %j', (text) => {
    expect(faultIn('yaml', text)).toMatchObject({
      code: 'INVALID_YAML',
      message: expect.stringContaining('<<'),
    });
  });
});
