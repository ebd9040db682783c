import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readTar } from '../../../../functions/sync-repo-metadata/source/tar.ts';
import {
  contentsOf,
  gitTar,
  packed,
  paxMember,
  streamOf,
  type TarMember,
  tarEnd,
  tarMember,
  tarOf,
} from './archives.ts';

const { signal } = new AbortController();
const options = { limits: { entries: 1000, bytes: 1e7 }, retryable: true, signal };
const readGzip = (gzip: Buffer, bytes?: number) => contentsOf(readTar(streamOf(gzip, bytes), options));
const readTape = (tar: Buffer) => contentsOf(readTar(packed(tar), options));
const damaged = (message: RegExp) =>
  expect.objectContaining({
    code: 'ARCHIVE_DAMAGED',
    retryable: true,
    message: expect.stringMatching(message),
  });

const long = `${'n'.repeat(90)}/`.repeat(2);
const files = [
  { path: 'a/one', content: 'x'.repeat(700) },
  { path: `${long}two`, content: '2' },
  { path: 'three', content: '' },
  { path: 'four', target: 'three' },
  { path: 'five', content: 'y'.repeat(512) },
];
const tar = gitTar(files, 'repo', 'c'.repeat(40));
const whole = await readTape(tar);

/** What was read until it failed, and what it failed with. */
async function readUntil(bytes: Buffer) {
  const read: Record<string, string> = {};
  try {
    for await (const entry of readTar(packed(bytes), options))
      read[entry.path] = `${entry.kind === 'link' ? '-> ' : ''}${await entry.content()}`;
    return { read, error: undefined };
  } catch (error) {
    return { read, error };
  }
}

describe('a tar that ends too early', () => {
  it('has what was before its end, and never seems whole', async () => {
    for (let length = 0; length < tar.length; length += 512) {
      const { read, error } = await readUntil(tar.subarray(0, length));

      expect(error, `${length} bytes`).toEqual(damaged(/ends too early/));
      expect(whole).toMatchObject(read);
    }
    expect(await readUntil(tar)).toEqual({ read: whole, error: undefined });
  });

  it('is damaged wherever it ends', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: tar.length - 1 }), async (length) => {
        const { read, error } = await readUntil(tar.subarray(0, length));

        expect(error).toEqual(damaged(/ends too early/));
        expect(whole).toMatchObject(read);
      }),
    );
  });

  it('is told where nobody asks for the content', async () => {
    const skip = async () => {
      for await (const _ of readTar(
        packed(tarMember({ name: 'a', content: 'x'.repeat(600) }).subarray(0, 1024)),
        options,
      ));
    };

    await expect(skip()).rejects.toEqual(damaged(/after 1024 unpacked bytes/));
  });

  it('says so to who asks for the content, and to who asks for the next entry', async () => {
    const entries = readTar(packed(tarMember({ name: 'a', size: 2000 })), options)[Symbol.asyncIterator]();
    const { value } = await entries.next();

    await expect(value?.content()).rejects.toEqual(damaged(/ends too early/));
    await expect(entries.next()).rejects.toEqual(damaged(/ends too early/));
  });
});

describe('a gzip that ends too early', () => {
  it('is damaged wherever it ends', async () => {
    const gzip = gzipSync(tar);
    // All of its own end, and some of what is before.
    for (let length = 0; length < gzip.length; length += length < gzip.length - 20 ? 7 : 1)
      await expect(readGzip(gzip.subarray(0, length)), `${length} bytes`).rejects.toEqual(
        damaged(/gzip ends too early/),
      );
    expect(await readGzip(gzip)).toEqual(whole);
  });

  it('is damaged, or says the same, where any of its bytes is another', async () => {
    const gzip = gzipSync(tar);
    // What its header says of time and system is of no consequence.
    const position = fc.integer({ min: 10, max: gzip.length - 1 });
    await fc.assert(
      fc.asyncProperty(position, fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const changed = Buffer.from(gzip);
        changed[at] = (changed[at] ?? 0) ^ change;
        // Some bits fill a byte up, and say nothing.
        const read = await readGzip(changed).catch(({ code }) => code);
        if (typeof read === 'string') expect(read).toMatch(/^ARCHIVE_(DAMAGED|REFUSED)$/);
        else expect(read).toEqual(whole);
      }),
    );
  });
});

