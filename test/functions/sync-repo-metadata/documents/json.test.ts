import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contentOf, faultIn, json } from './reading.ts';

/** Strings that JSON.stringify escapes as PostgreSQL can't keep them. */
const storable = (value: unknown) => !/\\u0000|\\ud[89a-f]/.test(JSON.stringify(value));

const anyJson = fc.jsonValue({ stringUnit: 'binary', maxDepth: 5 }).filter(storable);

describe('JSON', () => {
  it('says what it was made of', () => {
    fc.assert(
      fc.property(anyJson, fc.constantFrom(0, 2, '\t'), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        const content = contentOf('json', text);
        expect(content.metadata).toStrictEqual(JSON.parse(text));
        expect(content.json).toBe(text);
      }),
    );
  });

  it('is what JSON.parse takes, and nothing else', () => {
    const bits = fc.constantFrom(
      ...[
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '"',
        '"a"',
        '"b":',
        '1',
        '-',
        '0',
        '.5',
        'e',
        'E+1',
        'true',
        'null',
        ' ',
      ],
      ...['\n', '\t', '\\', '\\n', '\\u0041', '\\x', '\\u12', '/', '//', '\u00a0', '\u0001', "'", 'x'],
    );
    fc.assert(
      fc.property(fc.array(bits, { minLength: 1, maxLength: 12 }), (parts) => {
        const text = parts.join('');
        fc.pre(text.trim() !== '');
        let parsed: { value: unknown } | undefined;
        try {
          parsed = { value: JSON.parse(text) };
        } catch {}
        if (parsed === undefined) expect(faultIn('json', text).code).toBe('INVALID_JSON');
        else expect(contentOf('json', text).metadata).toStrictEqual(parsed.value);
      }),
      { numRuns: 3_000 },
    );
  });

  it.each([
    ['a comma after the last entry', '{"a": 1,\n}', 2, 1, '"}" is where a key in double quotes is expected.'],
    ['a comma after the last element', '[1,\n 2,]', 2, 4, '"]" is where a value is expected.'],
    ['a comment', '{\n  // no\n}', 2, 3, '"/" is where a key in double quotes is expected.'],
    ['single quotes', "['a']", 1, 2, '"\'" is where a value is expected.'],
    ['a comma that is missing', '[1 2]', 1, 4, '"2" is where a comma or ] is expected.'],
    ['a colon that is missing', '{"a" 1}', 1, 6, '"1" is where a colon is expected.'],
    ['an end that is missing', '{"a": [', 1, 8, 'The file ends where a value is expected.'],
    ['a second value', '{}\n{}', 2, 1, '"{" is where the end of the file is expected.'],
    ['a number that begins with 0', '[01]', 1, 3, '"1" is where a comma or ] is expected.'],
    [
      'an escape that JSON has not',
      '["a\\\\b\\x"]',
      1,
      7,
      '"\\\\" is where an escape that JSON has is expected.',
    ],
  ])('is refused for %s', (_what, text, line, column, message) => {
    expect(faultIn('json', text)).toEqual({ code: 'INVALID_JSON', line, column, message });
  });

  it.each([
    ['a line break', '{"a": "b\nc"}', 1, 9],
    ['the end of the file', '{"a": "b\\"', 1, 11],
  ])('has no string with %s in it', (_what, text, line, column) => {
    expect(faultIn('json', text)).toMatchObject({ code: 'INVALID_JSON', line, column });
  });

  it.each([
    ['itself', '{"a": 1,\n "b": 2, "a": 1}', 2, 10],
    ['another spelling', '{"a": 1, "\\u0061": 1}', 1, 10],
    ['__proto__', '{"__proto__": 1, "__proto__": 1}', 1, 18],
  ])('has no key twice, as %s', (_what, text, line, column) => {
    expect(faultIn('json', text)).toMatchObject({ code: 'DUPLICATE_KEY', line, column });
  });

  it('may have one key in several objects', () => {
    expect(json('{"a": {"a": 1}, "b": [{"a": 1}, {"a": 2}], "toString": 1}')).toEqual({
      a: { a: 1 },
      b: [{ a: 1 }, { a: 2 }],
      toString: 1,
    });
  });

  it('pollutes nothing by its keys', () => {
    const value = json('{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}}');
    expect(Object.keys(value as object)).toEqual(['__proto__', 'constructor']);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  });

  it.each(['"a\\u0000b"', '{"a\\u0000": 1}', '[1,\n"\\\\\\u0000"]'])(
    'has no escaped NUL, as %j has',
    (text) => {
      expect(faultIn('json', text)).toMatchObject({ code: 'NUL_IN_TEXT' });
      expect(json('"\\\\u0000"')).toBe('\\u0000');
    },
  );

  it.each(['"\\ud800"', '"\\udc00"', '["a",\n "\\ud800a"]', '{"\\udc00\\ud800": 1}'])(
    'has no half of a surrogate pair, as %j has',
    (text) => {
      const last = text.split('\n').length;
      expect(faultIn('json', text)).toMatchObject({ code: 'NOT_STORABLE', line: last });
      expect(json('"\\ud83d\\udc02"')).toBe('🐂');
    },
  );

  it('keeps all digits of its numbers', () => {
    const text = '[12345678901234567890123, 0.10000000000000000000001, 1.10, 1E2]';
    expect(contentOf('json', text).json).toBe(text);
  });

  it.each([
    '1e200000',
    '-1e309',
    '1e-20000',
    '0e-16384',
    '0e99999',
    `0.${'0'.repeat(16_384)}`,
    '9'.repeat(400),
  ])('has no number such as %j', (digits) => {
    const fault = faultIn('json', `{"a":\n${digits}}`);
    expect(fault).toMatchObject({ code: 'NOT_STORABLE', line: 2, column: 1 });
    expect(fault.message.length).toBeLessThan(200);
  });

  it('is nested 100 levels deep at most', () => {
    const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
    expect(json(nested(100))).toEqual(JSON.parse(nested(100)));
    expect(faultIn('json', nested(101))).toMatchObject({ code: 'TOO_DEEP', column: 101 });
    expect(faultIn('json', '{"a":'.repeat(101))).toMatchObject({ code: 'TOO_DEEP', column: 501 });
    expect(faultIn('json', '[{"a":'.repeat(100_000))).toMatchObject({ code: 'TOO_DEEP' });
  });

  it('is read in time that grows with its length only', () => {
    const million = 1_000_000;
    const texts = [
      `["${'\\\\'.repeat(million)}\\x"]`,
      `["${'\\n'.repeat(million)}"]`,
      `[${'9'.repeat(million)}]`,
    ];
    const many = `{${Array.from({ length: 100_000 }, (_, index) => `"k${index}":${index}`).join(',')}}`;
    for (const text of [...texts, many]) contentOrFault(text);
  });
});

function contentOrFault(text: string): void {
  try {
    contentOf('json', text);
  } catch {}
}
