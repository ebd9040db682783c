import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { createGzip } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ApiError } from '../../../../local/http/api-error.ts';
import { ConnectionLost } from '../../../../local/http/connection-lost.ts';
import { type LocalStorage, startStorage } from '../../../../local/storage/index.ts';
import { crc32c } from '../../../../shared/gcp/crc32c.ts';
import { formatPlace } from '../../../../shared/gcp/storage/client.ts';
import { deleteObjects, listObjects } from '../../../../shared/gcp/storage/folder.ts';
import { deleteGeneration, deleteObject, findObject } from '../../../../shared/gcp/storage/objects.ts';
import { openObject, readObject } from '../../../../shared/gcp/storage/read.ts';
import { uploadObject, writeObject } from '../../../../shared/gcp/storage/write.ts';
import { classify } from '../../../../shared/operation/classify.ts';

const bucket = 'things';
const { signal } = new AbortController();
const contentType = 'text/plain';

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
let folder: string;
beforeEach(() => {
  folder = `test-${++count}/`;
});

const at = (name: string) => ({ bucket, name: folder + name });
const checksum = (content: Buffer) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32c(content));
  return bytes.toString('base64');
};
const upload = (name: string, content: Buffer, more: { readonly metadata?: Record<string, string> } = {}) =>
  uploadObject(at(name), [Readable.from([content.subarray(0, 100_000), content.subarray(100_000)])], {
    signal,
    contentType,
    ...more,
  });
const failure = async (call: Promise<unknown>) => classify(await call.catch((error: unknown) => error));

describe('an object', () => {
  it.each(['plain.json', 'with spaces/and?signs#&=+%', 'ünïcödé ☃', '..', 'a//b'])(
    'called %j is found as it was written',
    async (name) => {
      const written = await writeObject(at(name), 'content', {
        signal,
        contentType,
        metadata: { made: 'here' },
      });

      const found = await findObject(at(name), signal);

      expect(found).toEqual(written);
      expect(found).toMatchObject({
        ...at(name),
        bytes: 7,
        crc32c: checksum(Buffer.from('content')),
        metadata: { made: 'here' },
      });
      expect((await readObject(written, signal)).toString()).toBe('content');
    },
  );

  it('that isn’t there isn’t found', async () => {
    expect(await findObject(at('nothing'), signal)).toBeUndefined();
  });

  it('is written only where it is expected to be as it is', async () => {
    const first = await writeObject(at('x'), '1', { signal, contentType, ifGenerationMatch: 0 });
    await writeObject(at('x'), '2', { signal, contentType, ifGenerationMatch: first.generation });

    for (const ifGenerationMatch of [0, first.generation]) {
      const error = await failure(writeObject(at('x'), '3', { signal, contentType, ifGenerationMatch }));
      expect(error).toMatchObject({ code: 'GOOGLE_FAILED_PRECONDITION', retryable: false });
    }
    await expect(readObject(first, signal)).rejects.toMatchObject({ code: 'GOOGLE_NOT_FOUND' });
  });

  it.each([1, 300_000, 9_000_000])('of %i bytes is uploaded from a stream', async (size) => {
    const content = randomBytes(size);

    const written = await upload('big', content, { metadata: { rows: '7' } });

    expect(written).toMatchObject({ bytes: size, crc32c: checksum(content), metadata: { rows: '7' } });
    expect((await buffer(await openObject(written, signal))).equals(content)).toBe(true);
  });

  it('that gzip wrote comes back as gzip wrote it', async () => {
    const source = Readable.from([Buffer.from('text '.repeat(1000))]);

    const written = await uploadObject(at('x.gz'), [source, createGzip()], {
      signal,
      contentType: 'application/gzip',
    });

    const content = await readObject(written, signal);
    expect(content.subarray(0, 2)).toEqual(Buffer.from([0x1f, 0x8b]));
    expect(content.length).toBe(written.bytes);
  });

  it('is not there until all of it has arrived, and never where its source fails', async () => {
    const source = Readable.from(
      (async function* () {
        yield randomBytes(1_000_000);
        expect(await findObject(at('half'), signal)).toBeUndefined();
        throw new Error('the source broke');
      })(),
    );

    const uploading = uploadObject(at('half'), [source], { signal, contentType });

    await expect(uploading).rejects.toThrow('the source broke');
    expect(await findObject(at('half'), signal)).toBeUndefined();
  });

  it('is not sent again once nobody waits for it', async () => {
    const controller = new AbortController();
    const sent: unknown[] = [];
    storage.intercept = ({ method, phase, request }) => {
      if (method !== 'objects.insert' || phase !== 'before') return;
      sent.push(request['name']);
      controller.abort(new Error('left'));
      if (sent.filter((name) => name === request['name']).length < 3)
        throw new ApiError(503, 'backendError', 'not now');
    };

    const leaving = writeObject(at('left'), '1', { signal: controller.signal, contentType });
    await expect(leaving).rejects.toThrow('left');
    // It is repeated twice: with the same pauses, the other would have been repeated before.
    await writeObject(at('stays'), '1', { signal, contentType });

    expect(sent).toEqual([at('left'), at('stays'), at('stays'), at('stays')].map(({ name }) => name));
  });

  it('is deleted only as it was seen', async () => {
    const first = await writeObject(at('seen'), '1', { signal, contentType });
    const second = await writeObject(at('seen'), '2', { signal, contentType });

    expect(await deleteGeneration(first, signal)).toBe(false);
    expect(await findObject(at('seen'), signal)).toEqual(second);
    expect(await deleteGeneration(second, signal)).toBe(true);
    expect(await deleteGeneration(second, signal)).toBe(false);
  });

  it('is deleted once', async () => {
    await writeObject(at('x'), '1', { signal, contentType });

    expect(await deleteObject(at('x'), signal)).toBe(true);
    expect(await deleteObject(at('x'), signal)).toBe(false);
  });
});

