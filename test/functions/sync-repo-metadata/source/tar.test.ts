import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { create } from 'tar';
import { describe, expect, it } from 'vitest';
import { RootMismatch } from '../../../../functions/sync-repo-metadata/source/root.ts';
import { readTar, type TarOptions } from '../../../../functions/sync-repo-metadata/source/tar.ts';
import { contentsOf, gitTar, packed, paxMember, type TarMember, type TestFile, tarOf } from './archives.ts';
import { treesOfFiles } from './trees.ts';

const { signal } = new AbortController();
const options: TarOptions = { limits: { entries: 1000, bytes: 1e7 }, retryable: false, signal };
const read = (tar: Buffer, more: Partial<TarOptions> = {}) => readTar(packed(tar), { ...options, ...more });
const readMembers = (...members: TarMember[]) => contentsOf(read(tarOf(members)));

const commit = 'f'.repeat(40);
const long = 'n'.repeat(90);
const files: TestFile[] = [
  { path: '.github/w.yml', content: 'on: push\n' },
  { path: 'a/empty', content: '' },
  { path: 'a/link', target: '../.github/w.yml' },
  { path: 'a/ünï ☃.md', content: 'snow' },
  { path: 'block', content: 'x'.repeat(512) },
  { path: `${long}/${long}/line\nfeed`, content: 'deep' },
  { path: 'long-link', target: `${long}/${long}` },
  { path: 'z', content: 'y'.repeat(100_000) },
];
const contents = Object.fromEntries(
  files.map(({ path, content, target }) => [path, target ? `-> ${target}` : `${content}`]),
);

describe('an archive of git', () => {
  it.each(['', 'repo-1'])('has all files and its commit, below the root %j', async (root) => {
    const archive = read(gitTar(files, root, commit), root ? {} : { root });

    expect(await contentsOf(archive)).toEqual(contents);
    expect(archive.commit).toBe(commit);
  });

  it('has its commit when the first entry is there, and its files in their order', async () => {
    const archive = read(gitTar(files, 'repo', 'a'.repeat(64)));
    const paths: string[] = [];

    for await (const { path } of archive) {
      expect(archive.commit).toBe('a'.repeat(64));
      paths.push(path);
    }

    expect(paths).toEqual(files.map(({ path }) => path));
  });

  it.each(['', 'F'.repeat(40), 'f'.repeat(41), `${commit}\n`, 'a release'])(
    'has no commit in the comment %j',
    async (comment) => {
      const archive = read(tarOf([paxMember({ comment }, 'g'), { name: 'a' }]));

      expect(Object.keys(await contentsOf(archive))).toEqual(['a']);
      expect(archive.commit).toBeUndefined();
    },
  );

  it('has what was packed, whichever of it is read', async () => {
    await fc.assert(
      fc.asyncProperty(treesOfFiles, fc.func(fc.boolean()), async (tree, isRead) => {
        const wanted = tree.filter(({ path }) => isRead(path));
        const found: TestFile[] = [];

        for await (const entry of read(gitTar(tree, 'root', commit))) {
          if (isRead(entry.path)) found.push({ path: entry.path, content: await entry.content() });
        }

        expect(found).toEqual(wanted);
      }),
      { numRuns: 30 },
    );
  });
});

