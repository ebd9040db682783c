import { describe, expect, it } from 'vitest';
import type { ArchiveLimits, Hostility } from '../../../../functions/sync-repo-metadata/source/entries.ts';
import { readTar } from '../../../../functions/sync-repo-metadata/source/tar.ts';
import {
  contentsOf,
  gitTar,
  packed,
  paxMember,
  type TarMember,
  tarEnd,
  tarMember,
  tarOf,
} from './archives.ts';
import { gzipOf, peakOf } from './streams.ts';

const { signal } = new AbortController();
const limits: ArchiveLimits = { entries: 100, bytes: 100_000 };
const read = (tar: Buffer, more: Partial<ArchiveLimits> = {}) =>
  readTar(packed(tar), { limits: { ...limits, ...more }, retryable: true, signal, root: '' });

const refusal = (why: Hostility, message = /^The archive is not used: /) =>
  expect.objectContaining({
    code: 'ARCHIVE_REFUSED',
    retryable: false,
    message: expect.stringMatching(message),
    details: expect.objectContaining({ why }),
  });

const good: TarMember = { name: 'good', content: 'good' };
const nul = Buffer.from('a\0b');

describe('an archive is refused where an entry', () => {
  it.each<[string, Hostility, TarMember[]]>([
    ['is above its folder', 'path', [{ name: '../a' }]],
    ['is above its folder by a pax header', 'path', [paxMember({ path: 'a/../../b' }), { name: 'a' }]],
    [
      'is above its folder by a long name',
      'path',
      [{ name: 'x', type: 'L', content: '../a\0' }, { name: 'a' }],
    ],
    ['is above its folder by a prefix', 'path', [{ name: 'a', prefix: '..' }]],
    ['is a folder above its folder', 'path', [{ name: '../', type: '5' }]],
    ['is a link above its folder', 'path', [{ name: '../a', type: '2', target: 'b' }]],
    ['is absolute', 'path', [{ name: '/etc/passwd' }]],
    ['has a backslash', 'path', [{ name: '..\\a' }]],
    ['has a NUL in a pax header', 'path', [paxMember({ path: nul }), { name: 'a' }]],
    ['has a NUL in a long name', 'path', [{ name: 'x', type: 'L', content: nul }, { name: 'a' }]],
    ['is not UTF-8', 'path', [{ name: Buffer.from([0x61, 0xff]) }]],
    ['is not UTF-8 in a pax header', 'path', [paxMember({ path: Buffer.from([0xff]) }), { name: 'a' }]],
    ['has a path of more than 1,024 bytes', 'path', [paxMember({ path: 'p/'.repeat(513) }), { name: 'a' }]],
    ['has no name', 'path', [{ name: '' }]],
    ['is a file called as its folder', 'path', [{ name: '.' }]],
    ['is a link called as a folder', 'path', [{ name: 'a/', type: '2', target: 'b' }]],
    ['is there twice', 'path', [{ name: 'a' }, { name: 'b' }, { name: './a' }]],
    ['is there as a file and a link', 'path', [{ name: 'a' }, { name: 'a', type: '2', target: 'b' }]],
    ['has its name from all entries’ header', 'path', [paxMember({ path: 'a' }, 'g'), { name: 'b' }]],
    ['has its length from all entries’ header', 'path', [paxMember({ size: '1' }, 'g'), { name: 'b' }]],
    ['is a hard link', 'link', [{ name: 'a', type: '1', target: 'good' }]],
    ['is a link to an absolute path', 'link', [{ name: 'a', type: '2', target: '/etc/passwd' }]],
    ['is a link out of the repository', 'link', [{ name: 'a/b', type: '2', target: '../../c' }]],
    [
      'is a link out by a pax header',
      'link',
      [paxMember({ linkpath: '..' }), { name: 'a', type: '2', target: 'b' }],
    ],
    [
      'is a link out by a long name',
      'link',
      [
        { name: 'x', type: 'K', content: '..\0' },
        { name: 'a', type: '2', target: 'b' },
      ],
    ],
    ['is a link to nothing', 'link', [{ name: 'a', type: '2' }]],
    ['is a character device', 'kind', [{ name: 'a', type: '3' }]],
    ['is a block device', 'kind', [{ name: 'a', type: '4' }]],
    ['is a pipe', 'kind', [{ name: 'a', type: '6' }]],
    ['is a sparse file of GNU tar', 'kind', [{ name: 'a', type: 'S', content: 'x' }]],
    ['is a sparse file by a pax header', 'kind', [paxMember({ 'GNU.sparse.major': '1' }), { name: 'a' }]],
    ['is a part of one on another volume', 'kind', [{ name: 'a', type: 'M' }]],
    ['is a volume’s label', 'kind', [{ name: 'a', type: 'V' }]],
    ['is of a type nobody knows', 'kind', [{ name: 'a', type: '~' }]],
    ['is a folder with content', 'kind', [{ name: 'a/', type: '5', content: 'x' }]],
    ['is a link with content', 'kind', [{ name: 'a', type: '2', target: 'b', content: 'x' }]],
    ['is an old folder with content', 'kind', [{ name: 'a/', content: 'x' }]],
  ])('%s', async (_, why, members) => {
    await expect(contentsOf(read(tarOf([good, ...members])))).rejects.toEqual(refusal(why));
  });
});

