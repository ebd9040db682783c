import { describe, expect, test } from 'vitest';
import {
  call,
  conditionNotMet,
  invalid,
  metadataOf,
  missing,
  newBucket,
  newFile,
  start,
  unsupported,
  useStorage,
} from './fixture.ts';

const cloud = useStorage({ now: () => start });

async function versionOf(...[bucket, name]: Parameters<typeof newFile>) {
  const file = await newFile(bucket, name);
  const { generation } = await metadataOf(file);
  return { file, generation: Number(generation) };
}

test('an object tells where it is and when it was made', async () => {
  const bucket = await newBucket(cloud);
  const file = await newFile(bucket, 'a/b', 'hello', { contentType: 'text/plain' });
  const { generation } = await metadataOf(file);
  const url = `http://${cloud.server.host}`;
  const path = `storage/v1/b/${bucket.name}/o/a%2Fb`;
  expect(await metadataOf(file)).toEqual({
    kind: 'storage#object',
    id: `${bucket.name}/a/b/${generation}`,
    selfLink: `${url}/${path}`,
    mediaLink: `${url}/download/${path}?generation=${generation}&alt=media`,
    name: 'a/b',
    bucket: bucket.name,
    generation: expect.stringMatching(/^\d{16}$/),
    metageneration: '1',
    contentType: 'text/plain',
    storageClass: 'STANDARD',
    size: '5',
    md5Hash: 'XUFAKrxLKna5cZ2REBfFkg==',
    crc32c: 'mnG7TA==',
    etag: expect.stringMatching(/EAE=$/),
    timeCreated: start.toISOString(),
    updated: start.toISOString(),
    timeStorageClassUpdated: start.toISOString(),
    timeFinalized: start.toISOString(),
  });
});

test('an overwrite makes a later generation, and the earlier one is gone', async () => {
  const bucket = await newBucket(cloud);
  const first = await versionOf(bucket, 'x');
  const second = await versionOf(bucket, 'x');
  expect(second.generation).toBeGreaterThan(first.generation);
  const earlier = bucket.file('x', { generation: first.generation });
  await expect(earlier.getMetadata()).rejects.toEqual(missing(`No such object: ${bucket.name}/x`));
  await expect(earlier.delete()).rejects.toEqual(missing(/No such object/));
  await bucket.file('x', { generation: second.generation }).getMetadata();
});

