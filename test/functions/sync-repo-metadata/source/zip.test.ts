import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readZip, type ZipOptions } from '../../../../functions/sync-repo-metadata/source/zip.ts';
import { accessTo, contentsOf, gitZip, type TestFile, yazlZip, zipOf } from './archives.ts';
import { treesOfFiles } from './trees.ts';

const { signal } = new AbortController();
const options: ZipOptions = { limits: { entries: 1000, bytes: 1e8 }, retryable: false, signal };
const read = (zip: Buffer, more: Partial<ZipOptions> = {}) => readZip(accessTo(zip), { ...options, ...more });

const commit = 'f'.repeat(40);
const files: TestFile[] = [
  { path: '.github/w.yml', content: 'on: push\n' },
  { path: 'a/empty', content: '' },
  { path: 'a/link', target: '../.github/w.yml' },
  { path: 'a/ünï ☃.md', content: 'snow' },
  { path: 'large', content: 'y'.repeat(1_000_000) },
  { path: `${'n'.repeat(200)}/deep`, content: 'deep' },
];
const contents = Object.fromEntries(
  files.map(({ path, content, target }) => [path, target ? `-> ${target}` : `${content}`]),
);

describe('a zip of git', () => {
  it.each(['', 'repo-1'])('has all files and its commit, below the root %j', async (root) => {
    const archive = read(gitZip(files, root, commit));

    expect(await contentsOf(archive)).toEqual(contents);
    expect(archive.commit).toBe(commit);
  });

  it('has its commit when the first entry is there, and its files in their order', async () => {
    const archive = read(gitZip(files, 'repo', 'a'.repeat(64)));
    const paths: string[] = [];

    for await (const { path } of archive) {
      expect(archive.commit).toBe('a'.repeat(64));
      paths.push(path);
    }

    expect(paths).toEqual(files.map(({ path }) => path));
  });

  it.each(['', 'made by hand', 'F'.repeat(40)])('has no commit in the comment %j', async (comment) => {
    const archive = read(gitZip(files, '', comment));

    expect(await contentsOf(archive)).toEqual(contents);
    expect(archive.commit).toBeUndefined();
  });
});

describe('a zip of another', () => {
  it.each([{}, { forceZip64Format: true }, { compress: false }])(
    'has what yazl packed with %j',
    async (how) => {
      const plain = files.filter(({ target }) => target === undefined);

      expect(await contentsOf(read(await yazlZip(plain, how)))).toEqual(
        Object.fromEntries(plain.map(({ path, content }) => [path, content])),
      );
    },
  );

  it('has what was packed, whichever of it is read', async () => {
    await fc.assert(
      fc.asyncProperty(treesOfFiles, fc.func(fc.boolean()), fc.boolean(), async (tree, isRead, isGit) => {
        const rooted = tree.map(({ path, content }) => ({ path: `root/${path}`, content: content ?? '' }));
        const found: TestFile[] = [];

        for await (const entry of read(isGit ? gitZip(tree, 'root') : await yazlZip(rooted)))
          if (isRead(entry.path)) found.push({ path: entry.path, content: await entry.content() });

        expect(found).toEqual(tree.filter(({ path }) => isRead(path)));
      }),
      { numRuns: 30 },
    );
  });

  it('may be empty, and have modes of Unix or none', async () => {
    expect(await contentsOf(read(zipOf([])))).toEqual({});
    expect(
      await contentsOf(
        read(
          zipOf([
            { name: 'a/', mode: 0o040755 },
            { name: 'a/b', mode: 0o100644, content: 'b' },
            { name: 'c', mode: 0o644, content: 'c' },
            { name: 'd/', content: '' },
          ]),
        ),
      ),
    ).toEqual({ 'a/b': 'b', c: 'c' });
  });

  it('has the name in UTF-8 that Info-ZIP notes beside another, where it is of that one', async () => {
    const unicode = (name: string, crc: number) => {
      const data = Buffer.concat([Buffer.from([1, 0, 0, 0, 0]), Buffer.from(name)]);
      data.writeUInt32LE(crc, 1);
      const header = Buffer.alloc(4);
      header.writeUInt16LE(0x7075, 0);
      header.writeUInt16LE(data.length, 2);
      return Buffer.concat([header, data]);
    };
    expect(
      await contentsOf(
        read(
          zipOf([
            { name: Buffer.from([0x81]), flags: 0, extra: unicode('ü', crc32(Buffer.from([0x81]))) },
            { name: 'renamed', extra: unicode('before', crc32('original')) },
          ]),
        ),
      ),
    ).toEqual({ ü: '', renamed: '' });
  });
});

describe('the root of a zip', () => {
  it('is the folder in which all is', async () => {
    expect(
      await contentsOf(read(zipOf([{ name: 'repo/a' }, { name: 'repo/b/' }, { name: 'repo/b/c' }]))),
    ).toEqual({
      a: '',
      'b/c': '',
    });
    expect(await contentsOf(read(zipOf([{ name: '.github/a' }, { name: 'b' }])))).toEqual({
      '.github/a': '',
      b: '',
    });
    expect(await contentsOf(read(zipOf([{ name: './repo/a' }])))).toEqual({ a: '' });
  });

  it('is the one that is given, and all else is refused', async () => {
    const zip = zipOf([{ name: 'repo/a' }]);

    expect(await contentsOf(read(zip, { root: '' }))).toEqual({ 'repo/a': '' });
    await expect(contentsOf(read(zip, { root: 'other' }))).rejects.toMatchObject({ code: 'ARCHIVE_REFUSED' });
  });
});

describe('an entry’s content', () => {
  const two = zipOf([
    { name: 'a', content: 'A' },
    { name: 'b', content: 'B' },
  ]);

  it('is given once, and not after the next entry was asked for', async () => {
    const entries = read(two)[Symbol.asyncIterator]();
    const first = await entries.next();
    await first.value?.content();
    await expect(first.value?.content()).rejects.toThrow(/twice/);

    const second = await entries.next();
    await entries.next();
    await expect(second.value?.content()).rejects.toThrow(/after the next entry/);
  });

  it('is read by one iteration only', async () => {
    const archive = read(two);
    await contentsOf(archive);

    await expect(contentsOf(archive)).rejects.toThrow(/once/);
  });

  it('is not given after an abort', async () => {
    const controller = new AbortController();
    const entries = read(two, { signal: controller.signal })[Symbol.asyncIterator]();
    await entries.next();
    controller.abort(new Error('the deadline'));

    await expect(entries.next()).rejects.toThrow('the deadline');
  });
});
