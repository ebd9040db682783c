import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import {
  codeOf,
  databaseName,
  ManualClock,
  received,
  settledAfterRoundTrip,
  useFirestore,
} from './fixture.ts';

const clock = new ManualClock();
const served = useFirestore(clock);
const doc = () => served.firestore.doc('things/one');
const name = `${databaseName}/documents/things/one`;

/** Begins a transaction that locks the document, and leaves it alone. */
async function abandoned(): Promise<Uint8Array> {
  const [{ transaction }] = await served.calls.beginTransaction({ database: databaseName });
  const id = Buffer.from(transaction ?? '');
  await served.calls.getDocument({ name, transaction: id });
  return id;
}

test('a transaction that nobody uses for 60 seconds no longer locks anything', async () => {
  await doc().set({ n: 0 });
  const id = await abandoned();
  clock.advance(59_000);
  const arrived = received(served.server, 'Commit');
  const write = doc().set({ n: 1 });
  await arrived;
  expect(await settledAfterRoundTrip(served.firestore, write)).toBe(false);
  clock.advance(1_000);
  await write;
  const late = served.calls.commit({ database: databaseName, transaction: id, writes: [{ delete: name }] });
  await expect(late).rejects.toThrow(/transaction has expired/);
  expect((await doc().get()).get('n')).toBe(1);
});

test('a transaction that is used lives on, but for no more than 270 seconds', async () => {
  await doc().set({ n: 0 });
  const transaction = await abandoned();
  for (let seconds = 0; seconds < 250; seconds += 50) {
    clock.advance(50_000);
    await served.calls.getDocument({ name, transaction });
  }
  clock.advance(20_000);
  expect(await codeOf(served.calls.getDocument({ name, transaction }))).toBe(status.INVALID_ARGUMENT);
});

test('a write that waits for a lock for 20 seconds is aborted', async () => {
  await doc().set({ n: 0 });
  await abandoned();
  const arrived = received(served.server, 'Commit');
  const write = served.calls.commit({ database: databaseName, writes: [{ delete: name }] });
  const code = codeOf(write);
  await arrived;
  expect(await settledAfterRoundTrip(served.firestore, write)).toBe(false);
  clock.advance(20_000);
  expect(await code).toBe(status.ABORTED);
  expect((await doc().get()).exists).toBe(true);
});

test('a reader shares a lock whose holder takes its time', async () => {
  await doc().set({ n: 0 });
  await abandoned();
  const [{ transaction }] = await served.calls.beginTransaction({ database: databaseName });
  const arrived = received(served.server, 'GetDocument');
  const read = served.calls.getDocument({ name, transaction: transaction ?? null });
  await arrived;
  expect(await settledAfterRoundTrip(served.firestore, read)).toBe(false);
  clock.advance(100);
  expect((await read)[0].name).toBe(name);
});

test('the past is kept for an hour', async () => {
  const { writeTime } = await doc().set({ n: 0 });
  const readTime = { seconds: writeTime.seconds, nanos: writeTime.nanoseconds };
  clock.advance(3_000_000);
  await doc().set({ n: 1 });
  expect((await served.calls.getDocument({ name, readTime }))[0].fields?.['n']?.integerValue).toBe('0');
  clock.advance(700_000);
  expect(await codeOf(served.calls.getDocument({ name, readTime }))).toBe(status.FAILED_PRECONDITION);
});
