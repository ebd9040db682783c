import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CommonRoot, Root, RootMismatch } from '../../../../functions/sync-repo-metadata/source/root.ts';

/** A folder ends in a slash. */
const isFolder = (name: string) => name.endsWith('/');
const bare = (name: string) => name.replace(/^\.?\/?|\/$/g, '');
const strip = (names: readonly string[], given?: string) => {
  const root = new Root(given);
  return names.map((name) => root.strip(bare(name), isFolder(name)));
};

describe('the root of an archive', () => {
  it.each([
    ['that begins with a folder', ['repo/', 'repo/a', 'repo/b/', 'repo/b/c'], ['', 'a', 'b', 'b/c']],
    ['that begins with its own folder', ['./', './repo/', './repo/a', './b'], ['', 'repo', 'repo/a', 'b']],
    ['that begins with a file', ['a', 'repo/', 'repo/b'], ['a', 'repo', 'repo/b']],
    ['that begins with a deep folder', ['a/b/', 'a/b/c'], ['a/b', 'a/b/c']],
    ['that begins with a file in a folder', ['repo/a', 'repo/b'], ['repo/a', 'repo/b']],
    ['that says its folder twice', ['repo/', './', 'repo/', 'repo/a'], ['', '', '', 'a']],
  ])('%s', (_, names, paths) => {
    expect(strip(names)).toEqual(paths);
  });

  it.each([
    ['beside it', 'a'],
    ['whose name begins with it', 'repository/a'],
    ['of its own name', 'repo'],
  ])('was another where there is a file %s', (_, name) => {
    expect(() => strip(['repo/', 'repo/a', name])).toThrow(RootMismatch);
  });

  it.each([
    ['', ['repo/', 'repo/a', 'b'], ['repo', 'repo/a', 'b']],
    ['repo', ['repo/a', 'repo/', 'repo/b/'], ['a', '', 'b']],
    ['repo/', ['repo/a'], ['a']],
    ['a/b', ['./', 'a/', 'a/b/', 'a/b/c/d'], ['', '', '', 'c/d']],
  ])('is taken as given: %j', (given, names, paths) => {
    expect(strip(names, given)).toEqual(paths);
  });

  it.each(['other', 'repository/a', 'repo', 'a/repo/b', 'repositories/'])(
    'refuses what is outside of a given one: %j',
    (name) => {
      expect(() => strip(['repo/', name], 'repo')).toThrow(
        expect.objectContaining({
          code: 'ARCHIVE_REFUSED',
          details: expect.objectContaining({ why: 'path' }),
        }),
      );
    },
  );

  it('is that of all names where they are known', () => {
    const commonRoot = (names: readonly string[]) => {
      const common = new CommonRoot();
      for (const name of names) common.add(bare(name), isFolder(name));
      return common.root;
    };

    expect(commonRoot([])).toBe('');
    expect(commonRoot(['./', 'repo/', 'repo/a'])).toBe('repo');
    expect(commonRoot(['repo/a/', 'repo/b/c'])).toBe('repo');
    expect(commonRoot(['repo/a', 'repository/a'])).toBe('');
    expect(commonRoot(['repo/a', 'b', 'repo/c'])).toBe('');
    expect(commonRoot(['repo'])).toBe('');
  });

  it('gives each file its own path, or says that it is another', () => {
    const part = fc.constantFrom('a', 'b', 'c');
    const path = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
    fc.assert(
      fc.property(fc.array(path, { minLength: 1 }), fc.boolean(), (paths, begins) => {
        const names = begins ? [`${paths[0]?.split('/')[0]}/`, ...paths] : paths;
        const shift = begins ? `${names[0]}` : '';
        const fits = names.every((name) => name.startsWith(shift));

        if (fits) expect(strip(names)).toEqual(names.map((name) => bare(name.slice(shift.length))));
        else expect(() => strip(names)).toThrow(RootMismatch);
      }),
    );
  });
});
