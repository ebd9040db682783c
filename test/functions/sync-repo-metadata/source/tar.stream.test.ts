import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readTar } from '../../../../functions/sync-repo-metadata/source/tar.ts';
import { contentsOf, gitTar, streamOf, tarEnd, tarMember } from './archives.ts';
import { gzipOf } from './streams.ts';

const { signal } = new AbortController();
const limits = { entries: 10_000, bytes: 1e9 };
const options = { limits, retryable: true, signal };
const mebibyte = 1024 * 1024;

/** More than any buffer holds, and not to be made smaller. */
const large = gzipSync(
  gitTar(
    Array.from({ length: 200 }, (_, index) => ({ path: `file-${index}`, content: randomBytes(20_000) })),
  ),
);

/** Whatever it was closed with. */
const closing = (source: Readable) => new Promise((resolve) => source.once('close', resolve));

describe('the source', () => {
  it.each<[string, (archive: ReturnType<typeof readTar>) => Promise<void>]>([
    [
      'where the iteration is left',
      async (archive) => {
        for await (const _ of archive) break;
      },
    ],
    [
      'where it is left with an error',
      async (archive) => {
        const reading = (async () => {
          for await (const _ of archive) throw new Error('enough');
        })();
        await expect(reading).rejects.toThrow('enough');
      },
    ],
    [
      'where an entry is refused',
      async (archive) => {
        await expect(contentsOf(archive)).rejects.toMatchObject({ code: 'ARCHIVE_REFUSED' });
      },
    ],
  ])('is closed %s', async (_, read) => {
    const source = streamOf(large);
    const closed = closing(source);

    await read(readTar(source, { ...options, limits: { ...limits, entries: 5 } }));

    await closed;
    expect(source.destroyed).toBe(true);
    expect(source.readableEnded).toBe(false);
  });

  it.each([0, 1, 100_000])(
    'that breaks after %i bytes breaks the iteration with its own error',
    async (bytes) => {
      const lost = Object.assign(new Error('the connection was lost'), { code: 'ECONNRESET' });
      const source = Readable.from(
        (async function* () {
          if (bytes > 0) yield large.subarray(0, bytes);
          throw lost;
        })(),
      );

      await expect(contentsOf(readTar(source, options))).rejects.toBe(lost);
    },
  );

  it('that breaks before anybody reads breaks the iteration later', async () => {
    const lost = new Error('the connection was lost');
    const source = new Readable({ read() {} });
    const archive = readTar(source, options);
    source.destroy(lost);
    await closing(source);

    await expect(contentsOf(archive)).rejects.toBe(lost);
  });

  it('that is closed without a word is not taken for damaged', async () => {
    const source = new Readable({ read() {} });
    source.push(large.subarray(0, 5000));
    const reading = contentsOf(readTar(source, options));
    source.destroy();

    await expect(reading).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
  });

  it('has its errors explained by who knows it', async () => {
    const source = new Readable({ read() {} });
    const explain = (error: unknown) => new Error('explained', { cause: error });
    const reading = contentsOf(readTar(source, { ...options, explain }));
    source.destroy(new Error('odd'));

    await expect(reading).rejects.toMatchObject({ message: 'explained', cause: { message: 'odd' } });
  });

  it('is read only as fast as its entries are', async () => {
    let made = 0;
    const source = gzipOf(function* () {
      for (let index = 0; index < 50; index += 1) {
        const content = randomBytes(mebibyte / 4);
        made += content.length;
        yield tarMember({ name: `file-${index}`, content });
      }
      yield tarEnd;
    });
    let read = 0;

    for await (const entry of readTar(source, options)) {
      read += (await entry.content()).length;
      // Whoever could go on does so now.
      for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
      expect(made - read).toBeLessThan(2 * mebibyte);
    }

    expect(read).toBe(12.5 * mebibyte);
  });
});

describe('an abort', () => {
  it('ends what waits for an entry', async () => {
    const controller = new AbortController();
    const source = new Readable({ read() {} });
    const reading = contentsOf(readTar(source, { ...options, signal: controller.signal }));

    controller.abort(new Error('the deadline'));

    await expect(reading).rejects.toThrow('the deadline');
    expect(source.destroyed).toBe(true);
  });

  it('ends what waits for a content', async () => {
    const controller = new AbortController();
    const source = new Readable({ read() {} });
    source.push(large.subarray(0, 10_000));
    const entries = readTar(source, { ...options, signal: controller.signal })[Symbol.asyncIterator]();
    const { value } = await entries.next();
    const content = value?.content();

    controller.abort(new Error('the deadline'));

    await expect(content).rejects.toThrow('the deadline');
    await expect(entries.next()).rejects.toThrow('the deadline');
  });

  it('ends it between two entries', async () => {
    const controller = new AbortController();
    const reading = (async () => {
      for await (const _ of readTar(streamOf(large), { ...options, signal: controller.signal }))
        controller.abort(new Error('the deadline'));
    })();

    await expect(reading).rejects.toThrow('the deadline');
  });

  it('before it begins lets nothing be read', async () => {
    const source = streamOf(large);
    const reading = contentsOf(
      readTar(source, { ...options, signal: AbortSignal.abort(new Error('the deadline')) }),
    );

    await expect(reading).rejects.toThrow('the deadline');
    expect(source.destroyed).toBe(true);
  });
});
