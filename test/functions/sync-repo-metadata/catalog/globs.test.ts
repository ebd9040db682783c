import fc from 'fast-check';
import picomatch from 'picomatch';
import { describe, expect, it } from 'vitest';
import { anyOf } from '../../../../functions/sync-repo-metadata/catalog/globs.ts';

/** A part of a glob of at most two stars. */
const part = fc
  .array(fc.constantFrom('a', 'b', '?', '*', '[ab]', '[^a]', '.', 'x+'), { minLength: 1, maxLength: 5 })
  .map((texts) =>
    texts
      .join('')
      .replace(/\*{2,}/g, '*')
      .replaceAll(']x+', ']'),
  )
  .filter((text) => text.split('*').length <= 3 && !/^\.+$/.test(text));
const glob = fc
  .array(fc.oneof({ weight: 3, arbitrary: part }, fc.constant('**')), { minLength: 1, maxLength: 6 })
  .filter((parts) => parts.filter((one) => one === '**').length <= 2)
  .map((parts) => parts.join('/'));
const path = fc
  .array(
    fc.stringMatching(/^[abx+.]{1,4}$/).filter((text) => !/^\.+$/.test(text)),
    { minLength: 1, maxLength: 6 },
  )
  .map((parts) => parts.join('/'));

describe('a glob', () => {
  it('covers what picomatch says it does', () => {
    const options = { noextglob: true, nonegate: true, strictSlashes: true, fastpaths: false };
    fc.assert(
      fc.property(glob, path, (one, text) => {
        expect(anyOf([one])(text)).toBe(picomatch.makeRe(one, options).test(text));
      }),
      { numRuns: 5000 },
    );
  });

  it.each([
    ['{docs,pages/*}/**/x.{md,txt}', 'pages/a/b/x.txt', true],
    ['{docs,pages/*}/**/x.{md,txt}', 'pages/x.txt', false],
    ['{docs/**/*,README}.md', 'README.md', true],
    ['a{,b}', 'a', true],
    ['./docs/*', 'docs/a', true],
    ['c++/*.h', 'c++/a.h', true],
    ['c++', 'c+++', false],
    ['c++', 'c++', true],
    ['c++?', 'c+++x', false],
    ['a/**', 'a', false],
    ['a/**/b', 'a/b', true],
    ['**/m/{.a,y}/**/c', 'm/y/m/.a/c', true],
  ])('%s covers %s: %s', (one, text, covers) => {
    expect(anyOf([one])(text)).toBe(covers);
  });

  it('means any other character as it is written', () => {
    for (const character of [..."#$%&',-;:<=>@^_`~ +ä!.]}"].filter((each) => !']}'.includes(each))) {
      const covers = anyOf([`a${character}b`, `a${character}${character}b`]);
      expect(covers(`a${character}b`)).toBe(true);
      expect(covers(`a${character}${character}b`)).toBe(true);
      for (const other of ['ab', 'aab', 'axb', 'a', 'b', `a${character.repeat(3)}b`])
        expect(covers(other)).toBe(false);
    }
  });

  it.each([
    ['(a+)+b', 'has ('],
    ['@(a)', 'has ('],
    ['a!(b)', 'has ('],
    ['a|b', 'has |'],
    ['a)', 'has )'],
    ['a\\*', 'backslash'],
    ['"a"', 'quotation mark'],
    ['[ab]+', '+ after ]'],
    ['{[ab],c}+', '+ after ]'],
    ['[[:alpha:]]', 'no [a-z]'],
    ['[a', 'no [a-z]'],
    ['[!a]', '[^ab]'],
    ['[z-a]', 'out of order'],
    ['*a*a*', 'more than 2 stars'],
    ['{*a*,b}c*', 'more than 2 stars'],
    ['**/a/**/b/**', 'more than 2 **'],
    ['a**', '** within a part'],
    ['{a,b}{a,b}{a,b}', 'more than 2 groups'],
    ['{a,{b,c}}', 'braces in braces'],
    ['{a', 'without its other one'],
    ['{id}/x', 'nothing to choose from'],
    ['{1..9999,a}', 'range'],
    [`{${Array.from({ length: 17 }, (_, index) => index).join(',')}}`, 'more than 16 alternatives'],
    ['a'.repeat(513), 'more than 512 characters'],
    ['a/../b', 'the part ..'],
  ])('%s is refused', (one, why) => {
    expect(() => anyOf([one])).toThrow(why);
  });

  it('takes no time for the worst path, whatever it is', () => {
    const long = (texts: readonly string[], count: number) => texts.join('').repeat(count).slice(0, 1024);
    const worstPath = fc
      .tuple(
        fc.array(fc.constantFrom('a', 'b', 'aaaa', '/', 'ab', 'a/'), { minLength: 1, maxLength: 4 }),
        fc.constantFrom('', 'b', '/', '/x', '/.a'),
      )
      .map(([texts, end]) => long(texts, 1024).slice(0, 1024 - end.length) + end);
    const piece = fc.constantFrom(
      '*a*',
      '*a*a',
      '*a*b',
      '*',
      'a*',
      '?*a*',
      '**',
      '*{a,aa}*{a,aa}',
      '*[ab]*',
      '{*a,*aa}*a',
    );
    const worstGlob = fc.array(piece, { minLength: 1, maxLength: 60 }).map((parts) => parts.join('/'));
    fc.assert(
      fc.property(worstGlob, worstPath, (one, text) => {
        let covers: ReturnType<typeof anyOf>;
        try {
          covers = anyOf([one]);
        } catch {
          return fc.pre(false);
        }
        covers(text);
      }),
      { numRuns: 500, maxSkipsPerRun: 1000 },
    );
    const parts = Array.from({ length: 100 }, () => '*a*a').join('/');
    expect(anyOf([`**/${parts}/**/b`])(`${'aaaa/'.repeat(204)}c`)).toBe(false);
    expect(anyOf(['{a,aa,aaa,aaaa,aaaaa,aaaaaa,aaaaaaa}*{a,aa,aaa,aaaa,aaaaa}*b'])('a'.repeat(1024))).toBe(
      false,
    );
  });
});