describe('an archive of another', () => {
  it('has what node-tar packed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'drover-tar-'));
    try {
      for (const { path, content, target } of files) {
        await mkdir(dirname(join(folder, path)), { recursive: true });
        await (target === undefined
          ? writeFile(join(folder, path), content ?? '')
          : symlink(target, join(folder, path)));
      }
      const archive = readTar(Readable.from(create({ cwd: folder, gzip: true }, ['.'])), options);

      expect(await contentsOf(archive)).toEqual(contents);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('has GNU’s long names and targets', async () => {
    const path = `${long}/${long}`;

    expect(
      await readMembers(
        { name: '././@LongLink', type: 'L', content: `${path}\0` },
        { name: path.slice(0, 100), content: 'long', magic: 'ustar  \0' },
        { name: '././@LongLink', type: 'K', content: `${path}\0` },
        { name: 'link', type: '2', target: path.slice(0, 100), magic: 'ustar  \0' },
        { name: 'short', content: 'short', magic: 'ustar  \0', prefix: 'not a prefix' },
      ),
    ).toEqual({ [path]: 'long', link: `-> ${path}`, short: 'short' });
  });

  it('has names in two fields, headers of the first tar, and lengths in binary', async () => {
    const size = Buffer.alloc(12);
    size[0] = 0x80;
    size[11] = 3;

    expect(
      await readMembers(
        { name: 'name', prefix: long, content: '1' },
        { name: 'f'.repeat(100), prefix: 'p'.repeat(155), content: '2' },
        { name: 'old/', type: '\0', magic: '' },
        { name: 'old/file', type: '\0', magic: '', prefix: 'nothing', content: '3' },
        { name: 'contiguous', type: '7', content: '4' },
        { name: 'binary', content: 'abc', size },
        { name: 'spaces', content: 'de', size: Buffer.from('         2 \0') },
      ),
    ).toEqual({
      [`${long}/name`]: '1',
      [`${'p'.repeat(155)}/${'f'.repeat(100)}`]: '2',
      'old/file': '3',
      contiguous: '4',
      binary: 'abc',
      spaces: 'de',
    });
  });

  it('has names, targets and lengths of pax headers, of which the last counts', async () => {
    expect(
      await readMembers(
        paxMember({ path: 'one', mtime: '1.5' }),
        paxMember({ path: 'two', 'SCHILY.xattr.user.x': Buffer.from([0xff, 0x0a, 0x00]) }),
        { name: 'header', content: 'content' },
        paxMember({ size: '3' }),
        { name: 'sized', content: 'abc', size: 0 },
        paxMember({ linkpath: 'one' }),
        { name: 'link', type: '2', target: 'two' },
        { name: 'plain', content: 'p' },
      ),
    ).toEqual({ two: 'content', sized: 'abc', link: '-> one', plain: 'p' });
  });

  it('may be empty, and longer than its end', async () => {
    expect(await readMembers()).toEqual({});
    expect(await contentsOf(read(Buffer.concat([tarOf([{ name: 'a' }]), Buffer.alloc(20_000)])))).toEqual({
      a: '',
    });
  });
});

describe('the root', () => {
  it('that was given is the one, and all else is refused', async () => {
    const tar = gitTar([{ path: 'a' }], 'repo');

    expect(await contentsOf(read(tar, { root: 'repo' }))).toEqual({ a: '' });
    expect(await contentsOf(read(tar, { root: '' }))).toEqual({ 'repo/a': '' });
    await expect(contentsOf(read(tar, { root: 'other' }))).rejects.toMatchObject({ code: 'ARCHIVE_REFUSED' });
  });

  it('that seemed to be one is none where something is beside it', async () => {
    const tar = gitTar([{ path: '.github/w.yml' }, { path: 'README.md' }]);

    await expect(contentsOf(read(tar))).rejects.toThrow(RootMismatch);
    expect(await contentsOf(read(tar, { root: '' }))).toEqual({ '.github/w.yml': '', 'README.md': '' });
  });
});

describe('an entry’s content', () => {
  const two = tarOf([
    { name: 'a', content: 'A' },
    { name: 'link', type: '2', target: 'a' },
    { name: 'b', content: 'B' },
  ]);

  it('is given once', async () => {
    for await (const entry of read(two)) {
      await entry.content();
      await expect(entry.content()).rejects.toThrow(/twice/);
    }
  });

  it('is not given after the next entry was asked for', async () => {
    const entries = read(two)[Symbol.asyncIterator]();
    for (let last = await entries.next(); !last.done; ) {
      const next = await entries.next();
      await expect(last.value.content()).rejects.toThrow(/after the next entry/);
      last = next;
    }
  });

  it('that is not waited for holds up the next entry', async () => {
    const asked: Promise<Buffer>[] = [];
    for await (const entry of read(two)) asked.push(entry.content());

    expect((await Promise.all(asked)).map(String)).toEqual(['A', 'a', 'B']);
  });

  it('is read by one iteration only', async () => {
    const archive = read(two);
    await contentsOf(archive);

    await expect(contentsOf(archive)).rejects.toThrow(/once/);
  });
});
