import { status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { codeOf, databaseName, useFirestore } from './fixture.ts';

const served = useFirestore();

describe('the size of a document', () => {
  // https://cloud.google.com/firestore/docs/storage-size: name 7 + 4 + 16, field 5, text + 1, document 32.
  const overhead = 7 + 4 + 16 + 5 + 1 + 32;
  const largest = 1_048_576 - overhead;

  test('may be 1 MiB by the documented formula, and not a byte more', async () => {
    const doc = served.firestore.doc('things/one');
    await doc.set({ text: 'x'.repeat(largest) });
    await expect(doc.set({ text: 'x'.repeat(largest + 1) })).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      message: expect.stringContaining('exceeds the maximum allowed size of 1,048,576 bytes'),
    });
    expect((await doc.get()).get('text')).toHaveLength(largest);
  });

  test('counts UTF-8 bytes, not characters', async () => {
    const doc = served.firestore.doc('things/one');
    expect(await codeOf(doc.set({ text: 'ü'.repeat(Math.floor(largest / 2) + 1) }))).toBe(
      status.INVALID_ARGUMENT,
    );
  });

  test('is checked where a document grows', async () => {
    const doc = served.firestore.doc('things/one');
    await doc.set({ text: 'x'.repeat(largest) });
    expect(await codeOf(doc.update({ more: 1 }))).toBe(status.INVALID_ARGUMENT);
  });
});

test('a commit of more than 10 MiB is refused as a whole', async () => {
  const batch = served.firestore.batch();
  for (let n = 0; n < 11; n++)
    batch.set(served.firestore.doc(`things/${n}`), { text: 'x'.repeat(1_000_000) });
  expect(await codeOf(batch.commit())).toBe(status.INVALID_ARGUMENT);
  expect((await served.firestore.collection('things').get()).size).toBe(0);
}, 20_000);

test.each([
  ['a document id of more than 1500 bytes', 'things', 'x'.repeat(1501)],
  ['a reserved document id', 'things', '__reserved__'],
  ['a reserved collection id', '__things__', 'one'],
  ['the document id .', 'things', '.'],
])('%s is refused', async (_what, collectionId, documentId) => {
  const created = served.calls.createDocument({
    parent: `${databaseName}/documents`,
    collectionId,
    documentId,
    document: { fields: {} },
  });
  expect(await codeOf(created)).toBe(status.INVALID_ARGUMENT);
});

test('a document id of 1500 bytes is accepted', async () => {
  expect(await codeOf(served.firestore.doc(`things/${'x'.repeat(1500)}`).set({}))).toBeUndefined();
});

test.each([
  ['a reserved field name', { fields: { __name__: { integerValue: 1 } } }],
  ['an empty field name', { fields: { '': { integerValue: 1 } } }],
  ['an array in an array', { fields: { list: { arrayValue: { values: [{ arrayValue: {} }] } } } }],
])('%s is refused', async (_what, document) => {
  const written = served.calls.updateDocument({
    document: { name: `${databaseName}/documents/things/one`, ...document },
  });
  expect(await codeOf(written)).toBe(status.INVALID_ARGUMENT);
});

test('maps may be 20 levels deep, and not one more', async () => {
  const nested = (levels: number): object => (levels === 0 ? {} : { in: nested(levels - 1) });
  const doc = served.firestore.doc('things/one');
  expect(await codeOf(doc.set(nested(20)))).toBeUndefined();
  expect(await codeOf(doc.set(nested(21)))).toBe(status.INVALID_ARGUMENT);
});

test('a document of another database than the request’s is refused', async () => {
  const written = served.calls.commit({
    database: databaseName,
    writes: [{ update: { name: 'projects/test/databases/other/documents/things/one' } }],
  });
  expect(await codeOf(written)).toBe(status.INVALID_ARGUMENT);
});

describe('what is not served', () => {
  test('answers UNIMPLEMENTED: listening', async () => {
    const stream = served.calls.listen();
    const failed = new Promise<{ code?: number }>((resolve) => stream.once('error', resolve));
    stream.write({ database: databaseName });
    expect((await failed).code).toBe(status.UNIMPLEMENTED);
  });

  test('answers UNIMPLEMENTED: partitions, explanations and vector search', async () => {
    const things = served.firestore.collection('things');
    const partitions = served.calls.partitionQuery({
      parent: `${databaseName}/documents`,
      partitionCount: 2,
    });
    expect(await codeOf(partitions)).toBe(status.UNIMPLEMENTED);
    expect(await codeOf(things.explain())).toBe(status.UNIMPLEMENTED);
    const nearest = things.findNearest({
      vectorField: 'v',
      queryVector: [1],
      limit: 1,
      distanceMeasure: 'EUCLIDEAN',
    });
    expect(await codeOf(nearest.get())).toBe(status.UNIMPLEMENTED);
  });
});
