import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { Storage } from '@google-cloud/storage';
import { afterEach, expect, test, vi } from 'vitest';
import { ApiError } from '../../../local/http/api-error.ts';
import { ConnectionLost } from '../../../local/http/connection-lost.ts';
import type { InterceptedCall } from '../../../local/http/interceptor.ts';
import { startStorage } from '../../../local/storage/index.ts';
import { clientOf, contentOfSize, metadataOf, newBucket, newFile, project, useStorage } from './fixture.ts';

const cloud = useStorage();

afterEach(() => {
  vi.unstubAllEnvs();
});

test('the client finds the server by STORAGE_EMULATOR_HOST, and needs no credentials', async () => {
  vi.stubEnv('STORAGE_EMULATOR_HOST', `http://${cloud.server.host}`);
  const client = new Storage({ projectId: project });
  const [bucket] = await client.createBucket('by-environment');
  for (const resumable of [false, true]) {
    await bucket.file('x').save('hello', { resumable });
    expect((await bucket.file('x').download())[0].toString()).toBe('hello');
  }
  expect((await client.getBuckets({ prefix: 'by-' }))[0]).toHaveLength(1);
});

test('a call is seen before it takes effect and after', async () => {
  const bucket = await newBucket(cloud);
  const seen: InterceptedCall[] = [];
  cloud.server.intercept = (call) => void seen.push(call);
  const file = await newFile(bucket, 'a/x');
  await file.setMetadata({ cacheControl: 'no-cache' });
  await file.download();
  expect(seen).toMatchObject([
    {
      method: 'objects.insert',
      phase: 'before',
      request: { bucket: bucket.name, name: 'a/x', uploadType: 'multipart' },
    },
    { method: 'objects.insert', phase: 'after', answer: { name: 'a/x' } },
    { method: 'objects.patch', phase: 'before', request: { object: 'a/x', cacheControl: 'no-cache' } },
    { method: 'objects.patch', phase: 'after', answer: { metageneration: '2' } },
    { method: 'objects.get', phase: 'before', request: { object: 'a/x', alt: 'media' } },
    { method: 'objects.get', phase: 'after' },
  ]);
});

test('what is refused on demand is refused in the service’s way, and changes nothing', async () => {
  const bucket = await newBucket(cloud);
  cloud.server.intercept = ({ method, phase }) => {
    if (method === 'objects.insert' && phase === 'before')
      throw new ApiError(429, 'rateLimitExceeded', 'slow down');
  };
  await expect(newFile(bucket, 'x')).rejects.toMatchObject({
    code: 429,
    errors: [{ reason: 'rateLimitExceeded' }],
  });
  expect(await bucket.file('x').exists()).toEqual([false]);
});

test('an answer that is lost leaves what was done', async () => {
  const bucket = await newBucket(cloud);
  cloud.server.intercept = ({ method, phase }) => {
    if (method === 'objects.insert' && phase === 'after') throw new ConnectionLost();
  };
  await expect(newFile(bucket, 'x')).rejects.toMatchObject({ code: 'ECONNRESET' });
  expect(await bucket.file('x').exists()).toEqual([true]);
});

test('the client tries again where that is safe', async () => {
  const { name } = await newBucket(cloud);
  const file = clientOf(cloud.server, { retryOptions: { retryDelayMultiplier: 0 } })
    .bucket(name)
    .file('x');
  let failures = 1;
  cloud.server.intercept = ({ phase }) => {
    if (phase === 'before' && failures-- > 0) throw new ApiError(503, 'backendError', 'not now');
  };
  await file.save('hello', { resumable: false, preconditionOpts: { ifGenerationMatch: 0 } });
  expect((await file.download())[0].toString()).toBe('hello');
});

test('an answer can be changed without changing what is known', async () => {
  const file = await newFile(await newBucket(cloud), 'x', 'hello', { metadata: { a: '1' } });
  cloud.server.intercept = ({ answer }) => {
    if (answer) Object.assign(answer['metadata'] as object, { a: '2' });
  };
  expect((await metadataOf(file)).metadata).toEqual({ a: '2' });
  cloud.server.intercept = undefined;
  expect((await metadataOf(file)).metadata).toEqual({ a: '1' });
});

test('files that contents were kept in go with their objects, all of them with the server', async () => {
  vi.stubEnv('TMPDIR', `${tmpdir()}/local-storage-test-${process.pid}`);
  mkdirSync(tmpdir());
  const server = await startStorage({ project, buckets: ['files'] });
  const bucket = clientOf(server).bucket('files');
  const filesOf = () => readdirSync(tmpdir()).flatMap((name) => readdirSync(`${tmpdir()}/${name}`));
  const file = await newFile(bucket, 'x', contentOfSize(300_000));
  await newFile(bucket, 'small', 'hello');
  expect(filesOf()).toHaveLength(1);
  await file.copy('y');
  await newFile(bucket, 'x', contentOfSize(400_000));
  await vi.waitFor(() => expect(filesOf()).toHaveLength(2));
  await expect(newFile(bucket, 'z', contentOfSize(300_000), { crc32c: 'AAAAAA==' })).rejects.toMatchObject({
    code: 400,
  });
  await file.delete();
  await vi.waitFor(() => expect(filesOf()).toHaveLength(1));
  const [uri] = await bucket.file('z').createResumableUpload();
  const headers = { 'content-range': `bytes 0-${512 * 1024 - 1}/*` };
  await fetch(uri, { method: 'PUT', headers, body: contentOfSize(512 * 1024) });
  expect(filesOf()).toHaveLength(2);
  await server.close();
  expect(readdirSync(tmpdir())).toEqual([]);
  rmSync(tmpdir(), { recursive: true });
});