describe('a write', () => {
  test('that expects no object is refused where there is one', async () => {
    const bucket = await newBucket(cloud);
    const create = () =>
      bucket.file('x').save('hello', { resumable: false, preconditionOpts: { ifGenerationMatch: 0 } });
    await create();
    await expect(create()).rejects.toEqual(conditionNotMet);
  });

  test('happens once of ten that expect the same generation', async () => {
    const bucket = await newBucket(cloud);
    const { generation } = await versionOf(bucket, 'x');
    const options = { resumable: false, preconditionOpts: { ifGenerationMatch: generation } };
    const writes = Array.from({ length: 10 }, (_, n) => bucket.file('x').save(String(n), options));
    const results = await Promise.allSettled(writes);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test.each([
    ['ifMetagenerationMatch', 2, 1],
    ['ifMetagenerationNotMatch', 1, 2],
  ])('is refused by %s=%i, and let through by %i', async (name, refused, allowed) => {
    const file = await newFile(await newBucket(cloud), 'x');
    const save = (value: number) =>
      file.save('hello', { resumable: false, preconditionOpts: { [name]: value } });
    await expect(save(refused)).rejects.toEqual(conditionNotMet);
    await save(allowed);
  });

  test('may expect any object, or any but one', async () => {
    const bucket = await newBucket(cloud);
    const save = (ifGenerationNotMatch: number) =>
      bucket.file('x').save('hello', { resumable: false, preconditionOpts: { ifGenerationNotMatch } });
    await expect(save(0)).rejects.toEqual(conditionNotMet);
    const { generation } = await versionOf(bucket, 'x');
    await save(0);
    await save(generation);
    const { generation: latest } = await versionOf(bucket, 'x');
    await expect(save(latest)).rejects.toEqual(conditionNotMet);
  });

  test('with a condition that is no number is refused', async () => {
    const file = await newFile(await newBucket(cloud), 'x');
    await expect(file.delete({ ifGenerationMatch: 'x' })).rejects.toEqual(
      invalid("Invalid long value: 'x'."),
    );
  });
});

describe('a read', () => {
  test('is not answered where the client has the object already', async () => {
    const bucket = await newBucket(cloud);
    const { generation } = await versionOf(bucket, 'x');
    const path = `/storage/v1/b/${bucket.name}/o/x?`;
    const get = async (query: string) => (await call(cloud, path + query)).status;
    expect(await get(`ifGenerationNotMatch=${generation}`)).toBe(304);
    expect(await get(`ifGenerationNotMatch=${generation - 1}`)).toBe(200);
    expect(await get(`alt=media&ifMetagenerationNotMatch=1`)).toBe(304);
    expect(await get(`ifGenerationMatch=${generation - 1}`)).toBe(412);
    expect(await get('ifMetagenerationMatch=1')).toBe(200);
  });
});

describe('a change of metadata', () => {
  test('merges what it names, and makes a later metageneration of the same generation', async () => {
    const bucket = await newBucket(cloud);
    const file = await newFile(bucket, 'x', 'hello', {
      contentType: 'text/plain',
      metadata: { a: '1', b: '2' },
    });
    const before = await metadataOf(file);
    await file.setMetadata({ cacheControl: 'no-cache', metadata: { a: null, c: '3' } });
    const after = await metadataOf(file);
    expect(after).toMatchObject({
      contentType: 'text/plain',
      cacheControl: 'no-cache',
      metadata: { b: '2', c: '3' },
      generation: before.generation,
      metageneration: '2',
    });
    expect(after.metadata).not.toHaveProperty('a');
    expect(after.etag).not.toBe(before.etag);
    await file.setMetadata({ contentType: null, metadata: null } as never);
    expect(Object.keys(await metadataOf(file))).not.toContain('contentType');
    expect(Object.keys(await metadataOf(file))).not.toContain('metadata');
  });

  test('replaces all with the other verb', async () => {
    const bucket = await newBucket(cloud);
    const file = await newFile(bucket, 'x', 'hello', { cacheControl: 'no-cache', metadata: { a: '1' } });
    const body = JSON.stringify({ contentType: 'text/css' });
    await call(cloud, `/storage/v1/b/${bucket.name}/o/x`, { method: 'PUT', body });
    const { contentType, cacheControl, metadata } = await metadataOf(file);
    expect({ contentType, cacheControl, metadata }).toEqual({ contentType: 'text/css' });
  });

  test('is refused where somebody else’s came first', async () => {
    const file = await newFile(await newBucket(cloud), 'x');
    await file.setMetadata({ metadata: { by: 'me' } }, { ifMetagenerationMatch: 1 });
    await expect(file.setMetadata({ metadata: { by: 'you' } }, { ifMetagenerationMatch: 1 })).rejects.toEqual(
      conditionNotMet,
    );
    expect((await metadataOf(file)).metadata).toEqual({ by: 'me' });
  });

  test.each([
    [{ metadata: { x: 'y'.repeat(8192) } }, invalid(/too large/)],
    [{ customTime: 'yesterday' }, invalid(/customTime/)],
    [{ contentType: 5 }, invalid(/contentType/)],
    [{ storageClass: 'NEARLINE' }, invalid(/by rewriting/)],
    [{ acl: [] }, unsupported(/field acl/)],
    [{ eventBasedHold: true }, unsupported(/field eventBasedHold/)],
  ])('to %j is refused', async (metadata, refusal) => {
    const file = await newFile(await newBucket(cloud), 'x');
    await expect(file.setMetadata(metadata as never)).rejects.toEqual(refusal);
    expect((await metadataOf(file)).metageneration).toBe('1');
  });

  test('does not take a custom time back', async () => {
    const file = await newFile(await newBucket(cloud), 'x');
    await file.setMetadata({ customTime: '2026-01-01T00:00:00Z' });
    await file.setMetadata({ customTime: '2026-01-01T01:00:00+00:30' });
    expect((await metadataOf(file)).customTime).toBe('2026-01-01T00:30:00.000Z');
    await expect(file.setMetadata({ customTime: '2026-01-01T00:00:00Z' })).rejects.toEqual(
      invalid(/earlier/),
    );
    await expect(file.setMetadata({ customTime: null } as never)).rejects.toEqual(invalid(/removed/));
  });
});

describe('a deletion', () => {
  test('takes the object, and there is nothing to delete afterwards', async () => {
    const file = await newFile(await newBucket(cloud), 'x');
    await file.delete();
    expect(await file.exists()).toEqual([false]);
    await expect(file.delete()).rejects.toEqual(missing(/No such object/));
    await file.delete({ ignoreNotFound: true });
  });

  test('is refused where the object is another one by now', async () => {
    const bucket = await newBucket(cloud);
    const { generation } = await versionOf(bucket, 'x');
    const { file } = await versionOf(bucket, 'x');
    await expect(file.delete({ ifGenerationMatch: generation })).rejects.toEqual(conditionNotMet);
    expect(await file.exists()).toEqual([true]);
  });
});
