import { get, type IncomingMessage } from 'node:http';
import { buffer, text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { call, contentOfSize, metadataOf, newBucket, newFile, useStorage } from './fixture.ts';

const cloud = useStorage();

describe.each([
  ['in memory', 1000],
  ['in a file', 700_000],
])('content that is kept %s', (_, size) => {
  test.each([
    [{ start: 0, end: 0 }],
    [{ start: 10, end: 99 }],
    [{ start: 900 }],
    [{ start: 0, end: 5_000_000 }],
    [{ end: -10 }],
    [{ end: -5_000_000 }],
  ])('is read in the range %j', async (range) => {
    const content = contentOfSize(size);
    const file = await newFile(await newBucket(cloud), 'x', content);
    const { start, end = size - 1 } = range as { start?: number; end?: number };
    const expected = end < 0 ? content.subarray(end) : content.subarray(start, end + 1);
    expect((await buffer(file.createReadStream(range))).equals(expected)).toBe(true);
  });

  test('is read to its end though the object is overwritten or deleted meanwhile', async () => {
    const content = contentOfSize(size);
    const file = await newFile(await newBucket(cloud), 'x', content);
    const begun = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    cloud.server.intercept = ({ phase, request: { alt } }) => {
      if (phase === 'before' || alt !== 'media') return undefined;
      begun.resolve();
      return goOn.promise;
    };
    const reading = file.download();
    await begun.promise;
    await file.delete();
    goOn.resolve();
    expect((await reading)[0].equals(content)).toBe(true);
  });
});

test('a partial answer says what it is', async () => {
  const bucket = await newBucket(cloud);
  await newFile(bucket, 'x', 'hello');
  const answer = await call(cloud, `/storage/v1/b/${bucket.name}/o/x?alt=media`, {
    headers: { range: 'bytes=1-2' },
  });
  expect(answer.status).toBe(206);
  expect(answer.headers.get('content-range')).toBe('bytes 1-2/5');
  expect(await answer.text()).toBe('el');
});

test('a range that there is nothing of is refused', async () => {
  const bucket = await newBucket(cloud);
  const file = await newFile(bucket, 'x', 'hello');
  await expect(buffer(file.createReadStream({ start: 5 }))).rejects.toMatchObject({ code: 416 });
  const empty = await newFile(bucket, 'empty', '');
  await expect(buffer(empty.createReadStream({ start: 0 }))).rejects.toMatchObject({ code: 416 });
});

test('an answer with content tells the object’s metadata', async () => {
  const bucket = await newBucket(cloud);
  const file = await newFile(bucket, 'x', 'hello', {
    contentType: 'text/plain',
    cacheControl: 'no-store',
    contentDisposition: 'attachment; filename="日本"',
  });
  const { generation, mediaLink = '' } = await metadataOf(file);
  const { headers } = await call(cloud, mediaLink);
  expect(Object.fromEntries(headers)).toMatchObject({
    'content-type': 'text/plain',
    'content-length': '5',
    'cache-control': 'no-store',
    'x-goog-generation': generation,
    'x-goog-metageneration': '1',
    'x-goog-hash': 'crc32c=mnG7TA==,md5=XUFAKrxLKna5cZ2REBfFkg==',
    'x-goog-stored-content-encoding': 'identity',
    'x-goog-stored-content-length': '5',
    'x-goog-storage-class': 'STANDARD',
  });
  const disposition = Buffer.from(headers.get('content-disposition') ?? '', 'latin1').toString();
  expect(disposition).toBe('attachment; filename="日本"');
});

test('the client finds the checksums it verifies', async () => {
  const file = await newFile(await newBucket(cloud), 'x', 'hello');
  expect((await file.download({ validation: 'md5' }))[0].toString()).toBe('hello');
  expect((await file.download({ validation: 'crc32c' }))[0].toString()).toBe('hello');
});

test('what is missing is told in words', async () => {
  const bucket = await newBucket(cloud);
  await expect(bucket.file('x').download()).rejects.toMatchObject({
    code: 404,
    message: `No such object: ${bucket.name}/x`,
  });
});

describe('compressed content', () => {
  const compressed = gzipSync('hello');
  const store = async (cacheControl?: string) => {
    const bucket = await newBucket(cloud);
    const metadata = {
      contentEncoding: 'gzip',
      contentType: 'text/plain',
      ...(cacheControl && { cacheControl }),
    };
    const file = await newFile(bucket, 'x', compressed, metadata);
    /** Past fetch(), which always says that it takes gzip. */
    const plain = () =>
      new Promise<IncomingMessage>((resolve) => {
        get(
          `http://${cloud.server.host}/b/${bucket.name}/o/x?alt=media`,
          { headers: { range: 'bytes=0-1' } },
          resolve,
        );
      });
    return { file, plain };
  };

  test('reaches a client that takes it as it is', async () => {
    const { file } = await store();
    expect((await file.download({ decompress: false }))[0].equals(compressed)).toBe(true);
    expect((await file.download())[0].toString()).toBe('hello');
  });

  test('is decompressed for a client that doesn’t, ranges or not', async () => {
    const answer = await (await store()).plain();
    expect(answer.statusCode).toBe(200);
    expect(answer.headers).not.toHaveProperty('content-encoding');
    expect(answer.headers).toMatchObject({ 'x-goog-stored-content-encoding': 'gzip', warning: /gunzipped/ });
    expect(await text(answer)).toBe('hello');
  });

  test('stays as it is where it must not be transformed', async () => {
    const answer = await (await store('no-transform')).plain();
    expect(answer).toMatchObject({ statusCode: 206, headers: { 'content-encoding': 'gzip' } });
    expect((await buffer(answer)).equals(compressed.subarray(0, 2))).toBe(true);
  });
});
