import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { ApiError } from '../../../local/http/api-error.ts';
import { ConnectionLost } from '../../../local/http/connection-lost.ts';
import { call, clientOf, contentOfSize, newBucket, newFile, useStorage } from './fixture.ts';

const cloud = useStorage();
const granule = 256 * 1024;

/** A session of its own. */
async function newSession(options = {}) {
  const file = (await newBucket(cloud)).file('x');
  const [uri] = await file.createResumableUpload(options);
  const put = async (range: string, body: Uint8Array<ArrayBuffer> | string = '', headers = {}) => {
    const answer = await call(cloud, uri, {
      method: 'PUT',
      headers: { 'content-range': range, ...headers },
      body,
    });
    const text = await answer.text();
    const { status } = answer;
    return {
      status,
      range: answer.headers.get('range'),
      text,
      object: status === 200 ? JSON.parse(text) : undefined,
    };
  };
  return { file, uri, put };
}

describe('the client', () => {
  test('uploads in chunks', async () => {
    const file = (await newBucket(cloud)).file('x');
    const content = contentOfSize(3 * granule + 5);
    const ranges: unknown[] = [];
    cloud.server.intercept = ({ phase, request: { upload_id } }) => {
      if (phase === 'before' && upload_id !== undefined) ranges.push(upload_id);
    };
    await file.save(content, { chunkSize: granule });
    expect(ranges.length).toBe(4);
    expect((await file.download())[0].equals(content)).toBe(true);
  });

  test('goes on where a lost connection left it', async () => {
    const { name } = await newBucket(cloud);
    const client = clientOf(cloud.server, { retryOptions: { maxRetries: 3, retryDelayMultiplier: 0 } });
    const file = client.bucket(name).file('x', { preconditionOpts: { ifGenerationMatch: 0 } });
    const content = contentOfSize(3 * granule);
    let requests = 0;
    cloud.server.intercept = ({ phase, request: { upload_id } }) => {
      if (phase === 'after' && upload_id !== undefined) requests += 1;
      if (phase === 'after' && requests === 2) throw new ConnectionLost();
    };
    await file.save(content, { chunkSize: granule });
    expect(requests).toBe(4);
    expect((await file.download())[0].equals(content)).toBe(true);
  });

  test('goes on in another process', async () => {
    const { file, uri, put } = await newSession();
    const content = contentOfSize(granule + 7);
    expect(await put(`bytes 0-${granule - 1}/*`, content.subarray(0, granule))).toMatchObject({
      status: 308,
    });
    const rest = content.subarray(granule);
    await new Promise((resolve, reject) => {
      const stream = file.createWriteStream({ uri, offset: granule, validation: false });
      stream.on('finish', resolve).on('error', reject).end(rest);
    });
    expect((await file.download())[0].equals(content)).toBe(true);
  });
});

test('a session tells how far it has come', async () => {
  const { put } = await newSession();
  expect(await put('bytes */*')).toMatchObject({ status: 308, range: null });
  const content = contentOfSize(2 * granule);
  expect(await put(`bytes 0-${2 * granule - 1}/*`, content)).toMatchObject({
    status: 308,
    range: 'bytes=0-524287',
  });
  expect(await put('bytes */*')).toMatchObject({ status: 308, range: 'bytes=0-524287' });
  expect(await put(`bytes */${granule}`)).toMatchObject({ status: 308, range: 'bytes=0-524287' });
  expect(await put(`bytes */${3 * granule}`)).toMatchObject({ status: 308, range: 'bytes=0-524287' });
});

test('a session ends with the request that has the last byte, or names the size that has come', async () => {
  const content = contentOfSize(granule + 1);
  const one = await newSession();
  expect((await one.put(`bytes 0-${granule}/${granule + 1}`, content)).object).toMatchObject({
    size: '262145',
  });
  const other = await newSession();
  await other.put(`bytes 0-${granule - 1}/*`, content.subarray(0, granule));
  expect((await other.put(`bytes */${granule}`)).object).toMatchObject({ size: '262144' });
  const empty = await newSession();
  expect((await empty.put('bytes */0')).object).toMatchObject({ size: '0' });
});

test('a session that has ended gives the object to whoever asks again', async () => {
  const { put, file } = await newSession();
  const { object } = await put('bytes 0-4/5', 'hello');
  expect((await put('bytes */*')).object).toEqual(object);
  expect((await put('bytes 0-4/5', 'HELLO')).object).toEqual(object);
  expect((await file.download())[0].toString()).toBe('hello');
});

test('bytes that have come already are passed over', async () => {
  const { file, put } = await newSession();
  const content = contentOfSize(2 * granule);
  await put(`bytes 0-${granule - 1}/*`, content.subarray(0, granule));
  const other = Buffer.concat([Buffer.alloc(100), content.subarray(granule)]);
  expect((await put(`bytes ${granule - 100}-${2 * granule - 1}/${2 * granule}`, other)).status).toBe(200);
  expect((await file.download())[0].equals(content)).toBe(true);
});

test('a request that doesn’t end the upload leaves a multiple of 256 KiB', async () => {
  const { put } = await newSession();
  const content = contentOfSize(granule + 100);
  expect(await put(`bytes 0-${granule + 99}/*`, content)).toMatchObject({
    status: 308,
    range: 'bytes=0-262143',
  });
});

