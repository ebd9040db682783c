import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Blocks } from '../../../../functions/sync-repo-metadata/source/blocks.ts';
import { readZip } from '../../../../functions/sync-repo-metadata/source/zip.ts';
import { accessTo, contentsOf, gitZip, zipOf } from './archives.ts';

const { signal } = new AbortController();
const limits = { entries: 100_000, bytes: 1e9 };
const content = randomBytes(1000);
const small = { blockBytes: 100, kept: 4 };

describe('blocks', () => {
  it('give what is there, wherever it is read', async () => {
    const range = fc
      .tuple(fc.nat(1000), fc.nat(1000))
      .map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
    await fc.assert(
      fc.asyncProperty(
        fc.array(range),
        fc.integer({ min: 1, max: 1200 }),
        fc.integer({ min: 1, max: 5 }),
        async (ranges, blockBytes, kept) => {
          const blocks = new Blocks(accessTo(content), { blockBytes, kept });
          for (const [start, end] of ranges) {
            const target = Buffer.alloc(end - start);
            await blocks.fill(target, start);
            expect(target.equals(content.subarray(start, end))).toBe(true);
          }
        },
      ),
    );
  });

  it('are read once each, and ahead, where all is read in its order', async () => {
    const access = accessTo(content);
    const blocks = new Blocks(access, small);

    for (let at = 0; at < 1000; at += 10) await blocks.fill(Buffer.alloc(10), at);

    expect(access.reads).toEqual(Array.from({ length: 10 }, (_, index) => [index * 100, index * 100 + 100]));
    const ahead = accessTo(content);
    const some = new Blocks(ahead, small);
    await some.fill(Buffer.alloc(10), 0);
    await some.fill(Buffer.alloc(10), 100);
    expect(ahead.reads).toEqual([
      [0, 100],
      [100, 200],
      [200, 300],
    ]);
  });

  it('are kept as many as were said, those that were used last', async () => {
    const access = accessTo(content);
    const blocks = new Blocks(access, small);
    const touch = (index: number) => blocks.fill(Buffer.alloc(1), index * 100);

    for (const index of [1, 3, 5, 7, 1, 9, 1, 5, 7, 9]) await touch(index);
    expect(access.reads).toHaveLength(5);

    await touch(3);
    expect(access.reads).toHaveLength(6);
  });

  it('are asked for once by many at once, and again after an error', async () => {
    let asked = 0;
    const lost = new Error('the connection was lost');
    const blocks = new Blocks(
      {
        bytes: 100,
        async read() {
          asked += 1;
          if (asked === 1) throw lost;
          return Buffer.alloc(100);
        },
      },
      small,
    );
    const touch = () => blocks.fill(Buffer.alloc(1), 0);

    expect(await Promise.allSettled([touch(), touch()])).toEqual([
      { status: 'rejected', reason: lost },
      { status: 'rejected', reason: lost },
    ]);
    await touch();
    expect(asked).toBe(2);
  });

  it('are none where fewer bytes come than were asked for', async () => {
    const blocks = new Blocks({ bytes: 100, read: async () => Buffer.alloc(99) }, small);

    await expect(blocks.fill(Buffer.alloc(1), 0)).rejects.toThrow('99 bytes came of the 100');
  });
});

describe('a zip that is read in blocks', () => {
  it('asks for few, in few megabytes', async () => {
    const file = { content: randomBytes(15_000), stored: true };
    const zip = zipOf(Array.from({ length: 2000 }, (_, index) => ({ ...file, name: `d/${index}` })));
    const access = accessTo(zip);
    const blocks = Math.ceil(zip.length / 4_194_304);

    expect(blocks).toBeGreaterThan(6);
    expect(Object.keys(await contentsOf(readZip(access, { limits, retryable: false, signal })))).toHaveLength(
      2000,
    );
    // Its directory is read first, and may be read again.
    expect(access.reads.length).toBeLessThanOrEqual(blocks + 2);
  });

  it('breaks with the error of who reads them', async () => {
    const zip = gitZip([{ path: 'a', content: 'x' }]);
    const lost = new Error('the connection was lost');

    const access = { bytes: zip.length, read: () => Promise.reject(lost) };
    await expect(contentsOf(readZip(access, { limits, retryable: false, signal }))).rejects.toBe(lost);
  });
});
