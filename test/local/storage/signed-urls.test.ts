import { generateKeyPairSync } from 'node:crypto';
import type { File, GetSignedUrlConfig, Storage } from '@google-cloud/storage';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { call, clientOf, metadataOf, newBucket, newFile, useStorage } from './fixture.ts';

const { publicKey, privateKey } = newKeys();
const email = 'signer@test-project.iam.gserviceaccount.com';
const cloud = useStorage({ signers: { [email]: publicKey } });
let signer: Storage;
let file: File;

beforeAll(() => {
  signer = clientOf(cloud.server, { credentials: { client_email: email, private_key: privateKey } });
});
beforeEach(async () => {
  const { name } = await newBucket(cloud);
  file = signer.bucket(name).file('dir/a b+ü!(1).txt');
});

/** In PEM. */
function newKeys(): { publicKey: string; privateKey: string } {
  return generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
}

async function urlOf(options: Partial<GetSignedUrlConfig> = {}, of = file): Promise<string> {
  const expires = Date.now() + 60_000;
  const [url] = await of.getSignedUrl({ version: 'v4', action: 'read', expires, ...options });
  return url;
}

async function use(url: string, init: RequestInit = {}) {
  const answer = await call(cloud, url, init);
  const text = await answer.text();
  return {
    status: answer.status,
    headers: answer.headers,
    text,
    code: /<Code>(\w+)<\/Code>/.exec(text)?.[1],
  };
}

describe('a signed URL', () => {
  test('reads an object', async () => {
    await file.save('hello', {
      resumable: false,
      metadata: { contentType: 'text/plain', metadata: { owner: 'Änn' } },
    });
    const { status, headers, text } = await use(await urlOf());
    expect({ status, text }).toEqual({ status: 200, text: 'hello' });
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-type': 'text/plain',
      etag: '"5d41402abc4b2a76b9719d911017c592"',
      'x-goog-hash': 'crc32c=mnG7TA==,md5=XUFAKrxLKna5cZ2REBfFkg==',
      'x-goog-meta-owner': Buffer.from('Änn').toString('latin1'),
    });
    const range = await use(await urlOf(), { headers: { range: 'bytes=1-2' } });
    expect(range).toMatchObject({ status: 206, text: 'el' });
  });

  test('names the file that it is saved as', async () => {
    await file.save('hello', { resumable: false });
    const { headers } = await use(await urlOf({ promptSaveAs: 'x.txt', responseType: 'text/css' }));
    expect(headers.get('content-disposition')).toBe('attachment; filename="x.txt"');
    expect(headers.get('content-type')).toBe('text/css');
  });

  test('writes an object, with what is signed', async () => {
    const extensionHeaders = {
      'x-goog-meta-owner': 'Ann',
      'x-goog-if-generation-match': '0',
      'cache-control': 'no-cache',
    };
    const url = await urlOf({ action: 'write', contentType: 'text/css', extensionHeaders });
    const init = {
      method: 'PUT',
      headers: { ...extensionHeaders, 'content-type': 'text/css' },
      body: 'hello',
    };
    const { status, headers } = await use(url, init);
    expect(status).toBe(200);
    const metadata = await metadataOf(file);
    expect(metadata).toMatchObject({
      contentType: 'text/css',
      cacheControl: 'no-cache',
      metadata: { owner: 'Ann' },
    });
    expect(headers.get('x-goog-generation')).toBe(metadata.generation);
    expect(await use(url, init)).toMatchObject({ status: 412, code: 'PreconditionFailed' });
  });

  test('deletes an object', async () => {
    await file.save('hello', { resumable: false });
    const url = await urlOf({ action: 'delete' });
    expect(await use(url, { method: 'DELETE' })).toMatchObject({ status: 204 });
    expect(await use(url, { method: 'DELETE' })).toMatchObject({ status: 404, code: 'NoSuchKey' });
  });

  test('may say how large an object can be', async () => {
    const headers = { 'x-goog-content-length-range': '2,4' };
    const url = await urlOf({ action: 'write', extensionHeaders: headers });
    const put = (body: string) => use(url, { method: 'PUT', headers, body });
    expect(await put('hello')).toMatchObject({ status: 400, code: 'EntityTooLarge' });
    expect(await put('h')).toMatchObject({ status: 400, code: 'EntityTooSmall' });
    expect(await file.exists()).toEqual([false]);
    expect(await put('hell')).toMatchObject({ status: 200 });
  });

  test('refuses content that isn’t what was announced', async () => {
    const url = await urlOf({ action: 'write', contentMd5: 'XUFAKrxLKna5cZ2REBfFkg==' });
    const headers = { 'content-md5': 'XUFAKrxLKna5cZ2REBfFkg==' };
    expect(await use(url, { method: 'PUT', headers, body: 'hellO' })).toMatchObject({ status: 400 });
    expect(await use(url, { method: 'PUT', headers, body: 'hello' })).toMatchObject({ status: 200 });
  });

  test('is for one generation, if that is signed', async () => {
    await file.save('hello', { resumable: false });
    const { generation = '' } = await metadataOf(file);
    const url = await urlOf({}, file.bucket.file(file.name, { generation }));
    expect(await use(url)).toMatchObject({ status: 200 });
    await file.save('other', { resumable: false });
    expect(await use(url)).toMatchObject({ status: 404, code: 'NoSuchKey' });
  });

  test('tells the head of an object', async () => {
    await file.save('hello', { resumable: false });
    // The client signs no HEAD of its own accord.
    const config = { method: 'HEAD', expires: Date.now() + 60_000, version: 'v4' } as const;
    await urlOf();
    const url = await (
      file as unknown as { signer: { getSignedUrl(config: object): Promise<string> } }
    ).signer.getSignedUrl(config);
    const { status, headers, text } = await use(url, { method: 'HEAD' });
    expect({ status, text, length: headers.get('content-length') }).toEqual({
      status: 200,
      text: '',
      length: '5',
    });
  });
});