describe('an archive is damaged that', () => {
  it.each<[string, Buffer, RegExp]>([
    ['is empty', Buffer.alloc(0), /gzip ends too early/],
    ['is no gzip', Buffer.from('<html>Not found</html>'), /not a gzip file/],
    ['is a tar without gzip', tar, /not a gzip file/],
    ['is no tar', gzipSync(Buffer.from('{}'.repeat(1000))), /checksum/],
    ['is shorter than a header', gzipSync(Buffer.from('{}')), /ends too early, after 2 /],
    [
      'goes on after its gzip',
      Buffer.concat([gzipSync(tar), Buffer.from('garbage')]),
      /something after its end/,
    ],
    [
      'goes on after its end',
      gzipSync(Buffer.concat([tar, Buffer.from('garbage')])),
      /something after its end/,
    ],
    ['is followed by another', gzipSync(Buffer.concat([tar, tar])), /something after its end/],
    ['is followed by another gzip', Buffer.concat([gzipSync(tar), gzipSync(tar)]), /something after its end/],
    [
      'has one empty block',
      gzipSync(Buffer.concat([tar.subarray(0, -1024), Buffer.alloc(512), tar])),
      /goes on/,
    ],
  ])('%s', async (_, gzip, message) => {
    await expect(readGzip(gzip, 64)).rejects.toEqual(damaged(message));
  });

  it.each<[string, TarMember[], RegExp]>([
    ['a checksum that is not its own', [], /checksum/],
    ['a length that is no number', [{ name: 'a', size: Buffer.from('12a') }], /size is not a number/],
    ['a negative length', [{ name: 'a', size: Buffer.alloc(12, 0xff) }], /beyond all bounds/],
    ['a length of 2^64', [{ name: 'a', size: Buffer.from([0x80, 0, 0, 1]) }], /beyond all bounds/],
    ['a pax header without an entry', [paxMember({ path: 'a' })], /isn’t there/],
    [
      'a pax header without records',
      [{ name: 'x', type: 'x', content: 'path=a\n' }, { name: 'a' }],
      /records/,
    ],
    [
      'a pax record that is too long',
      [{ name: 'x', type: 'x', content: '99 path=a\n' }, { name: 'a' }],
      /records/,
    ],
    [
      'a pax record that is too short',
      [{ name: 'x', type: 'x', content: '4 path=a\n' }, { name: 'a' }],
      /records/,
    ],
    [
      'a pax record without a value',
      [{ name: 'x', type: 'x', content: '7 path\n' }, { name: 'a' }],
      /records/,
    ],
    [
      'a pax record of no length',
      [{ name: 'x', type: 'x', content: '0 path=a\n' }, { name: 'a' }],
      /records/,
    ],
    ['a pax length that is no number', [paxMember({ size: '-1' }), { name: 'a' }], /size is not a number/],
  ])('has %s', async (_, members, message) => {
    const bytes = tarOf(members);
    if (members.length === 0)
      return expect(readTape(Buffer.concat([Buffer.alloc(512, 1), tarEnd]))).rejects.toEqual(
        damaged(message),
      );
    await expect(readTape(bytes)).rejects.toEqual(damaged(message));
  });

  it('has a header of which a byte is another', async () => {
    const position = fc.integer({ min: 0, max: 511 });
    await fc.assert(
      fc.asyncProperty(position, fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const bytes = tarOf([{ name: 'name', content: 'content' }]);
        bytes[at] = (bytes[at] ?? 0) ^ change;
        const { error } = await readUntil(bytes);
        // What ends the checksum's own digits is not part of it.
        if (at >= 148 && at < 156 && error === undefined) return;
        expect(error).toEqual(damaged(/checksum/));
      }),
    );
  });
});

it('whether reading it again may help is for the caller to know', async () => {
  const archive = readTar(packed(tar.subarray(0, 512)), { ...options, retryable: false });

  await expect(contentsOf(archive)).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED', retryable: false });
});
