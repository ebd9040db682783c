import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  givenParts,
  keyTemplate,
  pathTemplate,
} from '../../../../functions/sync-repo-metadata/catalog/template.ts';

describe('a path’s template', () => {
  it.each([
    ['plots/{id}/specification.md', 'plots/scatter/specification.md', { id: 'scatter' }],
    ['plots/{id}/specification.md', 'plots/a/b/specification.md', undefined],
    [
      '{language}/{library}.{extension}',
      'py/a.b.py',
      { language: 'py', library: 'a.b', extension: undefined },
    ],
    ['{rest...}/index.md', 'a/b/index.md', { rest: 'a/b' }],
    ['{rest...}/index.md', 'index.md', undefined],
    ['docs/{page...}.md', 'docs/a/b.md', { page: 'a/b' }],
    ['docs/{page...}.md', 'docs/.md', undefined],
    ['{a}-{b}.x', 'a--.x', { a: 'a', b: '-' }],
    ['{a}-{b}.x', 'a-.x', undefined],
    ['docs/a+b/{x}.md', 'docs/a+b/1.md', { x: '1' }],
    ['docs/a+b/{x}.md', 'docs/aab/1.md', undefined],
  ])('%s takes %s apart', (template, path, parts) => {
    const renamed = template.replace('{extension}', '{ext}');
    const expected = parts && 'extension' in parts ? { language: 'py', library: 'a.b', ext: 'py' } : parts;
    expect(pathTemplate(renamed).take(path)).toEqual(expected);
  });

  it.each([
    ['{a}/{a}', 'twice'],
    ['{path}', 'every path has'],
    ['{title}', 'every view'],
    ['{a}{b}', 'nothing between'],
    ['{A}', 'brace'],
    ['{a', 'brace'],
    ['{a}-{b}-{c}-{d}', 'more than 3 names in one part'],
    ['{a...}/{b...}/{c...}', 'more than 2 names with dots'],
    ['{b}-{a...}', '{a...} beside another name'],
    [Array.from({ length: 11 }, (_, index) => `{a${index}}`).join('/'), 'more than 10'],
  ])('%s is refused', (template, why) => {
    expect(() => pathTemplate(template)).toThrow(why);
  });

  it('takes apart what was put together', () => {
    const part = fc.stringMatching(/^[a-z0-9 äß_-]{1,12}$/u);
    fc.assert(
      fc.property(part, part, part, (id, language, library) => {
        const path = `plots/${id}/metadata/${language}/${library}.yaml`;
        const taken = pathTemplate('plots/{id}/metadata/{language}/{library}.yaml').take(path);
        expect(taken).toEqual({ id, language, library });
      }),
    );
  });

  it('takes what a regular expression takes', () => {
    const part = fc
      .array(fc.constantFrom('{}', '-', 'a', '-a', '.'), { minLength: 1, maxLength: 6 })
      .map((texts) => texts.join('').replaceAll('{}{}', '{}'))
      .filter((text) => text.split('{}').length <= 4 && !text.includes('{}{}'));
    const templates = fc
      .array(
        fc.oneof({ weight: 3, arbitrary: part }, fc.constantFrom('{...}', 'a{...}', '{...}.x', 'a{...}-')),
        { minLength: 1, maxLength: 5 },
      )
      .filter((parts) => parts.filter((one) => one.includes('{...}')).length <= 2)
      .map((parts) => parts.join('/'))
      .filter((template) => template.split('{').length <= 11);
    const paths = fc
      .array(fc.stringMatching(/^[-a.x]{1,6}$/), { minLength: 1, maxLength: 7 })
      .map((parts) => parts.join('/'));
    fc.assert(
      fc.property(templates, paths, (template, path) => {
        let count = 0;
        const named = template.replaceAll('{', () => `{n${count++}`);
        const expression = template
          .split(/(\{\}|\{\.\.\.\})/)
          .map((text) => (text === '{}' ? '([^/]+)' : text === '{...}' ? '(.+)' : RegExp.escape(text)))
          .join('');
        const found = new RegExp(`^${expression}$`).exec(path);
        const expected =
          found && Object.fromEntries(found.slice(1).map((value, index) => [`n${index}`, value]));
        expect(pathTemplate(named).take(path) ?? null).toEqual(expected);
      }),
      { numRuns: 3000 },
    );
  });

  it.each([
    ['{a}-{b}-{c}', '-'.repeat(1024)],
    ['{a}-{b}-{c}x', '-'.repeat(1024)],
    ['{a...}/{b}-{c}-{d}x/{e...}/{f}-{g}-{h}x', '---/'.repeat(256).slice(0, -1)],
    ['-{a...}-/-/-{b...}-/x', '-/'.repeat(512).slice(0, -1)],
    ['{a...}/-/{b...}/x', '-/'.repeat(512).slice(0, -1)],
  ])('%s takes no time for a path that almost matches', (template, path) => {
    const { take } = pathTemplate(template);
    for (let run = 0; run < 100; run += 1) take(path);
    expect(take(path) === undefined).toBe(template !== '{a}-{b}-{c}');
  });
});

describe('a key’s template', () => {
  it.each([
    ['{path}', 'a/b.c.md', 'a/b.c.md'],
    ['{directory}', 'a/b.c.md', 'a'],
    ['{stem}', 'a/b.c.md', 'b.c'],
    ['{extension}', 'a/b.c.md', 'md'],
    ['{directory}/{stem}', 'README', '/README'],
    ['{extension}', '.gitignore', ''],
    ['{id}!', 'x/y', 'seven!'],
  ])('%s of %s is %s', (template, path, key) => {
    expect(keyTemplate(template, ['id'])({ ...givenParts(path), id: 'seven' })).toBe(key);
  });

  it.each([
    ['{other}', 'which path doesn'],
    ['{id...}', 'in a key'],
    ['{', 'brace'],
  ])('%s is refused', (template, why) => {
    expect(() => keyTemplate(template, ['id'])).toThrow(why);
  });
});
