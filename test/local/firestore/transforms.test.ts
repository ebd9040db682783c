import { FieldValue, type Timestamp } from '@google-cloud/firestore';
import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { codeOf, databaseName, useFirestore } from './fixture.ts';

const served = useFirestore();
const doc = () => served.firestore.doc('things/one');
const name = `${databaseName}/documents/things/one`;

test('the server time is one for a whole commit and has milliseconds', async () => {
  const other = served.firestore.doc('things/two');
  const batch = served.firestore.batch();
  batch.set(doc(), { at: FieldValue.serverTimestamp(), nested: { at: FieldValue.serverTimestamp() } });
  batch.set(other, { at: FieldValue.serverTimestamp() });
  const [result] = await batch.commit();
  const at: Timestamp = (await doc().get()).get('at');
  expect((await doc().get()).get('nested.at')).toEqual(at);
  expect((await other.get()).get('at')).toEqual(at);
  expect(at.toMillis()).toBe(result?.writeTime.toMillis());
  expect(at.nanoseconds % 1_000_000).toBe(0);
});

test('an increment starts at the operand, and a double on either side makes a double', async () => {
  await doc().set({ text: 'x', integer: 1, double: 0.5 });
  await doc().update({
    text: FieldValue.increment(2),
    missing: FieldValue.increment(3),
    integer: FieldValue.increment(1.5),
    double: FieldValue.increment(1),
  });
  expect((await doc().get()).data()).toEqual({ text: 2, missing: 3, integer: 2.5, double: 1.5 });
});

test('an integer that is incremented beyond 64 bits stays at the limit', async () => {
  const transform = (increment: string) => ({ fieldPath: 'n', increment: { integerValue: increment } });
  const write = (n: string, increment: string) =>
    served.calls.commit({
      database: databaseName,
      writes: [
        { update: { name, fields: { n: { integerValue: n } } }, updateTransforms: [transform(increment)] },
      ],
    });
  const [up] = await write('9223372036854775800', '100');
  expect(up.writeResults?.[0]?.transformResults?.[0]?.integerValue).toBe('9223372036854775807');
  const [down] = await write('-9223372036854775800', '-100');
  expect(down.writeResults?.[0]?.transformResults?.[0]?.integerValue).toBe('-9223372036854775808');
});

test('maximum and minimum keep the stored number if it is equal, and give way to NaN', async () => {
  const extreme = async (kind: 'maximum' | 'minimum', stored: object, operand: object) => {
    const [response] = await served.calls.commit({
      database: databaseName,
      writes: [
        { update: { name, fields: { n: stored } }, updateTransforms: [{ fieldPath: 'n', [kind]: operand }] },
      ],
    });
    const result = response.writeResults?.[0]?.transformResults?.[0];
    return result?.integerValue ?? result?.doubleValue;
  };
  expect(await extreme('maximum', { integerValue: 3 }, { doubleValue: 3.5 })).toBe(3.5);
  expect(await extreme('maximum', { integerValue: 3 }, { doubleValue: 3 })).toBe('3');
  expect(await extreme('minimum', { integerValue: 3 }, { integerValue: 2 })).toBe('2');
  expect(await extreme('minimum', { stringValue: 'x' }, { integerValue: 9 })).toBe('9');
  expect(await extreme('minimum', { integerValue: 3 }, { doubleValue: Number.NaN })).toBe(Number.NaN);
});

test('array elements are added once and removed wherever they are', async () => {
  await doc().set({ list: [1, 2, 2, 'a'], other: 'text' });
  await doc().update({ list: FieldValue.arrayUnion('a', 'b', 'b'), other: FieldValue.arrayUnion(1) });
  expect((await doc().get()).data()).toEqual({ list: [1, 2, 2, 'a', 'b'], other: [1] });
  await doc().update({ list: FieldValue.arrayRemove(2, 'none'), other: FieldValue.arrayRemove(1) });
  expect((await doc().get()).data()).toEqual({ list: [1, 'a', 'b'], other: [] });
});

test('each transform is answered, those of arrays with null', async () => {
  const [response] = await served.calls.commit({
    database: databaseName,
    writes: [
      {
        update: { name },
        updateTransforms: [
          { fieldPath: 'n', increment: { integerValue: 2 } },
          { fieldPath: 'list', appendMissingElements: { values: [{ integerValue: 1 }] } },
        ],
      },
    ],
  });
  const results = response.writeResults?.[0]?.transformResults ?? [];
  expect(results.map((value) => value.integerValue ?? value.nullValue)).toEqual(['2', 'NULL_VALUE']);
});

test('more than 500 transforms of one document are refused', async () => {
  const transforms = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, n) => [`f${n}`, FieldValue.increment(1)]));
  expect(await codeOf(doc().set(transforms(501)))).toBe(status.INVALID_ARGUMENT);
  expect(await codeOf(doc().set(transforms(500)))).toBeUndefined();
});
