import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matches } from '../../shared/config.ts';

const plain = fc.string({ unit: fc.constantFrom(...'ab-.+?()[]{}^$|\\\n') });
const separator = fc.constantFrom(':', '/');

const name = fc
  .array(fc.tuple(plain, separator), { minLength: 1, maxLength: 4 })
  .map((parts) => parts.flat().join(''));

describe('a pattern', () => {
  it('covers itself, whatever characters it is made of', () => {
    fc.assert(
      fc.property(name, (text) => {
        expect(matches(text, text)).toBe(true);
      }),
    );
  });

  it('without a star covers nothing else: what means something in a regular expression is literal', () => {
    fc.assert(
      fc.property(name, name, (pattern, text) => {
        expect(matches(pattern, text)).toBe(pattern === text);
      }),
    );
  });

  it('never crosses a colon or a slash', () => {
    const run = fc.string({ unit: fc.constantFrom('a', 'b', '.', ':', '/'), maxLength: 4 });
    const runs = fc.array(fc.tuple(plain, run), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(runs, (parts) => {
        const pattern = parts.map(([literal]) => `${literal}*`).join(':');
        const text = parts.map(([literal, covered]) => `${literal}${covered}`).join(':');
        const crosses = parts.some(([, covered]) => /[:/]/.test(covered));
        expect(matches(pattern, text)).toBe(!crosses);
      }),
    );
  });

  it('covers with a star any run of characters, none included', () => {
    fc.assert(
      fc.property(plain, plain, plain, (start, middle, end) => {
        expect(matches(`${start}*${end}`, `${start}${middle}${end}`)).toBe(true);
      }),
    );
  });

  it.each([
    ['acme:*:*/app', 'acme:europe-west1:main/app', true],
    ['acme:*:*/app', 'acme:europe-west1:main/app2', false],
    ['acme:*:*/app', 'acme-prod:europe-west1:main/app', false],
    ['acme:*/app', 'acme:europe-west1:main/app', false],
    ['*:*:*/*', 'acme:europe-west1:main/app', true],
    ['*:*:*/*', 'example.com:acme:europe-west1:main/app', false],
    ['a*:europe-west1:main/app', 'acme:europe-west1:main/app', true],
    ['acme.*:europe-west1:main/app', 'acmex:europe-west1:main/app', false],
    ['acme:europe-west1:main/app', 'acme:europe-west1:main/App', false],
    ['acme:europe-west1:main/app', 'acme:europe-west1:main/app\n', false],
  ])('%s, asked about %j, says %s', (pattern, text, covered) => {
    expect(matches(pattern, text)).toBe(covered);
  });
});
