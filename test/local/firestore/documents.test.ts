import { FieldPath, FieldValue, GeoPoint, Timestamp } from '@google-cloud/firestore';
import { status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { GrpcError } from '../../../local/grpc/server.ts';
import { codeOf, databaseName, useFirestore } from './fixture.ts';

const served = useFirestore();
const doc = (path = 'things/one') => served.firestore.doc(path);

describe('documents', () => {
  test('come back as they were written, whatever the types', async () => {
    const data = {
      nothing: null,
      yes: true,
      integer: 42,
      double: 0.5,
      notANumber: Number.NaN,
      text: 'Grüße 🐄',
      bytes: Buffer.from([0, 1, 255]),
      time: new Timestamp(1_700_000_000, 123_456_000),
      place: new GeoPoint(48.1, 11.5),
      reference: doc('things/other'),
      list: [1, 'two', { three: [3] }],
      map: { deep: { deeper: { empty: {}, none: [] } } },
      vector: FieldValue.vector([1, 2.5]),
    };
    await doc().set(data);
    expect((await doc().get()).data()).toEqual(data);
  });

  test('keep timestamps to the microsecond', async () => {
    await doc().set({ time: new Timestamp(1, 999_999_999) });
    expect((await doc().get()).get('time')).toEqual(new Timestamp(1, 999_999_000));
  });

  test('do not keep the order in which keys were written', async () => {
    await doc().set({ b: 1, a: { d: 1, c: 1 } });
    await doc().update({ 'a.b': 1 });
    expect(JSON.stringify((await doc().get()).data())).toBe('{"a":{"b":1,"c":1,"d":1},"b":1}');
  });

  test('have a create time that stays and an update time that rises, both with microseconds', async () => {
    const first = await doc().create({ n: 0 });
    const updateTimes = [first.writeTime];
    for (let n = 1; n <= 30; n++) updateTimes.push((await doc().set({ n })).writeTime);
    const snapshot = await doc().get();
    expect(snapshot.createTime).toEqual(first.writeTime);
    expect(snapshot.updateTime).toEqual(updateTimes.at(-1));
    const micros = updateTimes.map((time) => time.seconds * 1e6 + time.nanoseconds / 1000);
    expect(micros).toEqual([...new Set(micros)].sort((a, b) => a - b));
    expect(micros.some((time) => time % 1000 !== 0)).toBe(true);
    expect(updateTimes.every((time) => time.nanoseconds % 1000 === 0)).toBe(true);
  });

  test('keep their update time through a write that changes nothing', async () => {
    const first = await doc().set({ n: 1, list: ['a'] });
    const second = await doc().set({ n: 1, list: ['a'] });
    const third = await doc().update({ list: FieldValue.arrayUnion('a') });
    expect(second.writeTime).toEqual(first.writeTime);
    expect(third.writeTime).toEqual(first.writeTime);
    const other = await doc().set({ n: 2, list: ['a'] });
    expect(other.writeTime.valueOf() > first.writeTime.valueOf()).toBe(true);
  });

  test('tell an integer from a double of the same value', async () => {
    const name = `${databaseName}/documents/things/one`;
    const first = await served.calls.updateDocument({
      document: { name, fields: { n: { integerValue: 1 } } },
    });
    const second = await served.calls.updateDocument({
      document: { name, fields: { n: { doubleValue: 1 } } },
    });
    expect(second[0].updateTime).not.toEqual(first[0].updateTime);
  });

  test('can be read many at once, each found or missing', async () => {
    await doc('things/a').set({ v: 1, w: 2 });
    const [a, b] = await served.firestore.getAll(doc('things/a'), doc('things/b'), { fieldMask: ['v'] });
    expect(a?.data()).toEqual({ v: 1 });
    expect(b?.exists).toBe(false);
  });

  test('are listed with the missing parents of subcollections', async () => {
    await doc('things/a').set({});
    await doc('things/b/parts/c').set({});
    const listed = await served.firestore.collection('things').listDocuments();
    expect(listed.map(({ id }) => id)).toEqual(['a', 'b']);
    const collections = await doc('things/b').listCollections();
    expect(collections.map(({ path }) => path)).toEqual(['things/b/parts']);
    expect((await served.firestore.listCollections()).map(({ id }) => id)).toEqual(['things']);
  });

  test('are listed page by page', async () => {
    for (const id of ['a', 'b', 'c']) await doc(`things/${id}`).set({});
    const request = { parent: `${databaseName}/documents`, collectionId: 'things', pageSize: 2 };
    const [page, , response] = await served.calls.listDocuments(request, { autoPaginate: false });
    expect(page.map(({ name }) => name?.at(-1))).toEqual(['a', 'b']);
    const pageToken = response.nextPageToken ?? '';
    const [rest] = await served.calls.listDocuments({ ...request, pageToken }, { autoPaginate: false });
    expect(rest.map(({ name }) => name?.at(-1))).toEqual(['c']);
  });

  test('are of one database only', async () => {
    await served.calls.createDocument({
      parent: 'projects/test/databases/other/documents',
      collectionId: 'things',
      documentId: 'one',
      document: { fields: {} },
    });
    expect((await doc().get()).exists).toBe(false);
    expect((await served.firestore.collection('things').get()).size).toBe(0);
  });

  test('can be read as they were', async () => {
    const { writeTime } = await doc().set({ n: 1 });
    await doc().set({ n: 2 });
    await doc().delete();
    const [past] = await served.firestore.runTransaction((transaction) => transaction.getAll(doc()), {
      readOnly: true,
      readTime: writeTime,
    });
    expect(past?.data()).toEqual({ n: 1 });
    expect((await doc().get()).exists).toBe(false);
  });

  test('cannot be read as they will be', async () => {
    const readTime = Timestamp.fromMillis(Date.now() + 3_600_000);
    const read = served.firestore.runTransaction((transaction) => transaction.get(doc()), {
      readOnly: true,
      readTime,
    });
    expect(await codeOf(read)).toBe(status.INVALID_ARGUMENT);
  });
});

describe('an update', () => {
  test('changes the fields it names, nested and quoted ones too', async () => {
    await doc().set({ keep: 1, map: { a: 1, b: 2 }, 'dotted.name': 1, gone: 1 });
    await doc().update({ 'map.b': 3, 'map.c.d': 4, gone: FieldValue.delete() });
    await doc().update(new FieldPath('dotted.name'), 2, new FieldPath('back`tick\\', '0'), 5);
    expect((await doc().get()).data()).toEqual({
      keep: 1,
      map: { a: 1, b: 3, c: { d: 4 } },
      'dotted.name': 2,
      'back`tick\\': { 0: 5 },
    });
  });

  test('makes a map of what is not one on the way to a field', async () => {
    await doc().set({ value: 'text' });
    await doc().update({ 'value.inner': 1 });
    expect((await doc().get()).data()).toEqual({ value: { inner: 1 } });
  });

  test('replaces the whole document where it names no fields, and merges where it does', async () => {
    await doc().set({ a: 1, b: { c: 1 } });
    await doc().set({ b: { d: 2 } }, { merge: true });
    expect((await doc().get()).data()).toEqual({ a: 1, b: { c: 1, d: 2 } });
    await doc().set({ e: 1 });
    expect((await doc().get()).data()).toEqual({ e: 1 });
  });
});

describe('a precondition', () => {
  test('lets a document be created only once', async () => {
    await doc().create({ n: 1 });
    expect(await codeOf(doc().create({ n: 2 }))).toBe(status.ALREADY_EXISTS);
    expect((await doc().get()).data()).toEqual({ n: 1 });
  });

  test('lets only a document that exists be updated or deleted', async () => {
    expect(await codeOf(doc().update({ n: 1 }))).toBe(status.NOT_FOUND);
    expect(await codeOf(doc().delete({ exists: true }))).toBe(status.NOT_FOUND);
    expect(await codeOf(doc().delete())).toBeUndefined();
  });

  test('on the update time lets only one of two writers win', async () => {
    const { writeTime } = await doc().set({ n: 0 });
    const codes = await Promise.all([
      codeOf(doc().update({ n: 1 }, { lastUpdateTime: writeTime })),
      codeOf(doc().update({ n: 2 }, { lastUpdateTime: writeTime })),
    ]);
    expect(codes.sort()).toEqual([status.FAILED_PRECONDITION, undefined]);
  });

  test('on the update time is not met by a time cut to milliseconds', async () => {
    let { writeTime } = await doc().set({ n: 0 });
    for (let n = 1; writeTime.nanoseconds % 1_000_000 === 0; n++) ({ writeTime } = await doc().set({ n }));
    const lastUpdateTime = Timestamp.fromMillis(writeTime.toMillis());
    expect(await codeOf(doc().update({ n: -1 }, { lastUpdateTime }))).toBe(status.FAILED_PRECONDITION);
  });

  test('on the update time fails for a document that is gone', async () => {
    const { writeTime } = await doc().set({ n: 0 });
    await doc().delete();
    expect(await codeOf(doc().delete({ lastUpdateTime: writeTime }))).toBe(status.FAILED_PRECONDITION);
  });
});

describe('a fault', () => {
  test('before a write leaves nothing; after it, the write has taken effect', async () => {
    const failing = (phase: 'before' | 'after') => {
      served.server.intercept = (call) => {
        if (call.method === 'Commit' && call.phase === phase) throw new GrpcError(status.INTERNAL, 'a fault');
      };
    };
    failing('before');
    expect(await codeOf(doc().create({ n: 1 }))).toBe(status.INTERNAL);
    expect((await doc().get()).exists).toBe(false);
    failing('after');
    expect(await codeOf(doc().create({ n: 2 }))).toBe(status.INTERNAL);
    expect((await doc().get()).data()).toEqual({ n: 2 });
  });

  test('that loses the answer of a create makes the client find the document there', async () => {
    let lost = 0;
    served.server.intercept = (call) => {
      if (call.method === 'Commit' && call.phase === 'after' && lost++ === 0) {
        throw new GrpcError(status.UNAVAILABLE, 'the answer was lost');
      }
    };
    expect(await codeOf(doc().create({ owner: 'me' }))).toBe(status.ALREADY_EXISTS);
    expect((await doc().get()).data()).toEqual({ owner: 'me' });
  });
});

describe('a batch', () => {
  test('is applied as a whole or not at all', async () => {
    await doc('things/there').set({ n: 0 });
    const batch = served.firestore.batch();
    batch
      .set(doc('things/new'), { n: 1 })
      .update(doc('things/there'), { n: 1 })
      .create(doc('things/there'), {});
    expect(await codeOf(batch.commit())).toBe(status.ALREADY_EXISTS);
    expect((await doc('things/new').get()).exists).toBe(false);
    expect((await doc('things/there').get()).data()).toEqual({ n: 0 });
  });

  test('applies its writes in order, all at one time', async () => {
    const batch = served.firestore.batch();
    batch
      .create(doc(), { n: 1 })
      .update(doc(), { n: FieldValue.increment(1) })
      .set(doc('things/two'), {});
    const results = await batch.commit();
    expect((await doc().get()).data()).toEqual({ n: 2 });
    expect(new Set(results.map(({ writeTime }) => writeTime.valueOf())).size).toBe(1);
  });

  test('of independent writes reports each one by itself', async () => {
    await doc('things/there').set({});
    const name = (id: string) => `${databaseName}/documents/things/${id}`;
    const [response] = await served.calls.batchWrite({
      database: databaseName,
      writes: [
        { update: { name: name('there') }, currentDocument: { exists: false } },
        { update: { name: name('new') } },
      ],
    });
    expect(response.status?.map(({ code }) => code ?? 0)).toEqual([status.ALREADY_EXISTS, status.OK]);
    expect((await doc('things/new').get()).exists).toBe(true);
  });

  test('of a bulk writer arrives as a whole', async () => {
    const writer = served.firestore.bulkWriter();
    for (let n = 0; n < 100; n++) writer.create(doc(`things/${n}`), { n });
    await writer.close();
    expect((await served.firestore.collection('things').count().get()).data().count).toBe(100);
    await served.firestore.recursiveDelete(served.firestore.collection('things'));
    expect((await served.firestore.collection('things').get()).size).toBe(0);
  });
});
