import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Archive } from '../../../../functions/sync-repo-metadata/source/entries.ts';
import { openObjectSnapshot } from '../../../../functions/sync-repo-metadata/source/object.ts';
import { RootMismatch } from '../../../../functions/sync-repo-metadata/source/root.ts';
import { ApiError } from '../../../../local/http/api-error.ts';
import { ConnectionLost } from '../../../../local/http/connection-lost.ts';
import { type LocalStorage, startStorage } from '../../../../local/storage/index.ts';
import { deleteObject, findGeneration } from '../../../../shared/gcp/storage/objects.ts';
import { readRange } from '../../../../shared/gcp/storage/read.ts';
import { writeObject } from '../../../../shared/gcp/storage/write.ts';
import { classify } from '../../../../shared/operation/classify.ts';
import { contentsOf, gitTar, gitZip } from './archives.ts';

const bucket = 'archives';
const { signal } = new AbortController();
const options = { limits: { entries: 1000, bytes: 1e8 }, signal };

let storage: LocalStorage;
beforeAll(async () => {
  storage = await startStorage({ project: 'acme-dev', buckets: [bucket] });
  process.env['STORAGE_EMULATOR_HOST'] = `http://${storage.host}`;
  process.env['GOOGLE_CLOUD_PROJECT'] = 'acme-dev';
});
afterEach(() => {
  storage.intercept = undefined;
});
afterAll(() => storage?.close());

let count = 0;
let place: { readonly bucket: string; readonly name: string };
beforeEach(() => {
  place = { bucket, name: `test-${++count}` };
});

const write = (content: Buffer) =>
  writeObject(place, content, { signal, contentType: 'application/x-thing' });
const open = (more: object = {}, at: object = {}) =>
  openObjectSnapshot({ ...place, ...at }, { ...options, ...more });
const failure = async (call: Promise<unknown>) => classify(await call.catch((error: unknown) => error));

const commit = 'c'.repeat(40);
const files = [
  { path: 'a/one', content: 'one' },
  { path: 'large', content: randomBytes(300_000).toString('latin1') },
  { path: 'link', target: 'a/one' },
];
const contents = {
  'a/one': 'one',
  large: Buffer.from(files[1]?.content ?? '').toString('latin1'),
  link: '-> a/one',
};
const archives = { tar: gzipSync(gitTar(files, 'repo', commit)), zip: gitZip(files, 'repo', commit) };
const formats = ['tar', 'zip'] as const;

describe.each(formats)('a %s in Cloud Storage', (format) => {
  it('is read from its beginning as often as asked, whatever it is called', async () => {
    const object = await write(archives[format]);
    const snapshot = await open();

    for (let time = 0; time < 2; time += 1) {
      const archive = await snapshot.open(signal);
      expect(await contentsOf(archive)).toEqual(contents);
      expect(archive.commit).toBe(commit);
    }
    expect(snapshot).toMatchObject({ object, commit: undefined, committedAt: undefined });
  });

  it('has the commit and the root that the message says', async () => {
    await write(archives[format]);

    const snapshot = await open({ commit, root: '' });

    expect(snapshot).toMatchObject({ commit });
    expect(Object.keys(await contentsOf(await snapshot.open(signal)))).toContain('repo/a/one');
  });

  it('that was replaced is another: whoever asks again finds that', async () => {
    await write(archives[format]);
    const snapshot = await open();
    await write(archives.tar);

    const error = await failure(read(snapshot.open(signal)));

    expect(error).toMatchObject({ code: 'ARCHIVE_CHANGED', retryable: true });
    expect(await read((await open()).open(signal))).toEqual(contents);
  });

  it('is damaged for good', async () => {
    await write(archives[format].subarray(0, -30));

    const error = await failure(open().then((snapshot) => read(snapshot.open(signal))));

    expect(error).toMatchObject({ code: 'ARCHIVE_DAMAGED', retryable: false });
  });

  it('comes with a connection that may break', async () => {
    await write(archives[format]);
    const snapshot = await open();
    storage.intercept = () => {
      throw new ConnectionLost();
    };

    expect(await failure(read(snapshot.open(signal)))).toMatchObject({ retryable: true });
  });

  it('is not read on after an abort', async () => {
    await write(archives[format]);
    const controller = new AbortController();
    const archive = await (await open()).open(controller.signal);
    const reading = (async () => {
      for await (const _ of archive) controller.abort(new Error('the deadline'));
    })();

    await expect(reading).rejects.toThrow('the deadline');
  });
});