describe('a folder', () => {
  it('is listed and deleted with all in it, and nothing else', async () => {
    for (const name of ['a/1', 'a/2', 'a/b/3', 'a.txt'])
      await writeObject(at(name), name, { signal, contentType });

    expect((await listObjects(at('a/'), signal)).map(({ name }) => name)).toEqual(
      ['a/1', 'a/2', 'a/b/3'].map((name) => folder + name),
    );
    expect(await deleteObjects(at('a/'), signal)).toBe(3);
    expect((await listObjects(at(''), signal)).map(({ name }) => name)).toEqual([`${folder}a.txt`]);
  });

  it('is never a whole bucket, or what merely begins like it', async () => {
    await expect(deleteObjects({ bucket, name: '' }, signal)).rejects.toThrow('not the name of a folder');
    await expect(deleteObjects(at('a'), signal)).rejects.toThrow('not the name of a folder');
  });
});

describe('a refusal', () => {
  const calls = {
    'finding it': () => findObject(at('x'), signal),
    'writing it': () => writeObject(at('x'), '1', { signal, contentType }),
    'uploading it': () => upload('x', Buffer.from('1')),
    'reading it': () => readObject({ ...at('x'), generation: '1' }, signal),
    'listing it': () => listObjects(at('x'), signal),
    'deleting it': () => deleteObject(at('x'), signal),
  };

  it.each(Object.entries(calls))('of %s names the object and says why', async (_, call) => {
    storage.intercept = () => {
      throw new ApiError(403, 'forbidden', 'alice does not have storage access');
    };

    expect(await failure(call())).toMatchObject({
      code: 'GOOGLE_PERMISSION_DENIED',
      retryable: false,
      message: expect.stringMatching(
        new RegExp(`${formatPlace(at('x'))}.*alice does not have storage access`),
      ),
    });
  });

  it('of a bucket that isn’t there is permanent', async () => {
    const error = await failure(writeObject({ bucket: 'nowhere', name: 'x' }, '1', { signal, contentType }));

    expect(error).toMatchObject({ code: 'GOOGLE_NOT_FOUND', retryable: false });
  });

  it('for too many calls is repeated, and retryable where it goes on', async () => {
    let calls = 0;
    storage.intercept = () => {
      calls += 1;
      throw new ApiError(429, 'rateLimitExceeded', 'too many');
    };

    const error = await failure(writeObject(at('x'), '1', { signal, contentType }));

    expect(error).toMatchObject({ code: 'GOOGLE_RESOURCE_EXHAUSTED', retryable: true });
    expect(calls).toBeGreaterThan(1);
  });
});

describe('a lost connection', () => {
  it('after the object was written is no loss', async () => {
    let lost = false;
    storage.intercept = ({ phase }) => {
      if (phase === 'before' || lost) return;
      lost = true;
      throw new ConnectionLost();
    };

    await writeObject(at('x'), '1', { signal, contentType });

    expect(lost).toBe(true);
    expect(await findObject(at('x'), signal)).toMatchObject({ bytes: 1 });
  });
});

describe('a signal', () => {
  const { promise: forever, resolve: release } = Promise.withResolvers<void>();
  const content = randomBytes(9_000_000);
  const calls: [string, (signal: AbortSignal) => Promise<unknown>][] = [
    ['finding', (signal) => findObject(at('x'), signal)],
    ['writing', (signal) => writeObject(at('x'), '1', { signal, contentType })],
    ['uploading', (signal) => uploadObject(at('x'), [Readable.from([content])], { signal, contentType })],
    ['reading', (signal) => readObject({ ...at('x'), generation: '1' }, signal)],
    ['listing', (signal) => listObjects(at('x'), signal)],
    ['deleting', (signal) => deleteObject(at('x'), signal)],
  ];

  it.each(calls)('ends %s at once, whenever the answer comes', async (_, call) => {
    storage.intercept = () => forever;
    const controller = new AbortController();
    const calling = call(controller.signal);
    calling.catch(() => undefined);
    await delay(50);

    controller.abort(new Error('enough'));

    await expect(Promise.race([calling, delay(1000)])).rejects.toThrow('enough');
  });

  it('ends an upload in the middle', async () => {
    const begun = Promise.withResolvers<void>();
    storage.intercept = ({ request, phase }) => {
      if (phase === 'before' && request['upload_id'] !== undefined) {
        begun.resolve();
        return forever;
      }
      return undefined;
    };
    const controller = new AbortController();
    const uploading = uploadObject(at('x'), [Readable.from([content])], {
      signal: controller.signal,
      contentType,
    });
    uploading.catch(() => undefined);
    await begun.promise;

    controller.abort(new Error('enough'));

    await expect(Promise.race([uploading, delay(1000)])).rejects.toThrow('enough');
  });

  it('leaves nothing behind that fails when the answers come', async () => {
    release();
    await delay(300);

    await expect(findObject(at('x'), AbortSignal.abort(new Error('before')))).rejects.toThrow('before');
  });
});
