import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readManifest, readManifestBytes } from '../../../../functions/ingest-object/manifest/read.ts';
import { maxManifestBytes } from '../../../../functions/ingest-object/message.ts';
import { head, problems, refusal } from './manifests.ts';

describe('the bytes of a manifest', () => {
  it('that are not UTF-8 are refused with the line', () => {
    const bytes = Buffer.concat([
      Buffer.from('a: 1\nb: ü\nc: "'),
      Buffer.from([0xc3, 0x28]),
      Buffer.from('"'),
    ]);
    expect(refusal(() => readManifestBytes(bytes))).toMatchObject({
      code: 'INVALID_MANIFEST',
      details: { problems: [{ path: 'manifest', line: 3, column: 1, message: 'is not UTF-8' }] },
    });
  });

  it.each([[10 * 1024 ** 2], [maxManifestBytes + 1]])('can’t be %d', (bytes) => {
    const error = { code: 'MANIFEST_TOO_LARGE', details: { bytes, most: maxManifestBytes } };
    expect(refusal(() => readManifestBytes(Buffer.alloc(bytes, '[')))).toMatchObject(error);
    expect(refusal(() => readManifest('['.repeat(bytes)))).toMatchObject(error);
  });

  it('can be as many as are allowed', () => {
    const text = `${head}#`.padEnd(maxManifestBytes, '#');
    expect(readManifest(text)).toMatchObject({ version: 1 });
  });
});

describe('200 KB of', () => {
  const fill = (text: string) =>
    text.repeat(Math.ceil(maxManifestBytes / text.length)).slice(0, maxManifestBytes);
  const count = (most: number, one: (index: number) => string) =>
    Array.from({ length: most }, (_, index) => one(index)).join('');
  const laughs = `a: &a0 [${'x,'.repeat(10)}]\n${count(60, (i) => `b${i}: &a${i + 1} [${`*a${i},`.repeat(9)}]\n`)}`;

  it.each([
    ['lists in lists', fill('[')],
    ['maps in maps', fill('{a: ')],
    ['block lists in block lists', fill('- ')],
    ['keys in keys', fill('? ')],
    ['steps of indentation', count(600, (i) => `${' '.repeat(i)}a:\n`)],
    ['keys', `{${count(24_000, (i) => `k${i},`)}}`],
    ['the same key', `{${fill('a,').slice(2)}}`],
    ['unknown tags', `[${fill('!a b,').slice(5)}]`],
    ['documents', fill('---\n')],
    ['document ends', fill('...\n')],
    ['directives', fill('%a\n')],
    ['laughs', laughs],
    ['aliases', `a: &a x\nb: [${'*a,'.repeat(60_000)}]`],
    ['anchors', `[${fill('&a ').slice(5)}]`],
    ['quotes', fill('"')],
    ['reserved signs', `[${fill('@,').slice(5)}]`],
    ['half surrogates', `"${'\\ud800'.repeat(30_000)}"`],
    ['schemas that can’t be', `${head}schemas: {${count(14_000, (i) => `"-${i}": 1, `)}}`],
    ['grants that are none', `${head}grants: [${'{},'.repeat(60_000)}]`],
    ['fields that there are not', `${head}${count(12_000, (i) => `field${i}: 1\n`)}`],
    [
      'schemas in a ring',
      `${head}schemas:\n${count(1000, (i) => `  s${i}: { after: [s${(i + 1) % 1000}] }\n`)}`,
    ],
  ])('%s are refused', (_, text) => {
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(maxManifestBytes);
    const error = refusal(() => readManifest(text));
    expect(error.code).toBe('INVALID_MANIFEST');
    expect(error.message.length).toBeLessThan(2000);
    expect(error.details?.['problems']).toHaveProperty(
      'length',
      expect.toSatisfy((length) => length <= 100),
    );
  });

  it.each([
    ['laughs', laughs],
    [
      'schemas that share many grants',
      `${head}schemas:\n  a: &s { grants: [&g { principal: a, kind: login, level: reader }${', *g'.repeat(4000)}] }\n${count(900, (i) => `  s${i}: *s\n`)}`,
    ],
  ])('%s are refused for what their aliases repeat', (_, text) => {
    expect(problems(text)).toEqual([
      expect.stringMatching(/the aliases up to here repeat more than 20000 values: write out what is meant$/),
    ]);
  });

  it('anything is read or refused', () => {
    const words = [
      'a',
      ':',
      ' ',
      '\n',
      '- ',
      '[',
      ']',
      '{',
      '}',
      ',',
      '&a',
      '*a',
      '!!str',
      '|',
      '>',
      '"',
      "'",
      '#',
      '?',
      '\t',
      '%',
      '---',
      '1',
      '~',
      '\u0000',
      '\u{1f418}',
      '\ud800',
      ...head.split(/(?<= )/),
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...words), { maxLength: 60 }), (parts) => {
        try {
          readManifest(parts.join(''));
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_MANIFEST' });
        }
      }),
      { numRuns: 500 },
    );
  });
});
