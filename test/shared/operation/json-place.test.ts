import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { placeOfError } from '../../../shared/operation/json-place.ts';
import { parseData } from '../../../shared/operation/request.ts';

const place = (line: number, column: number) => `line ${line}, column ${column}`;

const table: readonly (readonly [what: string, text: string, line: number, column: number])[] = [
  ['no text', '', 1, 1],
  ['blanks alone', '   ', 1, 4],
  ['empty lines alone', '\n\n', 3, 1],
  ['an object that ends', '{', 1, 2],
  ['a value that is missing at the end', '{\n  "a":', 2, 7],
  ['a list that ends after a comma', '[1,\n', 2, 1],
  ['a string that ends', '"abc', 1, 5],
  ['a string that ends in an escape', '"\\', 1, 3],
  ['a string that ends in a Unicode escape', '"\\u12', 1, 6],
  ['a word that ends', 'nul', 1, 4],
  ['a number that ends after its sign', '-', 1, 2],
  ['a number that ends in its exponent', '1e', 1, 3],
  ['a byte order mark', '\ufeff{}', 1, 1],
  ['a string without quotes', '{\n  "password": hunter2\n}', 2, 15],
  ['a string in single quotes', "{'a':1}", 1, 2],
  ['a key without quotes', '{a: 1}', 1, 2],
  ['a comma after the last entry', '{"a":1,}', 1, 8],
  ['a comma after the last element', '[1,\n2,\n]', 3, 1],
  ['a comma too many', '[1\n,\n,2]', 3, 1],
  ['a comma that is missing', '[1\n,\n2 3]', 3, 3],
  ['a colon that is missing', '{"a":1\r\n,"b" 2}', 2, 6],
  ['a bracket too many', '[]]', 1, 3],
  ['the wrong bracket', '[1}', 1, 3],
  ['a second value', '{} {}', 1, 4],
  ['a comment', '[1, // one\n2]', 1, 5],
  ['a word that is none of JSON’s', '[NaN]', 1, 2],
  ['a word that ends wrongly', '[falze]', 1, 5],
  ['a word that ends early', '[tru]', 1, 5],
  ['a zero before a number', '[01]', 1, 3],
  ['a plus before a number', '[+1]', 1, 2],
  ['a sign without a number', '[-]', 1, 3],
  ['an exponent without a number', '[1e+]', 1, 5],
  ['a line break in a string', '"a\nb"', 1, 3],
  ['a control character in a string', '["a\u0001b"]', 1, 4],
  ['an escape that does not exist', '"\\x"', 1, 3],
  ['a Unicode escape that is not hexadecimal', '"\\u12g4"', 1, 6],
  ['something after an emoji, which is two', '"🐂" x', 1, 6],
  ['a point without digits after it', '[1.x, 2, 3]', 1, 4],
  ['a text that says "end of JSON"', '["end of JSON",x, 2]', 1, 16],
  ['a text that says "Unterminated"', '["Unterminated",x, 2]', 1, 17],
  ['a text that says "at position 99"', '["at position 99",x, 2]', 1, 19],
];

/** A JSON text with one character outside of its strings replaced, and where that is. */
const broken = fc
  .tuple(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(0, 2, '\t'))
  .map(([value, indent]) => JSON.stringify(value, null, indent))
  .map((text) => ({ text, outside: outsideOfStrings(text) }))
  .filter(({ outside }) => outside.length > 0)
  .chain(({ text, outside }) =>
    fc
      .tuple(fc.constantFrom(...outside), fc.constantFrom('\u0001', '@', '\\', "'", '\u00a0', 'ä', '\ud800'))
      .map(([index, by]) => ({ index, text: text.slice(0, index) + by + text.slice(index + 1) })),
  );

function outsideOfStrings(text: string): number[] {
  const strings = [...text.matchAll(/"(?:[^"\\]|\\.)*"/g)].map((found) => ({
    from: found.index,
    to: found.index + found[0].length,
  }));
  return Array.from(text.split(''), (_, index) => index).filter((index) =>
    strings.every(({ from, to }) => index < from || index >= to),
  );
}

/** Any text, and such as is nearly JSON. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  broken.map(({ text }) => text),
  fc.json(),
);

describe('the place where a text stops being JSON', () => {
  it.each(table)('is found for %s', (_, text, line, column) => {
    expect(() => JSON.parse(text)).toThrow(SyntaxError);
    expect(placeOfError(text)).toBe(place(line, column));
  });

  it('is that of the one character that is wrong', () => {
    fc.assert(
      fc.property(broken, ({ text, index }) => {
        const before = text.slice(0, index);
        const line = before.split('\n').length;
        expect(placeOfError(text)).toBe(place(line, index - before.lastIndexOf('\n')));
      }),
      { numRuns: 1000 },
    );
  });

  it('says nothing of the text', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(placeOfError(text)).toMatch(/^line [1-9]\d*, column [1-9]\d*$/);
      }),
    );
  });

  it('is all that the message’s sender is told', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const parsed = parseData(Buffer.from(text), z.unknown());
        if (!('problems' in parsed)) return;
        const [problem] = parsed.problems;
        expect(parsed.problems).toHaveLength(1);
        expect(problem?.message).toMatch(/^(is not JSON: see line \d+, column \d+$|has half of a surrogate)/);
      }),
    );
    const parsed = parseData(Buffer.from('{"password": hunter2}'), z.unknown());
    expect(parsed).toMatchObject({
      problems: [{ path: 'data', message: `is not JSON: see ${place(1, 14)}` }],
    });
  });
});