describe('a signed URL is refused', () => {
  const forbidden = { status: 403, code: 'SignatureDoesNotMatch' };
  beforeEach(() => file.save('hello', { resumable: false }));

  test('for another method, object or parameter than was signed', async () => {
    const url = await urlOf();
    expect(await use(url, { method: 'DELETE' })).toMatchObject(forbidden);
    expect(await use(url.replace('/dir/', '/other/'))).toMatchObject(forbidden);
    expect(await use(`${url}&generation=1`)).toMatchObject(forbidden);
    expect(await use(url.replace('X-Goog-Expires=60', 'X-Goog-Expires=600'))).toMatchObject(forbidden);
    expect(await use(url.replace(/.$/, (digit) => (digit === '0' ? '1' : '0')))).toMatchObject(forbidden);
    expect(await file.exists()).toEqual([true]);
  });

  test('with another header than was signed, without it, or with one that wasn’t', async () => {
    const url = await urlOf({ action: 'write', contentType: 'text/plain' });
    const put = (headers: Record<string, string>) =>
      use(url, { method: 'PUT', headers, body: Buffer.from('x') });
    expect(await put({ 'content-type': 'text/html' })).toMatchObject(forbidden);
    expect(await put({})).toMatchObject({ status: 400, code: 'MalformedSecurityHeader' });
    expect(await put({ 'content-type': 'text/plain', 'x-goog-meta-a': '1' })).toMatchObject({
      status: 400,
      code: 'MalformedSecurityHeader',
    });
    expect(await put({ 'content-type': 'text/plain' })).toMatchObject({ status: 200 });
  });

  test('of somebody whose key is another or isn’t known', async () => {
    const { privateKey: anotherKey } = newKeys();
    for (const [who, key] of [
      [email, anotherKey],
      ['stranger@test-project.iam.gserviceaccount.com', privateKey],
    ]) {
      const other = clientOf(cloud.server, { credentials: { client_email: who, private_key: key } });
      expect(await use(await urlOf({}, other.bucket(file.bucket.name).file(file.name)))).toMatchObject(
        forbidden,
      );
    }
  });

  test('before and after its time', async () => {
    const url = await urlOf();
    const early = await urlOf({ accessibleAt: Date.now() + 3_600_000, expires: Date.now() + 7_200_000 });
    expect(await use(early)).toMatchObject({ status: 403, code: 'AccessDenied' });
    cloud.server.advance(50);
    expect(await use(url)).toMatchObject({ status: 200 });
    cloud.server.advance(20);
    expect(await use(url)).toMatchObject({ status: 400, code: 'ExpiredToken', text: /signature expired at/ });
    cloud.server.advance(-70);
  });

  test('of an earlier version of signatures', async () => {
    expect(await use(await urlOf({ version: 'v2' }))).toMatchObject({ status: 501, code: 'NotImplemented' });
  });

  test('with what isn’t here', async () => {
    const headers = { 'x-goog-acl': 'public-read' };
    const url = await urlOf({ action: 'write', extensionHeaders: headers });
    expect(await use(url, { method: 'PUT', headers, body: 'x' })).toMatchObject({
      status: 501,
      text: /x-goog-acl/,
    });
    const resumable = await urlOf({ action: 'resumable' });
    const start = { method: 'POST', headers: { 'x-goog-resumable': 'start' } };
    expect(await use(resumable, start)).toMatchObject({ status: 501, text: /POST Object/ });
    const query = await urlOf({ queryParams: { acl: '' } });
    expect(await use(query)).toMatchObject({ status: 501, text: /parameter acl/ });
  });
});

test('nothing is public', async () => {
  const client = clientOf(cloud.server);
  const unsigned = await newFile(client.bucket(file.bucket.name), 'x');
  expect(await unsigned.isPublic()).toEqual([false]);
  expect(await use(unsigned.publicUrl())).toMatchObject({ status: 403, code: 'AccessDenied' });
});

test('a bucket or an object that is missing is told to who may know', async () => {
  expect(await use(await urlOf())).toMatchObject({ status: 404, code: 'NoSuchKey' });
  const elsewhere = signer.bucket('no-such-bucket').file('x');
  expect(await use(await urlOf({}, elsewhere))).toMatchObject({ status: 404, code: 'NoSuchBucket' });
});