describe('an archive of too much is refused:', () => {
  it('more entries than there may be, of whatever kind', async () => {
    const some = [
      paxMember({ comment: 'x' }, 'g'),
      { name: 'a/', type: '5' },
      paxMember({ mtime: '1' }),
      { name: 'a/b' },
      { name: 'l', type: '2', target: 'a' },
    ];

    expect(Object.keys(await contentsOf(read(tarOf(some), { entries: 5 })))).toEqual(['a/b', 'l']);
    await expect(contentsOf(read(tarOf(some), { entries: 4 }))).rejects.toEqual(refusal('entries'));
  });

  it.each([true, false])('more bytes than there may be, read or not: %s', async (isRead) => {
    const tar = tarOf([
      { name: 'a', content: 'x'.repeat(600) },
      { name: 'b', content: 'y'.repeat(401) },
    ]);
    const all = async (bytes: number) => {
      for await (const entry of read(tar, { bytes })) if (isRead) await entry.content();
    };

    await all(1001);
    await expect(all(1000)).rejects.toEqual(refusal('bytes'));
  });

  it('headers longer than any name', async () => {
    const more = { bytes: 10_000_000 };
    const header = (type: string) => ({ name: 'x', type, content: Buffer.alloc(1_048_577, 0x61) });

    for (const type of ['x', 'g', 'L', 'K'])
      await expect(contentsOf(read(tarOf([header(type), good]), more))).rejects.toEqual(refusal('bytes'));
  });

  it('headers that only say that they are', async () => {
    const size = Buffer.from([0x80, 0, 0, 0, 0, 0, 0xff, 0, 0, 0, 0, 0]);

    for (const type of ['x', 'g', 'L', '0'])
      await expect(contentsOf(read(tarMember({ name: 'x', type, size })))).rejects.toEqual(refusal('bytes'));
  });

  it('many headers before one entry', async () => {
    const header = tarMember(paxMember({ comment: 'c'.repeat(10_000) }));
    const tar = Buffer.concat([...Array.from({ length: 50 }, () => header), tarMember(good), tarEnd]);

    await expect(contentsOf(read(tar))).rejects.toEqual(refusal('bytes'));
  });
});

describe('a bomb is refused in little time and memory:', () => {
  const mebibyte = 1024 * 1024;
  const plenty = { entries: 20_000, bytes: 32 * mebibyte };
  const zeros = Buffer.alloc(mebibyte);

  it('a file of 1 GiB of zeros', async () => {
    const bomb = gzipOf(function* () {
      yield tarMember({ name: 'zeros', size: 1024 * mebibyte });
      for (let count = 0; count < 1024; count += 1) yield zeros;
      yield tarEnd;
    });
    const { peak, outcome } = await peakOf(
      contentsOf(readTar(bomb, { limits: plenty, retryable: true, signal })),
    );

    expect(outcome).toEqual(refusal('bytes'));
    expect(peak).toBeLessThan(100 * mebibyte);
  });

  it('many files that nobody reads', async () => {
    const bomb = gzipOf(function* () {
      for (let count = 0; count < 1000; count += 1) {
        yield tarMember({ name: `zeros-${count}`, size: mebibyte });
        yield zeros;
      }
    });
    const skip = async () => {
      for await (const _ of readTar(bomb, { limits: plenty, retryable: true, signal }));
    };
    const { peak, outcome } = await peakOf(skip());

    expect(outcome).toEqual(refusal('bytes'));
    expect(peak).toBeLessThan(100 * mebibyte);
  });

  it('1 GiB of zeros after the end', async () => {
    const bomb = gzipOf(function* () {
      for (let count = 0; count < 1024; count += 1) yield zeros;
    });
    const { peak, outcome } = await peakOf(
      contentsOf(readTar(bomb, { limits: plenty, retryable: true, signal })),
    );

    expect(outcome).toEqual(refusal('bytes', /emptiness/));
    expect(peak).toBeLessThan(100 * mebibyte);
  });

  it('a million entries', async () => {
    let made = 0;
    const bomb = gzipOf(function* () {
      for (; made < 1_000_000; made += 100) {
        const names = Array.from({ length: 100 }, (_, index) => `${'n'.repeat(80)}-${made + index}`);
        yield Buffer.concat(names.map((name) => tarMember({ name })));
      }
    });
    const { peak, outcome } = await peakOf(
      contentsOf(readTar(bomb, { limits: plenty, retryable: true, signal })),
    );

    expect(outcome).toEqual(refusal('entries', /more than 20000 entries/));
    expect(peak).toBeLessThan(100 * mebibyte);
    // Who makes it has stopped.
    expect(made).toBeLessThan(200_000);
  });
});

it('an archive is good until what is wrong with it', async () => {
  const paths: string[] = [];
  const reading = (async () => {
    for await (const { path } of read(tarOf([...'abc'].map((name) => ({ name })).concat({ name: '../d' }))))
      paths.push(path);
  })();

  await expect(reading).rejects.toEqual(refusal('path', /"\.\.\/d" has “\.\.” in its path/));
  expect(paths).toEqual(['a', 'b', 'c']);
  expect(Object.keys(await contentsOf(read(gitTar([{ path: 'x' }]))))).toEqual(['x']);
});
