import {
  AggregateField,
  type DocumentData,
  FieldPath,
  Filter,
  GeoPoint,
  type Query,
  Timestamp,
} from '@google-cloud/firestore';
import { status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { codeOf, databaseName, useFirestore } from './fixture.ts';

const served = useFirestore();
const things = () => served.firestore.collection('things');

async function store(documents: Record<string, DocumentData>): Promise<void> {
  const batch = served.firestore.batch();
  for (const [id, data] of Object.entries(documents)) batch.set(things().doc(id), data);
  await batch.commit();
}

async function ids(query: Query): Promise<string[]> {
  return (await query.get()).docs.map(({ id }) => id);
}

describe('a filter', () => {
  test.each<[FirebaseFirestore.WhereFilterOp, unknown, string[]]>([
    ['==', 2, ['double', 'two']],
    ['!=', 2, ['list', 'nan', 'one', 'text', 'three']],
    ['<', 2, ['one']],
    ['<=', 2, ['double', 'one', 'two']],
    ['>', 1, ['double', 'three', 'two']],
    ['>=', 'a', ['text']],
    ['in', [1, 'text'], ['one', 'text']],
    ['not-in', [1, 2, 'text'], ['list', 'nan', 'three']],
    ['array-contains', 1, ['list']],
    ['array-contains-any', [7, 1], ['list']],
    ['==', null, ['null']],
    ['!=', null, ['double', 'list', 'nan', 'one', 'text', 'three', 'two']],
    ['==', Number.NaN, ['nan']],
    ['!=', Number.NaN, ['double', 'list', 'one', 'text', 'three', 'two']],
  ])('%s %j finds what it says, and never a document without the field', async (op, value, expected) => {
    await store({
      one: { v: 1 },
      two: { v: 2 },
      three: { v: 3.5 },
      text: { v: 'text' },
      list: { v: [1, 'x'] },
      null: { v: null },
      nan: { v: Number.NaN },
      none: { w: 1 },
    });
    // The client would write this one as an integer.
    await served.calls.updateDocument({
      document: { name: `${databaseName}/documents/things/double`, fields: { v: { doubleValue: 2 } } },
    });
    expect((await ids(things().where('v', op, value))).sort()).toEqual(expected);
  });

  test('combines others by AND and OR', async () => {
    await store({ a: { n: 1, m: 1 }, b: { n: 1, m: 2 }, c: { n: 2, m: 1 }, d: { n: 3, m: 3 } });
    const filter = Filter.or(
      Filter.and(Filter.where('n', '==', 1), Filter.where('m', '==', 2)),
      Filter.where('n', '>', 2),
    );
    expect(await ids(things().where(filter))).toEqual(['b', 'd']);
  });

  test('reaches into maps', async () => {
    await store({ a: { m: { 'x.y': 1 } }, b: { m: { 'x.y': 2 } } });
    expect(await ids(things().where(new FieldPath('m', 'x.y'), '==', 2))).toEqual(['b']);
  });

  test('on the name finds documents by id', async () => {
    await store({ a: {}, b: {}, c: {} });
    expect(await ids(things().where(FieldPath.documentId(), '==', 'b'))).toEqual(['b']);
    expect(await ids(things().where(FieldPath.documentId(), 'in', ['c', 'a', 'z']))).toEqual(['a', 'c']);
    expect(await ids(things().where(FieldPath.documentId(), '>', 'a'))).toEqual(['b', 'c']);
  });

  test('compares integers beyond 2^53 exactly', async () => {
    await store({ a: { n: 9007199254740993n }, b: { n: 9007199254740992 } });
    expect(await ids(things().where('n', '==', 9007199254740992))).toEqual(['b']);
  });

  test.each<[string, (query: Query) => Query]>([
    [
      'more than 30 values',
      (query) =>
        query.where(
          'a',
          'in',
          Array.from({ length: 31 }, (_, n) => n),
        ),
    ],
    ['no values', (query) => query.where('a', 'in', [])],
    ['two inequalities of the kind !=', (query) => query.where('a', '!=', 1).where('b', '!=', 1)],
    ['not-in together with in', (query) => query.where('a', 'not-in', [1]).where('b', 'in', [1])],
    [
      'more than 30 disjunctions',
      (query) => query.where('a', 'in', [1, 2, 3, 4, 5, 6]).where('b', 'in', [1, 2, 3, 4, 5, 6]),
    ],
  ])('with %s is refused', async (_what, refine) => {
    // The client itself refuses some; what it lets through, the server refuses.
    await expect((async () => refine(things()).get())()).rejects.toThrow();
  });
});

describe('the order of a result', () => {
  test('is by type first, then by value', async () => {
    const ordered = [
      null,
      false,
      true,
      Number.NaN,
      Number.NEGATIVE_INFINITY,
      -1,
      0,
      0.5,
      1,
      new Timestamp(1, 0),
      new Timestamp(1, 1000),
      '',
      'Z',
      'a',
      '\uffee',
      '🐄',
      Buffer.from([1]),
      Buffer.from([1, 0]),
      served.firestore.doc('a/b'),
      new GeoPoint(1, 2),
      [],
      [1],
      [1, 2],
      { a: 1 },
      { a: 1, b: 0 },
      { b: 0 },
    ];
    const shuffled = ordered.map((value, index) => [`d${(index * 7) % ordered.length}`, { index, value }]);
    await store(Object.fromEntries(shuffled));
    const found = await things().orderBy('value').get();
    expect(found.docs.map((doc) => doc.get('index'))).toEqual(ordered.map((_, index) => index));
    const reversed = await things().orderBy('value', 'desc').get();
    expect(reversed.docs.map((doc) => doc.get('index'))).toEqual(ordered.map((_, index) => index).reverse());
  });

  test('goes through several fields and ends with the name, in the last direction', async () => {
    await store({ a: { n: 1, m: 1 }, b: { n: 1, m: 2 }, c: { n: 0, m: 1 }, d: { n: 1, m: 1 }, e: { n: 1 } });
    expect(await ids(things().orderBy('n').orderBy('m', 'desc'))).toEqual(['c', 'b', 'd', 'a']);
  });

  test('is by name without any other', async () => {
    await store({ b: {}, B: {}, a: {}, 10: {}, 9: {} });
    expect(await ids(things())).toEqual(['10', '9', 'B', 'a', 'b']);
  });

  test('is by the field with an inequality without any other', async () => {
    await store({ a: { n: 3 }, b: { n: 2 }, c: { n: 1 } });
    expect(await ids(things().where('n', '>', 1))).toEqual(['b', 'a']);
  });
});

describe('a part of a result', () => {
  const numbered = async () => {
    await store(Object.fromEntries(Array.from({ length: 6 }, (_, n) => [`d${n}`, { n: Math.floor(n / 2) }])));
    return things().orderBy('n');
  };

  test('starts and ends at values', async () => {
    const query = await numbered();
    expect(await ids(query.startAt(1))).toEqual(['d2', 'd3', 'd4', 'd5']);
    expect(await ids(query.startAfter(1))).toEqual(['d4', 'd5']);
    expect(await ids(query.endAt(1))).toEqual(['d0', 'd1', 'd2', 'd3']);
    expect(await ids(query.endBefore(1))).toEqual(['d0', 'd1']);
  });

  test('starts and ends at a document', async () => {
    const query = await numbered();
    const d3 = await things().doc('d3').get();
    expect(await ids(query.startAfter(d3))).toEqual(['d4', 'd5']);
    expect(await ids(query.endBefore(d3))).toEqual(['d0', 'd1', 'd2']);
    expect(await ids(things().orderBy('n', 'desc').startAt(d3))).toEqual(['d3', 'd2', 'd1', 'd0']);
  });

  test('is limited, from either end, and skips', async () => {
    const query = await numbered();
    expect(await ids(query.limit(2))).toEqual(['d0', 'd1']);
    expect(await ids(query.limitToLast(2))).toEqual(['d4', 'd5']);
    expect(await ids(query.offset(4).limit(5))).toEqual(['d4', 'd5']);
    expect(await ids(query.offset(10))).toEqual([]);
  });

  test('has only the selected fields', async () => {
    await store({ a: { x: 1, y: { z: 2, w: 3 } } });
    const found = await things().select('y.z').get();
    expect(found.docs[0]?.data()).toEqual({ y: { z: 2 } });
    expect((await things().select().get()).docs[0]?.data()).toEqual({});
  });
});

describe('a collection group', () => {
  test('has the documents of every collection with its id', async () => {
    for (const path of ['parts/1', 'things/a/parts/2', 'things/a/other/x/parts/3', 'things/a/spares/4']) {
      await served.firestore.doc(path).set({ n: 1 });
    }
    expect(await ids(served.firestore.collectionGroup('parts').where('n', '==', 1))).toEqual(['1', '3', '2']);
    expect(await ids(served.firestore.collection('parts'))).toEqual(['1']);
  });
});

describe('an aggregation', () => {
  const aggregates = {
    count: AggregateField.count(),
    sum: AggregateField.sum('n'),
    average: AggregateField.average('n'),
  };

  test('counts, sums and averages the numbers of a query', async () => {
    await store({ a: { n: 1 }, b: { n: 4 }, c: { n: 'text' }, d: {} });
    const query = things().where('n', '>', 0);
    expect((await query.aggregate(aggregates).get()).data()).toEqual({ count: 2, sum: 5, average: 2.5 });
    expect((await things().count().get()).data().count).toBe(4);
    expect((await things().limit(3).count().get()).data().count).toBe(3);
  });

  test('of nothing is 0, or null for the average', async () => {
    expect((await things().aggregate(aggregates).get()).data()).toEqual({ count: 0, sum: 0, average: null });
  });

  test('of integers becomes a double where 64 bits do not hold it', async () => {
    await store({ a: { n: 9223372036854775807n }, b: { n: 1 } });
    expect(
      (
        await things()
          .aggregate({ sum: AggregateField.sum('n') })
          .get()
      ).data().sum,
    ).toBe(2 ** 63);
  });
});

test('thousands of documents are queried in milliseconds', async () => {
  const writer = served.firestore.bulkWriter({ throttling: false });
  for (let n = 0; n < 3000; n++)
    writer.set(things().doc(`d${n}`), { n, state: n % 1000 === 0 ? 'rare' : 'common' });
  await writer.close();
  const start = performance.now();
  for (let n = 0; n < 20; n++) expect((await things().where('state', '==', 'rare').get()).size).toBe(3);
  expect((performance.now() - start) / 20).toBeLessThan(100);
});

test('a cursor with more values than the order has fields is refused', async () => {
  const stream = served.calls.runQuery({
    parent: `${databaseName}/documents`,
    structuredQuery: { from: [{ collectionId: 'things' }], startAt: { values: [{}, {}] } },
  });
  const drained = new Promise((resolve, reject) =>
    stream
      .on('data', () => undefined)
      .on('end', resolve)
      .on('error', reject),
  );
  expect(await codeOf(drained)).toBe(status.INVALID_ARGUMENT);
});
