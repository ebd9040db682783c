import { FieldValue, type Transaction } from '@google-cloud/firestore';
import { status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { GrpcError } from '../../../local/grpc/server.ts';
import { codeOf, databaseName, received, settledAfterRoundTrip, useFirestore } from './fixture.ts';

const served = useFirestore();
const doc = (path = 'counters/one') => served.firestore.doc(path);
const things = () => served.firestore.collection('counters');

/** A transaction that has done its reads and waits to be told to go on. */
function opened<Read>(
  read: (transaction: Transaction) => Promise<Read>,
  write: (transaction: Transaction) => void,
) {
  const ready = Promise.withResolvers<Read>();
  const go = Promise.withResolvers<void>();
  let attempts = 0;
  const done = served.firestore.runTransaction(async (transaction) => {
    attempts++;
    ready.resolve(await read(transaction));
    await go.promise;
    write(transaction);
  });
  done.catch(ready.reject);
  return { ready: ready.promise, go: () => go.resolve(), done, attempts: () => attempts };
}

/** Id of a read-write transaction that has read nothing yet. */
async function begun(): Promise<Uint8Array> {
  const [{ transaction }] = await served.calls.beginTransaction({ database: databaseName });
  return Buffer.from(transaction ?? '');
}

describe('concurrent increments by reading and writing', () => {
  test.each([10, 50])('lose none of %i', async (count) => {
    await doc().set({ n: 0 });
    const increment = () =>
      served.firestore.runTransaction(async (transaction) => {
        const snapshot = await transaction.get(doc());
        transaction.update(doc(), { n: snapshot.get('n') + 1 });
      });
    await Promise.all(Array.from({ length: count }, increment));
    expect((await doc().get()).get('n')).toBe(count);
  });

  test('lose none if they find the document by a query', async () => {
    await doc().set({ n: 0, kind: 'counter' });
    const increment = () =>
      served.firestore.runTransaction(async (transaction) => {
        const { docs } = await transaction.get(things().where('kind', '==', 'counter'));
        for (const found of docs) transaction.update(found.ref, { n: found.get('n') + 1 });
      });
    await Promise.all(Array.from({ length: 4 }, increment));
    expect((await doc().get()).get('n')).toBe(4);
  });

  test('lose none if some are plain increments of the server', async () => {
    await doc().set({ n: 0 });
    const slow = opened(
      (transaction) => transaction.get(doc()),
      (transaction) => transaction.update(doc(), { n: 100 }),
    );
    expect((await slow.ready).get('n')).toBe(0);
    const arrived = received(served.server, 'Commit');
    const plain = doc().update({ n: FieldValue.increment(1) });
    await arrived;
    slow.go();
    await Promise.all([slow.done, plain]);
    expect((await doc().get()).get('n')).toBe(101);
  });
});

describe('a lock of a transaction', () => {
  test('delays a write from outside until the transaction ends', async () => {
    await doc().set({ n: 0 });
    const reader = opened(
      (transaction) => transaction.get(doc()),
      (transaction) => transaction.update(doc(), { n: 1 }),
    );
    await reader.ready;
    const arrived = received(served.server, 'Commit');
    const outside = doc().set({ n: 2 });
    await arrived;
    expect(await settledAfterRoundTrip(served.firestore, outside)).toBe(false);
    reader.go();
    await reader.done;
    await outside;
    expect((await doc().get()).get('n')).toBe(2);
    expect(reader.attempts()).toBe(1);
  });

  test('ends with a rollback', async () => {
    await doc().set({ n: 0 });
    const reader = opened(
      (transaction) => transaction.get(doc()),
      () => {
        throw new Error('changed my mind');
      },
    );
    await reader.ready;
    const arrived = received(served.server, 'Commit');
    const outside = doc().set({ n: 2 });
    await arrived;
    reader.go();
    await expect(reader.done).rejects.toThrow('changed my mind');
    await outside;
  });

  test('does not delay reads, nor writes of other documents', async () => {
    await doc().set({ n: 0 });
    const reader = opened(
      (transaction) => transaction.get(doc()),
      (transaction) => transaction.update(doc(), { n: 1 }),
    );
    await reader.ready;
    expect((await doc().get()).get('n')).toBe(0);
    await doc('counters/other').set({});
    reader.go();
    await reader.done;
  });

  test('is on what a query could find, so that nothing appears in between', async () => {
    const reader = opened(
      (transaction) => transaction.get(things().where('kind', '==', 'a')),
      (transaction) => transaction.set(doc('sums/a'), { count: 0 }),
    );
    expect((await reader.ready).size).toBe(0);
    await doc('counters/b').set({ kind: 'b' });
    const arrived = received(served.server, 'Commit');
    const phantom = doc('counters/a').set({ kind: 'a' });
    await arrived;
    expect(await settledAfterRoundTrip(served.firestore, phantom)).toBe(false);
    reader.go();
    await reader.done;
    await phantom;
  });

  test('is on a document that does not exist yet', async () => {
    const create = () =>
      served.firestore.runTransaction(async (transaction) => {
        const snapshot = await transaction.get(doc());
        if (!snapshot.exists) transaction.create(doc(), {});
        return snapshot.exists;
      });
    expect((await Promise.all([create(), create(), create()])).sort()).toEqual([false, true, true]);
  });

  test('makes only one of two transactions try again that wait for each other', async () => {
    await doc().set({ by: [] });
    const both = ['a', 'b'].map((name) =>
      opened(
        (transaction) => transaction.get(doc()),
        (transaction) => transaction.set(doc(), { [name]: true }, { merge: true }),
      ),
    );
    await Promise.all(both.map(({ ready }) => ready));
    for (const { go } of both) go();
    await Promise.all(both.map(({ done }) => done));
    expect((await doc().get()).data()).toEqual({ by: [], a: true, b: true });
    expect(both.map(({ attempts }) => attempts()).sort()).toEqual([1, 2]);
  });

  test('prevents write skew', async () => {
    await doc('counters/a').set({ onCall: true });
    await doc('counters/b').set({ onCall: true });
    const leave = (own: string, other: string) =>
      opened(
        (transaction) => transaction.getAll(doc(own), doc(other)),
        () => undefined,
      );
    const a = leave('counters/a', 'counters/b');
    await a.ready;
    const arrived = received(served.server, 'Commit');
    const b = served.firestore.runTransaction(async (transaction) => {
      const [, other] = await transaction.getAll(doc('counters/b'), doc('counters/a'));
      if (other?.get('onCall')) transaction.update(doc('counters/b'), { onCall: false });
    });
    await arrived;
    expect(await settledAfterRoundTrip(served.firestore, b)).toBe(false);
    a.go();
    await Promise.all([a.done, b]);
  });
});

describe('a transaction', () => {
  test('that only reads sees one state, and needs no lock', async () => {
    await doc('counters/a').set({ n: 1 });
    await doc('counters/b').set({ n: 1 });
    const sums = await served.firestore.runTransaction(
      async (transaction) => {
        const a = await transaction.get(doc('counters/a'));
        await served.firestore
          .batch()
          .set(doc('counters/a'), { n: 0 })
          .set(doc('counters/b'), { n: 2 })
          .commit();
        const b = await transaction.get(doc('counters/b'));
        const all = await transaction.get(things());
        return [a.get('n') + b.get('n'), ...all.docs.map((found) => found.get('n'))];
      },
      { readOnly: true },
    );
    expect(sums).toEqual([2, 1, 1]);
  });

  test('that is read-only cannot write', async () => {
    const [{ transaction }] = await served.calls.beginTransaction({
      database: databaseName,
      options: { readOnly: {} },
    });
    const name = `${databaseName}/documents/counters/one`;
    const commit = served.calls.commit({
      database: databaseName,
      transaction: transaction ?? null,
      writes: [{ update: { name } }],
    });
    expect(await codeOf(commit)).toBe(status.INVALID_ARGUMENT);
  });

  test('that never was or has ended is refused, so that the client knows whether to run it again', async () => {
    const commit = (transaction: Uint8Array) =>
      served.calls.commit({ database: databaseName, transaction, writes: [] });
    await expect(commit(Buffer.from('unknown'))).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      message: expect.stringContaining('Invalid transaction'),
    });
    const transaction = await begun();
    await commit(transaction);
    await expect(commit(transaction)).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      message: expect.stringMatching(/transaction has expired/),
    });
  });

  test('ends when its commit fails, without a rollback', async () => {
    await doc().set({ n: 0 });
    const name = `${databaseName}/documents/counters/one`;
    const transaction = await begun();
    await served.calls.getDocument({ name, transaction });
    const create = { update: { name }, currentDocument: { exists: false } };
    const failing = served.calls.commit({ database: databaseName, transaction, writes: [create] });
    expect(await codeOf(failing)).toBe(status.ALREADY_EXISTS);
    await doc().set({ n: 1 });
    await expect(served.calls.getDocument({ name, transaction })).rejects.toThrow(/transaction has expired/);
  });

  test('that was committed but whose answer was lost is run again by the client', async () => {
    await doc().set({ n: 0 });
    let lost = 0;
    served.server.intercept = (call) => {
      if (call.method === 'Commit' && call.phase === 'after' && lost++ === 0) {
        throw new GrpcError(status.UNAVAILABLE, 'the answer was lost');
      }
    };
    await served.firestore.runTransaction(async (transaction) => {
      const snapshot = await transaction.get(doc());
      transaction.update(doc(), { n: snapshot.get('n') + 1 });
    });
    // Both commits took effect: this is why a transaction by itself is not idempotent.
    expect((await doc().get()).get('n')).toBe(2);
  });

  test('that was aborted takes no effect and is run again', async () => {
    await doc().set({ n: 0 });
    let aborted = 0;
    served.server.intercept = (call) => {
      if (call.method === 'Commit' && call.phase === 'before' && aborted++ === 0) {
        throw new GrpcError(status.ABORTED, 'contention');
      }
    };
    await served.firestore.runTransaction(async (transaction) => {
      const snapshot = await transaction.get(doc());
      transaction.update(doc(), { n: snapshot.get('n') + 1 });
    });
    expect((await doc().get()).get('n')).toBe(1);
  });
});
