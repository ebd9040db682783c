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

  it('of many names takes no time for a path that almost matches', () => {
    const template = pathTemplate(Array.from({ length: 10 }, (_, index) => `{a${index}...}`).join('-'));
    expect(template.take(`${'-'.repeat(120)}/x\0`)).toBeDefined();
    expect(pathTemplate('{a...}-{b...}-{c...}-x').take('-'.repeat(1000))).toBeUndefined();
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
