import type { Bucket } from '@google-cloud/storage';
import { beforeAll, expect, test } from 'vitest';
import { call, invalid, newBucket, newFile, unsupported, useStorage } from './fixture.ts';

const cloud = useStorage();
/** U+FF5E comes before U+1F600 by UTF-8 bytes, and after it by UTF-16 units. */
const names = ['a/1', 'a/2', 'a/', 'b', 'a/c/1', 'a/c/2', 'Z', '～', '😀', 'é'];
const sorted = ['Z', 'a/', 'a/1', 'a/2', 'a/c/1', 'a/c/2', 'b', 'é', '～', '😀'];
let bucket: Bucket;

beforeAll(async () => {
  bucket = await newBucket(cloud);
  for (const name of names) await newFile(bucket, name);
});

async function list(options: object) {
  const [files, next, answer] = await bucket.getFiles({ autoPaginate: false, ...options });
  const { prefixes } = answer as { prefixes?: string[] };
  return { names: files.map(({ name }) => name), next, ...(prefixes && { prefixes }) };
}

test('objects are listed by the UTF-8 bytes of their names', async () => {
  expect((await list({})).names).toEqual(sorted);
});

test.each([1, 3, 9, 10])('pages of %i show each object once', async (maxResults) => {
  const [files] = await bucket.getFiles({ maxResults });
  expect(files).toHaveLength(maxResults);
  const found: string[] = [];
  for (let query: object | null = { maxResults }; query; ) {
    const page = await list(query);
    expect(page.names.length).toBeLessThanOrEqual(maxResults);
    found.push(...page.names);
    query = page.next as object | null;
  }
  expect(found).toEqual(sorted);
});

test.each([
  [{ prefix: 'a/' }, { names: ['a/', 'a/1', 'a/2', 'a/c/1', 'a/c/2'] }],
  [{ prefix: 'nothing' }, { names: [] }],
  [{ delimiter: '/' }, { names: ['Z', 'b', 'é', '～', '😀'], prefixes: ['a/'] }],
  [
    { delimiter: '/', prefix: 'a/' },
    { names: ['a/', 'a/1', 'a/2'], prefixes: ['a/c/'] },
  ],
  [
    { delimiter: '/', includeTrailingDelimiter: true },
    { names: ['Z', 'a/', 'b', 'é', '～', '😀'], prefixes: ['a/'] },
  ],
  [{ startOffset: 'a/2', endOffset: 'b' }, { names: ['a/2', 'a/c/1', 'a/c/2'] }],
  [{ startOffset: 'b', endOffset: '' }, { names: ['b', 'é', '～', '😀'] }],
  [
    { startOffset: 'a/c/', endOffset: 'c', delimiter: '/' },
    { names: ['b'], prefixes: ['a/'] },
  ],
])('%j finds %j', async (options, expected) => {
  const { next: _, ...found } = await list(options);
  expect(found).toEqual(expected);
});

test('a page may end with a prefix, which the next one doesn’t repeat', async () => {
  const first = await list({ delimiter: '/', maxResults: 2 });
  expect(first).toMatchObject({ names: ['Z'], prefixes: ['a/'] });
  const second = await list(first.next as object);
  expect(second).toMatchObject({ names: ['b', 'é'] });
  expect(second).not.toHaveProperty('prefixes');
});

test('objects that come and go between pages don’t shift the others', async () => {
  const changing = await newBucket(cloud);
  for (const name of ['b', 'c', 'd']) await newFile(changing, name);
  const [, next] = await changing.getFiles({ maxResults: 2, autoPaginate: false });
  await newFile(changing, 'a');
  await changing.file('c').delete();
  const [files] = await changing.getFiles(next as object);
  expect(files.map(({ name }) => name)).toEqual(['d']);
});

test('what cannot be read or isn’t here is refused', async () => {
  await expect(list({ pageToken: '%' })).rejects.toEqual(invalid('Invalid page token.'));
  await expect(list({ maxResults: -1 })).rejects.toEqual(invalid(/maxResults/));
  await expect(list({ matchGlob: '*' })).rejects.toEqual(unsupported(/parameter matchGlob/));
  expect((await call(cloud, `/storage/v1/b/${bucket.name}/o?softDeleted=true`)).status).toBe(501);
});

test('all objects can be deleted at once', async () => {
  const filled = await newBucket(cloud);
  for (const name of ['a/1', 'a/2', 'b']) await newFile(filled, name);
  await filled.deleteFiles({ prefix: 'a/' });
  expect((await filled.getFiles())[0].map(({ name }) => name)).toEqual(['b']);
});
