import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ArchiveLimits, Hostility } from '../../../../functions/sync-repo-metadata/source/entries.ts';
import { readZip } from '../../../../functions/sync-repo-metadata/source/zip.ts';
import { accessTo, contentsOf, gitZip, type ZipMember, zipOf } from './archives.ts';
import { peakOf } from './streams.ts';

const { signal } = new AbortController();
const limits: ArchiveLimits = { entries: 100, bytes: 100_000 };
const open = (zip: Buffer, more: Partial<ArchiveLimits> = {}) =>
  readZip(accessTo(zip), { limits: { ...limits, ...more }, retryable: true, signal });
const read = (...given: Parameters<typeof open>) => contentsOf(open(...given));
const skip = async (zip: Buffer, more: Partial<ArchiveLimits> = {}) => {
  for await (const _ of open(zip, more));
};

const refusal = (why: Hostility) =>
  expect.objectContaining({
    code: 'ARCHIVE_REFUSED',
    retryable: false,
    details: expect.objectContaining({ why }),
  });
const damaged = (message = /^The archive can't be read: /) =>
  expect.objectContaining({
    code: 'ARCHIVE_DAMAGED',
    retryable: true,
    message: expect.stringMatching(message),
  });

const good: ZipMember = { name: 'good', content: 'good' };
const link = { mode: 0o120777, stored: true };

describe('a zip is refused, before anything of it is given, where an entry', () => {
  it.each<[string, Hostility, ZipMember[]]>([
    ['is above its folder', 'path', [{ name: '../a' }]],
    ['is a folder above its folder', 'path', [{ name: '../' }]],
    ['is absolute', 'path', [{ name: '/a' }]],
    ['has a backslash', 'path', [{ name: '..\\a' }]],
    ['has a NUL', 'path', [{ name: 'a\0b' }]],
    ['is not UTF-8', 'path', [{ name: Buffer.from([0x81]), flags: 0 }]],
    ['is said to be UTF-8 and is not', 'path', [{ name: Buffer.from([0x81]) }]],
    ['has a path of more than 1,024 bytes', 'path', [{ name: 'p'.repeat(1025) }]],
    ['has no name', 'path', [{ name: '' }]],
    ['is a file called as its folder', 'path', [{ name: '.' }]],
    ['is there twice', 'path', [{ name: 'a' }, { name: './a' }]],
    ['is a pipe', 'kind', [{ name: 'a', mode: 0o010644 }]],
    ['is a device', 'kind', [{ name: 'a', mode: 0o060644 }]],
    ['is a folder with content', 'kind', [{ name: 'a/', content: 'x' }]],
    ['is packed in a way that is not deflate', 'kind', [{ name: 'a', method: 14, content: 'x' }]],
    ['is encrypted', 'encrypted', [{ name: 'a', flags: 1, content: 'x' }]],
    ['is strongly encrypted', 'encrypted', [{ name: 'a', flags: 0x41, content: 'x' }]],
  ])('%s', async (_, why, members) => {
    const paths: string[] = [];
    const reading = (async () => {
      for await (const { path } of open(zipOf([good, ...members]))) paths.push(path);
    })();

    await expect(reading).rejects.toEqual(refusal(why));
    expect(paths).toEqual([]);
  });

  it.each([
    ['/etc/passwd', 'a'],
    ['..', 'a'],
    ['../../x', 'a/b'],
    ['', 'a'],
    ['x'.repeat(1025), 'a'],
  ])('is a link to %j', async (content, name) => {
    await expect(skip(zipOf([good, { name, content, ...link }]))).rejects.toEqual(refusal('link'));
  });

  it('is one of more than there may be', async () => {
    const members = ['a', 'b/', 'c'].map((name) => ({ name }));

    expect(await read(zipOf(members), { entries: 3 })).toEqual({ a: '', c: '' });
    await expect(read(zipOf(members), { entries: 2 })).rejects.toEqual(refusal('entries'));
    // What it says is enough.
    await expect(read(zipOf(members, '', 65_000))).rejects.toEqual(refusal('entries'));
  });

  it('makes it longer than it may be, which is known before it is unpacked', async () => {
    const zip = zipOf([good, { name: 'a', content: 'x'.repeat(996) }]);

    await skip(zip, { bytes: 1000 });
    await expect(skip(zip, { bytes: 999 })).rejects.toEqual(refusal('bytes'));
  });

  it('is a bomb, whatever it says', async () => {
    const packed = deflateRawSync(Buffer.alloc(60_000_000));
    const bomb = (size: number) => zipOf([{ name: 'bomb', method: 8, packed, size, content: 'x' }]);
    const { peak, outcome } = await peakOf(read(bomb(60_000_000)));

    expect(outcome).toEqual(refusal('bytes'));
    expect(peak).toBeLessThan(30_000_000);
    await expect(read(bomb(9999))).rejects.toEqual(damaged(/larger packed/));
    const lying = await peakOf(read(bomb(300_000), { bytes: 300_000 }));
    expect(lying.outcome).toEqual(damaged(/longer than its directory says/));
    expect(lying.peak).toBeLessThan(30_000_000);
  });
});

const textsOf = (contents: object) =>
  Object.values(contents)
    .map((text: string) => text.replace(/^-> /, ''))
    .filter((text) => text !== '')
    .sort();

describe('a zip is damaged that', () => {
  it.each<[string, ZipMember, RegExp]>([
    [
      'has a content with another checksum',
      { name: 'a', content: 'abc', crc: 1 },
      /"a" has another checksum/,
    ],
    [
      'has a stored content with another checksum',
      { name: 'a', content: 'abc', stored: true, crc: 1 },
      /checksum/,
    ],
    ['has a content that is shorter than it says', { name: 'a', content: 'abc', size: 4 }, /shorter/],
    ['has a content that is longer than it says', { name: 'a', content: 'abc', size: 2 }, /longer/],
    ['has a content where it says there is none', { name: 'a', content: 'abc', size: 0 }, /longer/],
    [
      'has a stored content of another length',
      { name: 'a', content: 'abc', stored: true, size: 2 },
      /mismatch/,
    ],
    [
      'has a content that can’t be unpacked',
      { name: 'a', content: 'abc', packed: Buffer.alloc(4, 0xff) },
      /unpacked/,
    ],
    [
      'has a content that is longer packed than any',
      { name: 'a', packed: Buffer.alloc(2000), method: 8 },
      /larger packed/,
    ],
    ['has an entry beyond its end', { name: 'a', content: 'abc', offset: 5000 }, /overlap/],
    ['has an entry in its directory', { name: 'a', content: 'abc', offset: 100 }, /overlap/],
    ['has an entry where there is none', { name: 'a', content: 'abc', offset: 1 }, /overlap/],
  ])('%s', async (_, member, message) => {
    await expect(read(zipOf([good, member]))).rejects.toEqual(damaged(message));
  });

  it('has entries that share their content', async () => {
    const members = Array.from({ length: 20 }, (_, index) => ({
      name: `${index}`,
      content: 'abc',
      offset: 0,
    }));

    await expect(read(zipOf(members))).rejects.toEqual(damaged(/overlap/));
  });

  it('has entries that it doesn’t count', async () => {
    const members = ['a', 'b', 'c'].map((name) => ({ name }));

    await expect(read(zipOf(members, '', 2))).rejects.toEqual(damaged(/more entries than it says/));
    await expect(read(zipOf(members, '', 0))).rejects.toEqual(damaged(/more entries than it says/));
    await expect(read(zipOf(members, '', 4))).rejects.toEqual(damaged());
  });

  it('is none', async () => {
    await expect(read(Buffer.alloc(0))).rejects.toEqual(damaged());
    await expect(read(Buffer.from('<html>Not found</html>'.repeat(10)))).rejects.toEqual(damaged());
    await expect(read(Buffer.concat([zipOf([good]), Buffer.from('garbage')]))).rejects.toEqual(damaged());
  });

  const files = [
    { path: 'a/one', content: 'x'.repeat(700) },
    { path: 'two', content: 'random enough' },
    { path: 'three', target: 'two' },
  ];
  const zip = gitZip(files, 'repo', 'c'.repeat(40));

  it('ends too early, wherever that is', async () => {
    for (let length = 0; length < zip.length; length += 1)
      await expect(read(zip.subarray(0, length)), `${length} bytes`).rejects.toEqual(damaged());
  });

  it('has another byte, or has the same contents', async () => {
    const whole = await read(zip);
    await fc.assert(
      fc.asyncProperty(fc.nat(zip.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const changed = Buffer.from(zip);
        changed[at] = (changed[at] ?? 0) ^ change;
        const outcome: object = await read(changed).catch((error: Error) => error);
        if (outcome instanceof Error)
          expect(outcome).toMatchObject({ code: expect.stringMatching(/^ARCHIVE_(DAMAGED|REFUSED)$/) });
        // What something is called, and whether it is a link or a folder, is in no checksum.
        else expect(textsOf(outcome)).toEqual(textsOf(whole));
      }),
      { numRuns: 500 },
    );
  });
});