test.each([
  ['too small', 'bytes 0-99/*', 100, 400, /equal or greater than 262144.*contained 100 bytes/],
  [
    'too far on',
    'bytes 262144-524287/*',
    granule,
    503,
    /upload offset is 262144 byte.*uploaded size of 0 byte/,
  ],
  ['longer than its range', 'bytes 0-9/10', 11, 400, /There were 11 byte.*should have been 10 byte/],
  ['longer than the whole', 'bytes 0-10/5', 11, 400, /more than the 5 announced/],
  ['without a range that can be read', 'bytes 0-', 11, 400, /Failed to parse Content-Range header/],
])('a request that is %s is refused', async (_, range, size, status, text) => {
  const { put } = await newSession();
  expect(await put(range, contentOfSize(size))).toMatchObject({ status, text: expect.stringMatching(text) });
});

test('a size that was announced binds', async () => {
  const { put } = await newSession({ metadata: { contentLength: 5 } });
  expect(await put('bytes 0-5/6', 'hello!')).toMatchObject({ status: 400, text: /differs from the 5/ });
  expect(await put('bytes 0-4/5', 'hello')).toMatchObject({ status: 200 });
});

test('a broken connection leaves what came before, in multiples of 256 KiB', async () => {
  const { put, content } = await breakOff();
  expect(await put(`bytes ${granule}-*/${content.length}`, content.subarray(granule))).toMatchObject({
    object: { size: String(content.length), md5Hash: md5Of(content) },
  });
});

test('what a broken connection left may be declared the whole', async () => {
  const { put, content } = await breakOff();
  expect(await put(`bytes */${granule}`)).toMatchObject({
    object: { size: String(granule), md5Hash: md5Of(content.subarray(0, granule)) },
  });
});

/** A session after a request that broke off beyond the first granule. */
async function breakOff() {
  const { uri, put } = await newSession();
  const content = contentOfSize(2 * granule);
  const headers = { 'content-range': `bytes 0-*/*`, 'content-length': content.length };
  const sending = request(uri, { method: 'PUT', headers });
  const broken = once(sending, 'error');
  sending.write(content.subarray(0, granule + 1000));
  while ((await put('bytes */*')).range === null) await setTimeout(5);
  sending.destroy();
  await broken;
  expect(await put('bytes */*')).toMatchObject({ status: 308, range: 'bytes=0-262143' });
  return { put, content };
}

function md5Of(content: Uint8Array): string {
  return createHash('md5').update(content).digest('base64');
}

test('a request that hangs gives way to the next', async () => {
  const { file, uri, put } = await newSession();
  const hanging = request(uri, {
    method: 'PUT',
    headers: { 'content-range': 'bytes 0-*/5', 'content-length': 5 },
  });
  const broken = once(hanging, 'error');
  hanging.write('he');
  await setTimeout(20);
  expect(await put('bytes 0-4/5', 'hello')).toMatchObject({ status: 200 });
  expect(await broken).toMatchObject([{ code: 'ECONNRESET' }]);
  expect((await file.download())[0].toString()).toBe('hello');
});

test('what has come already cannot be taken back', async () => {
  const { put } = await newSession();
  await put(`bytes 0-${granule - 1}/*`, contentOfSize(granule));
  expect(await put('bytes 0-4/5', 'hello')).toMatchObject({ status: 400, text: /more than the 5 announced/ });
});

test('checksums may come with the last request', async () => {
  const one = await newSession();
  const wrong = { 'x-goog-hash': 'crc32c=AAAAAA==' };
  expect(await one.put('bytes 0-4/5', 'hello', wrong)).toMatchObject({ status: 400, text: /doesn't match/ });
  expect(await one.put('bytes 0-4/5', 'hello')).toMatchObject({ status: 410 });
  expect(await one.file.exists()).toEqual([false]);
  const other = await newSession();
  expect(await other.put('bytes 0-4/5', 'hello', { 'x-goog-hash': 'crc32c=mnG7TA==' })).toMatchObject({
    status: 200,
  });
});

test('a session is over after a week, when it is cancelled, and unknown otherwise', async () => {
  const one = await newSession();
  cloud.server.advance(7 * 24 * 60 * 60 - 1);
  expect(await one.put('bytes */*')).toMatchObject({ status: 308 });
  cloud.server.advance(1);
  expect(await one.put('bytes */*')).toMatchObject({ status: 410 });
  const other = await newSession();
  expect((await call(cloud, other.uri, { method: 'DELETE' })).status).toBe(499);
  expect(await other.put('bytes 0-4/5', 'hello')).toMatchObject({ status: 410 });
  const unknown = await call(cloud, other.uri.replace(/upload_id=.*/, 'upload_id=x'), { method: 'PUT' });
  expect(unknown.status).toBe(404);
});

test('preconditions are checked when a session begins and when it ends', async () => {
  const bucket = await newBucket(cloud);
  const begin = () => bucket.file('x').createResumableUpload({ preconditionOpts: { ifGenerationMatch: 0 } });
  const [uri] = await begin();
  const file = await newFile(bucket, 'x', 'first');
  await expect(begin()).rejects.toMatchObject({ status: 412 });
  const answer = await call(cloud, uri, { method: 'PUT', body: 'second' });
  expect(answer.status).toBe(412);
  expect((await file.download())[0].toString()).toBe('first');
});

test('a request that is refused on demand changes nothing', async () => {
  const { put } = await newSession();
  cloud.server.intercept = ({ phase }) => {
    if (phase === 'before') throw new ApiError(503, 'backendError', 'not now');
  };
  expect(await put('bytes 0-4/5', 'hello')).toMatchObject({ status: 503 });
  cloud.server.intercept = undefined;
  expect(await put('bytes */*')).toMatchObject({ status: 308, range: null });
});
