import type { Bucket } from '@google-cloud/storage';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  call,
  conditionNotMet,
  contentOfSize,
  invalid,
  metadataOf,
  missing,
  newBucket,
  newFile,
  useStorage,
} from './fixture.ts';

const cloud = useStorage();
let bucket: Bucket;

beforeAll(async () => {
  bucket = await newBucket(cloud);
});

describe('a copy', () => {
  test.each([5, 700_000])('of %i bytes outlives what it was made of', async (size) => {
    const content = contentOfSize(size);
    const source = await newFile(bucket, `source-${size}`, content, {
      contentType: 'text/css',
      metadata: { a: '1' },
    });
    const other = await newBucket(cloud, { storageClass: 'NEARLINE' });
    const [copy] = await source.copy(other.file('copy'));
    await source.delete();
    expect((await copy.download())[0].equals(content)).toBe(true);
    expect(await metadataOf(copy)).toMatchObject({
      contentType: 'text/css',
      metadata: { a: '1' },
      metageneration: '1',
      storageClass: 'NEARLINE',
      md5Hash: (source.metadata as { md5Hash: string }).md5Hash,
    });
  });

  test('has the metadata that it is given, and none of the source’s then', async () => {
    const source = await newFile(bucket, 'described', 'hello', {
      cacheControl: 'no-cache',
      metadata: { a: '1' },
    });
    const [copy] = await source.copy('described-copy', {
      contentType: 'text/css',
      metadata: { b: '2' },
    } as never);
    const { contentType, cacheControl, metadata } = await metadataOf(copy);
    expect({ contentType, cacheControl, metadata }).toEqual({
      contentType: 'text/css',
      metadata: { b: '2' },
    });
  });

  test('onto itself makes another generation, with the content that was there', async () => {
    const content = contentOfSize(700_000);
    const file = await newFile(bucket, 'itself', content);
    const { generation } = await metadataOf(file);
    await file.copy(file);
    expect((await metadataOf(file)).generation).not.toBe(generation);
    expect((await file.download())[0].equals(content)).toBe(true);
  });

  test('is made under preconditions of either side', async () => {
    const source = await newFile(bucket, 'conditional');
    await expect(source.copy(source, { preconditionOpts: { ifGenerationMatch: 0 } })).rejects.toEqual(
      conditionNotMet,
    );
    const path = `/storage/v1/b/${bucket.name}/o/conditional/copyTo/b/${bucket.name}/o/target`;
    const post = async (query: string) => (await call(cloud, path + query, { method: 'POST' })).status;
    expect(await post('?ifSourceMetagenerationMatch=2')).toBe(412);
    expect(await post('?ifSourceMetagenerationMatch=1&ifGenerationMatch=0')).toBe(200);
    expect(await post('?ifSourceMetagenerationMatch=1&ifGenerationMatch=0')).toBe(412);
    expect(await post('?sourceGeneration=1')).toBe(404);
  });

  test('needs its source and its bucket', async () => {
    const source = await newFile(bucket, 'exists');
    await expect(bucket.file('missing').copy('x')).rejects.toEqual(missing(/No such object/));
    await expect(source.copy(cloud.client.bucket('no-such-bucket'))).rejects.toEqual(
      missing(/bucket does not exist/),
    );
  });

  test('onto itself changes the storage class', async () => {
    const file = await newFile(bucket, 'colder');
    await file.setStorageClass('coldline');
    expect((await metadataOf(file)).storageClass).toBe('COLDLINE');
  });

  test('and a deletion are a move', async () => {
    const source = await newFile(bucket, 'from', 'moved');
    await source.move('to');
    expect(await source.exists()).toEqual([false]);
    expect((await bucket.file('to').download())[0].toString()).toBe('moved');
  });
});

describe('a composed object', () => {
  test('has the content of its components, one after the other', async () => {
    const parts = [contentOfSize(300_000), Buffer.from('middle'), contentOfSize(10)];
    const sources = await Promise.all(parts.map((content, n) => newFile(bucket, `part-${n}`, content)));
    const [composed] = await bucket.combine(sources, bucket.file('composed.txt'));
    expect((await composed.download())[0].equals(Buffer.concat(parts))).toBe(true);
    const metadata = await metadataOf(composed);
    expect(metadata).toMatchObject({ componentCount: 3, size: '300016', contentType: 'text/plain' });
    expect(Object.keys(metadata)).not.toContain('md5Hash');
    const [again] = await bucket.combine([composed, ...sources], bucket.file('again'));
    expect(await metadataOf(again)).toMatchObject({ componentCount: 6, size: '600032' });
  });

  test('can be appended to itself', async () => {
    const log = await newFile(bucket, 'log', 'one,');
    const line = await newFile(bucket, 'line', 'two');
    await bucket.combine([log, line], log);
    expect((await log.download())[0].toString()).toBe('one,two');
  });

  test('is made under preconditions, of components that are there', async () => {
    const source = await newFile(bucket, 'component');
    const target = await newFile(bucket, 'target-of-compose');
    await expect(bucket.combine([source], target, { ifGenerationMatch: 0 })).rejects.toEqual(conditionNotMet);
    await expect(bucket.combine(['missing'], 'x')).rejects.toEqual(missing(/No such object/));
    await expect(bucket.combine(Array(33).fill(source), 'x')).rejects.toEqual(invalid(/exceeds the maximum/));
    const post = async (sourceObjects: unknown) => {
      const path = `/storage/v1/b/${bucket.name}/o/x/compose`;
      return (await call(cloud, path, { method: 'POST', body: JSON.stringify({ sourceObjects }) })).status;
    };
    const condition = { objectPreconditions: { ifGenerationMatch: '1' } };
    expect(await post([{ name: 'component', ...condition }])).toBe(412);
    expect(await post([{ name: 'component', generation: '1' }])).toBe(404);
    expect(await post([])).toBe(400);
    expect(await bucket.file('x').exists()).toEqual([false]);
  });
});