const read = async (archive: Promise<Archive>) => contentsOf(await archive);

describe('an object', () => {
  it('that isn’t there is missing for good, and the error says what to do', async () => {
    const error = await failure(open());

    expect(error).toMatchObject({
      code: 'ARCHIVE_NOT_FOUND',
      retryable: false,
      details: place,
      message: expect.stringMatching(new RegExp(`gs://${bucket}/${place.name}\\. Upload the archive`)),
    });
  });

  it('is of the generation that is asked for', async () => {
    const { generation } = await write(archives.tar);

    expect(await read((await open({}, { generation })).open(signal))).toEqual(contents);
    await write(archives.zip);
    expect(await failure(open({}, { generation }))).toMatchObject({
      code: 'ARCHIVE_NOT_FOUND',
      message: expect.stringMatching(new RegExp(`of generation ${generation}`)),
    });
  });

  it.each(['', 'x', '<html>Not found</html>', 'PK but nothing else'])(
    'with %j in it is no archive',
    async (content) => {
      await write(Buffer.from(content));

      expect(await failure(open())).toMatchObject({
        code: 'ARCHIVE_DAMAGED',
        retryable: false,
        message: expect.stringMatching(/neither a \.tar\.gz nor a \.zip/),
      });
    },
  );

  it.each(['tar', 'zip'] as const)('may be unreachable for a while: %s', async (format) => {
    await write(archives[format]);
    const snapshot = await open();
    storage.intercept = () => {
      throw new ApiError(503, 'backendError', 'not now');
    };

    expect(await failure(read(snapshot.open(signal)))).toMatchObject({
      code: 'GOOGLE_UNAVAILABLE',
      retryable: true,
    });
  });

  it('that is left in the middle can be read again at once', async () => {
    const large = [{ path: 'first.txt' }, { path: 'large.bin', content: randomBytes(8_000_000) }];
    await write(gzipSync(gitTar(large, 'repo', commit), { level: 1 }));
    const snapshot = await open();
    for (let time = 0; time < 3; time += 1) {
      for await (const { path } of await snapshot.open(signal)) if (path === 'first.txt') break;
    }

    expect(Object.keys(await read(snapshot.open(signal)))).toEqual(['first.txt', 'large.bin']);
  });

  it('that only seemed to have a root says so once, and has none from then on', async () => {
    await write(gzipSync(gitTar([{ path: '.github/w.yml' }, { path: 'README.md' }])));
    const snapshot = await open();

    await expect(read(snapshot.open(signal))).rejects.toThrow(RootMismatch);
    expect(await read(snapshot.open(signal))).toEqual({ '.github/w.yml': '', 'README.md': '' });
  });
});

describe('some bytes of an object', () => {
  const content = randomBytes(1000);

  it.each([
    [0, 1],
    [0, 1000],
    [10, 20],
    [999, 1000],
  ])('from %i to %i are those', async (start, end) => {
    const object = await write(content);

    expect((await readRange(object, start, end, signal)).equals(content.subarray(start, end))).toBe(true);
  });

  it('are of its generation', async () => {
    const object = await write(content);
    await write(Buffer.alloc(1000));

    expect(await failure(readRange(object, 0, 10, signal))).toMatchObject({ code: 'GOOGLE_NOT_FOUND' });
    expect(await findGeneration(place, object.generation, signal)).toBeUndefined();
  });

  it('are as many as were asked for', async () => {
    const object = await write(content);

    expect(await failure(readRange({ ...object, bytes: 2000 }, 500, 1500, signal))).toMatchObject({
      code: 'GOOGLE_UNAVAILABLE',
      retryable: true,
      message: expect.stringMatching(/500 bytes arrived of the 1000/),
    });
  });

  it('are not waited for after an abort', async () => {
    const object = await write(content);
    const controller = new AbortController();
    storage.intercept = () => new Promise(() => undefined);
    const reading = readRange(object, 0, 10, controller.signal);

    controller.abort(new Error('the deadline'));

    await expect(reading).rejects.toThrow('the deadline');
    storage.intercept = undefined;
    await deleteObject(place, signal);
  });
});
