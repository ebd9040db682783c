import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  call,
  contentOfSize,
  invalid,
  metadataOf,
  newBucket,
  save,
  unsupported,
  useStorage,
} from './fixture.ts';

const cloud = useStorage();

describe.each([
  ['at once', false],
  ['resumably', true],
])('an object uploaded %s', (_, resumable) => {
  test.each([0, 5, 262_144, 1_000_001])('has the content that was sent: %i bytes', async (size) => {
    const file = (await newBucket(cloud)).file('dir/naïve name?#%.bin');
    const content = contentOfSize(size);
    await file.save(content, { resumable });
    expect((await file.download())[0].equals(content)).toBe(true);
    expect(await metadataOf(file)).toMatchObject({
      kind: 'storage#object',
      name: 'dir/naïve name?#%.bin',
      size: String(size),
      md5Hash: createHash('md5').update(content).digest('base64'),
      metageneration: '1',
      storageClass: 'STANDARD',
    });
  });

  test('has the metadata that was sent', async () => {
    const file = (await newBucket(cloud)).file('page');
    const metadata = {
      contentType: 'text/plain',
      cacheControl: 'no-cache',
      contentDisposition: 'attachment',
      contentLanguage: 'de',
      storageClass: 'NEARLINE',
      customTime: '2026-01-02T03:04:05.000Z',
      metadata: { owner: 'Ann' },
    };
    await save(file, 'hello', resumable, metadata);
    expect(await metadataOf(file)).toMatchObject(metadata);
  });

  test('is refused where its content isn’t what was announced', async () => {
    const file = (await newBucket(cloud)).file('x');
    const announced = (metadata: object) => save(file, 'hello', resumable, metadata);
    await expect(announced({ crc32c: 'AAAAAA==' })).rejects.toThrow(
      /Provided CRC32C \\?"AAAAAA==\\?" doesn't match calculated CRC32C \\?"mnG7TA==\\?"/,
    );
    await expect(announced({ md5Hash: 'AAAA' })).rejects.toThrow(/Provided MD5 hash/);
    expect(await file.exists()).toEqual([false]);
    await announced({ crc32c: 'mnG7TA==', md5Hash: 'XUFAKrxLKna5cZ2REBfFkg==' });
    expect(await file.exists()).toEqual([true]);
  });

  test('needs a bucket', async () => {
    const file = cloud.client.bucket('no-such-bucket').file('x');
    await expect(file.save('hello', { resumable })).rejects.toThrow(/specified bucket does not exist/);
  });

  test('is refused with fields that aren’t supported', async () => {
    const file = (await newBucket(cloud)).file('x');
    await expect(save(file, 'hello', resumable, { temporaryHold: true })).rejects.toThrow(
      /the field temporaryHold of an object is not implemented/,
    );
  });
});

test('a content type is found by the client, or is that of bytes', async () => {
  const bucket = await newBucket(cloud);
  await bucket.file('a.json').save('{}', { resumable: false });
  await bucket.file('b').save('{}', { resumable: false });
  expect((await metadataOf(bucket.file('a.json'))).contentType).toBe('application/json');
  expect((await metadataOf(bucket.file('b'))).contentType).toBe('application/octet-stream');
});

test('content is compressed where the client is asked to', async () => {
  const file = (await newBucket(cloud)).file('page.txt');
  await file.save('hello '.repeat(1000), { gzip: true, resumable: false });
  const { contentEncoding, size } = await metadataOf(file);
  expect(contentEncoding).toBe('gzip');
  expect(Number(size)).toBeLessThan(1000);
  expect((await file.download())[0].toString()).toBe('hello '.repeat(1000));
});

test.each([
  ['x'.repeat(1025), /maximum object length is 1024/],
  ['ü'.repeat(513), /maximum object length is 1024/],
  ['a\nb', /Disallowed unicode characters/],
  ['a\rb', /Disallowed unicode characters/],
  ['.', /Invalid object name/],
  ['..', /Invalid object name/],
  ['.well-known/acme-challenge/x', /Invalid object name/],
])('an object cannot be named %j', async (name, message) => {
  const bucket = await newBucket(cloud);
  await expect(bucket.file(name).save('hello', { resumable: false })).rejects.toEqual(invalid(message));
});

test('an object can have a name of 1024 bytes', async () => {
  const file = (await newBucket(cloud)).file('ü'.repeat(512));
  await file.save('hello', { resumable: false });
  expect((await file.download())[0].toString()).toBe('hello');
});

test('a media upload takes its content type from the request, and its checksums', async () => {
  const { name } = await newBucket(cloud);
  const path = `/upload/storage/v1/b/${name}/o?uploadType=media&name=x`;
  const headers = {
    'content-type': 'text/css',
    'x-goog-hash': 'crc32c=mnG7TA==,md5=XUFAKrxLKna5cZ2REBfFkg==',
  };
  const answer = await call(cloud, path, { method: 'POST', headers, body: 'hello' });
  expect(await answer.json()).toMatchObject({ name: 'x', contentType: 'text/css', size: '5' });
  const refused = await call(cloud, path, { method: 'POST', headers, body: 'hellO' });
  expect(refused.status).toBe(400);
});

test.each([
  ['no boundary', 'multipart/related', ''],
  ['no end', 'multipart/related; boundary=b', '--b\r\n\r\n{}\r\n--b\r\n\r\nhello'],
  ['no JSON', 'multipart/related; boundary=b', '--b\r\n\r\nhello\r\n--b\r\n\r\nhello\r\n--b--'],
])('a multipart body with %s is refused', async (_, type, body) => {
  const { name } = await newBucket(cloud);
  const path = `/upload/storage/v1/b/${name}/o?uploadType=multipart&name=x`;
  const answer = await call(cloud, path, { method: 'POST', headers: { 'content-type': type }, body });
  expect(answer.status).toBe(400);
});

test('a multipart body may have content that looks like its boundary', async () => {
  const bucket = await newBucket(cloud);
  const content = '\r\n--\r\n--b\r\r\n--c--\r\n';
  const body = `preamble\r\n--"b\r\ncontent-type: application/json\r\n\r\n{"name":"x"}\r\n--"b\r\n\r\n${content}\r\n--"b--\r\n`;
  const headers = { 'content-type': 'multipart/related; charset=utf-8; boundary="b' };
  const path = `/upload/storage/v1/b/${bucket.name}/o?uploadType=multipart`;
  expect((await call(cloud, path, { method: 'POST', headers, body })).status).toBe(200);
  expect((await bucket.file('x').download())[0].toString()).toBe(content);
});

test('what isn’t here is refused', async () => {
  const bucket = await newBucket(cloud);
  const file = bucket.file('x');
  await expect(file.save('hello', { resumable: false, public: true })).rejects.toEqual(
    unsupported(/parameter predefinedAcl of objects.insert/),
  );
  await expect(
    bucket.file('x', { encryptionKey: Buffer.alloc(32) }).save('hello', { resumable: false }),
  ).rejects.toEqual(unsupported(/header x-goog-encryption-key/));
  expect(await file.exists()).toEqual([false]);
});
