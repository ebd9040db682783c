import { randomBytes } from 'node:crypto';
import type { Timestamp } from '@google-cloud/firestore';
import { expect, test } from 'vitest';
import * as z from 'zod';
import type { Delivery } from '../../shared/operation/delivery.ts';
import { OperationError } from '../../shared/operation/errors.ts';
import { parseData, readRequest } from '../../shared/operation/request.ts';
import { exhaustOperation } from '../../shared/registry/exhausted.ts';
import { operationDocumentId } from '../../shared/registry/operations.ts';
import {
  deliver,
  drover,
  droverHere,
  functionName,
  newId,
  receive,
  startWorker,
  subscribe,
  useCloud,
  worker,
} from './fixture.ts';

const cloud = useCloud();
const deadLetters = (...args: string[]) => drover(['dead-letters', ...args]);
const succeeds = worker(async () => ({ changes: [] }));

/** Fails for good, under a code that no other test uses. */
async function fail(id: string, data: unknown = { schema: 'a' }, code = 'REFUSED'): Promise<void> {
  const refuses = worker(async () => {
    throw new OperationError(code, 'No');
  });
  await deliver(refuses, data, { 'operation-id': id, 'claimed-actor': 'alice' });
}

async function recordOf(id: string): Promise<Record<string, unknown> | undefined> {
  const { docs } = await cloud.db.collection('operations').where('operationId', '==', id).get();
  return docs[0]?.data();
}

test('lists what failed and was kept, and nothing else, by function and code', async () => {
  const [refused, rejected, fine] = [newId(), newId(), newId()];
  await fail(refused, { schema: 'a' }, 'LISTED');
  await deliver(succeeds, 'no object', { 'operation-id': rejected });
  await deliver(succeeds, { schema: 'a' }, { 'operation-id': fine });
  const lost = cloud.db.collection('operations').doc();
  await lost.set({ ...(await recordOf(refused)), createdAt: new Date(), operationId: 'lost', payload: null });
  const [all, byCode, byFunction] = await Promise.all([
    deadLetters('list'),
    deadLetters('list', '--code', 'LISTED', '--function', functionName),
    deadLetters('list', '--function', 'rotate-secret'),
  ]);
  expect(all.stdout).toMatch(/^FAILED +FUNCTION +REASON +CODE +ATTEMPTS +OPERATION$/m);
  expect(all.stdout).toMatch(new RegExp(`create-schema +permanent +LISTED +1 +${refused}$`, 'm'));
  expect(all.stdout).toMatch(new RegExp(`create-schema +rejected +INVALID_MESSAGE +1 +${rejected}$`, 'm'));
  expect(all.stdout).not.toMatch(new RegExp(`(lost|${fine})$`, 'm'));
  expect(byCode.stdout.trimEnd().split('\n')).toHaveLength(2);
  expect(byCode.stdout).toContain(refused);
  expect(byFunction).toEqual({ code: 0, stdout: '', stderr: 'There are no such dead letters.\n' });
});

test('what every delivery failed with is shown with what the last one knew', async () => {
  const id = newId();
  const delivery: Delivery = {
    data: Buffer.from('{"schema":"a"}'),
    attributes: { 'operation-id': id },
    messageId: '1',
    publishTime: new Date(),
  };
  const failing = worker(async () => {
    throw new OperationError('BUSY', 'later', { retryable: true, details: { statements: ['SELECT 1'] } });
  });
  await expect(deliver(failing, { schema: 'a' }, { 'operation-id': id })).rejects.toThrow();
  const { request } = readRequest(delivery);
  const messageHash = parseData(delivery.data, z.unknown()).hash;
  const wanted = { functionName, request, delivery, messageHash, target: undefined, leaseSeconds: 60 };
  await exhaustOperation(cloud.db, { ...wanted, id: operationDocumentId(functionName, request) }, 100);
  const { stdout } = await deadLetters('show', id);
  expect(stdout).toMatch(/^create-schema failed \(exhausted\)$/m);
  expect(stdout).toMatch(/EXHAUSTED: Given up after 100 deliveries.*\n {4}BUSY: later\n {6}SELECT 1;/);
});

test('shows a message: its attributes, and its data as text', async () => {
  const id = newId();
  await fail(id, Buffer.from('{ "schema":\n"größe" }'));
  const { code, stdout } = await deadLetters('show', id);
  expect(code).toBe(0);
  expect(stdout).toMatch(/Attributes:\n {2}claimed-actor {2}alice\n {2}operation-id {3}\S+\n/);
  expect(stdout).toMatch(/Data:\n {2}\{ "schema":\n {2}"größe" \}\n$/);
});

test('shows data that is no text as base64', async () => {
  const id = newId();
  const data = Buffer.from([0xff, 0xfe, 0x00]);
  await fail(id, data);
  expect((await deadLetters('show', id)).stdout).toContain(`base64: ${data.toString('base64')}\n`);
});

test('cuts long data between characters and says how to see it all; as JSON it is whole', async () => {
  const id = newId();
  const data = Buffer.from(`x${'ä'.repeat(200_000)}`); // long enough to be kept in parts
  await fail(id, data);
  const [shown, json] = await Promise.all([deadLetters('show', id), deadLetters('show', id, '--json')]);
  expect(shown.stdout).toMatch(/\n {2}xä{2047}\n {2}… 400001 bytes in all.*--json/);
  const record: { payload: { data: string } } = JSON.parse(json.stdout);
  expect(Buffer.from(record.payload.data, 'base64').equals(data)).toBe(true);
});

test('lists what nothing was heard of, and says why it can’t be replayed; --all leaves it out', async () => {
  const [id, kept] = [newId(), newId()];
  for (const one of [id, kept]) {
    await fail(one);
    const { docs } = await cloud.db.collection('operations').where('operationId', '==', one).get();
    const error = { code: 'STUCK', message: 'Nothing was heard of it', details: {} };
    await docs[0]?.ref.update({ reason: 'exhausted', error, ...(one === id ? { payload: null } : {}) });
  }
  const listed = await deadLetters('list', '--code', 'STUCK');
  expect(listed.stdout).toMatch(new RegExp(`exhausted +STUCK +1 +${id}$`, 'm'));
  const [one, all] = [
    await deadLetters('replay', id),
    await deadLetters('replay', '--all', '--code', 'STUCK', '--json'),
  ];
  expect(one).toMatchObject({ code: 1, stdout: '' });
  expect(one.stderr).toMatch(/^NOT_REPLAYABLE: .*not kept: nothing was heard of it for an hour/);
  expect(all).toMatchObject({ code: 0, stderr: 'Replaying 1 dead letter\n' });
  expect(JSON.parse(all.stdout)).toMatchObject([{ operationId: kept }]);
});

test('shows and replays only what failed', async () => {
  const id = newId();
  await deliver(succeeds, { schema: 'a' }, { 'operation-id': id });
  const [shown, replayed] = await Promise.all([deadLetters('show', id), deadLetters('replay', id)]);
  expect(shown).toMatchObject({ code: 1, stdout: '' });
  expect(shown.stderr).toMatch(/^NOT_A_DEAD_LETTER: .*succeeded/);
  expect(replayed).toMatchObject({ code: 1, stdout: '' });
  expect(replayed.stderr).toMatch(/^NOT_REPLAYABLE: .*succeeded/);
});

test('among records of one operation id the one that failed is meant', async () => {
  const id = newId();
  await deliver(succeeds, { schema: 'a' }, { 'operation-id': id, 'dry-run': 'true' });
  await fail(id, { schema: 'a' }, 'MEANT');
  const { code, stdout } = await deadLetters('show', id);
  expect(code).toBe(0);
  expect(stdout).toContain('MEANT: No');
});

test('a replayed message arrives as it was, with its original id and time, and finds its operation open', async () => {
  const id = newId();
  await fail(id, Buffer.from('{ "schema": "a" }'));
  const publishedAt = (await recordOf(id))?.['publishedAt'] as Timestamp;
  const subscription = await subscribe(cloud);
  const arrival = receive(subscription);
  const { code, stdout } = await deadLetters('replay', id, '--json');
  const message = await arrival;
  expect(message.data.toString()).toBe('{ "schema": "a" }');
  expect(message.attributes).toEqual({
    'operation-id': id,
    'original-publish-time': publishedAt.toDate().toISOString(),
    'claimed-actor': 'alice',
  });
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject([{ operationId: id, state: 'pending' }]);
});

test('a message kept in parts is replayed to the byte', async () => {
  const id = newId();
  const data = randomBytes(1_500_000);
  await fail(id, data);
  const subscription = await subscribe(cloud);
  const arrival = receive(subscription);
  expect((await deadLetters('replay', id)).code).toBe(0);
  const message = await arrival;
  expect(message.attributes['operation-id']).toBe(id);
  expect(message.data.equals(data)).toBe(true);
});

test('with --wait a replay exits as the operation ends', async () => {
  const [mended, broken] = [newId(), newId()];
  await fail(mended);
  await fail(broken, { still: 'wrong' });
  await startWorker(cloud, succeeds);
  const [good, bad] = await Promise.all([
    deadLetters('replay', mended, '--wait'),
    deadLetters('replay', broken, '--wait', '--json'),
  ]);
  expect(good).toMatchObject({ code: 0, stderr: '' });
  expect(good.stdout).toMatch(/^create-schema succeeded/);
  expect(bad.code).toBe(1);
  expect(JSON.parse(bad.stdout)).toMatchObject([{ state: 'failed', epoch: 2 }]);
});

test('a replay that nobody takes in time exits with 3', async () => {
  const id = newId();
  await fail(id);
  const { code, stdout } = await deadLetters('replay', id, '--wait', '--timeout', '0', '--json');
  expect(code).toBe(3);
  expect(JSON.parse(stdout)).toMatchObject([{ state: 'pending' }]);
});

test('what was reopened but perhaps not published can be replayed again', async () => {
  const id = newId();
  await fail(id);
  await deadLetters('replay', id);
  const subscription = await subscribe(cloud);
  const arrival = receive(subscription);
  expect((await deadLetters('replay', id)).code).toBe(0);
  expect((await arrival).attributes['operation-id']).toBe(id);
});

test('replays several; one that does not exist does not keep the others back, but shows in the exit code', async () => {
  const [first, second] = [newId(), newId()];
  await fail(first);
  await fail(second);
  const { code, stdout, stderr } = await deadLetters('replay', first, 'nobody', second, '--json');
  expect(code).toBe(1);
  expect(stderr).toMatch(/^NOT_FOUND: .*nobody/);
  const replayed: { operationId: string }[] = JSON.parse(stdout);
  expect(replayed.map(({ operationId }) => operationId)).toEqual([first, second]);
});

test('--all replays what its filters leave, and says how many', async () => {
  const ids = Array.from({ length: 20 }, newId);
  for (const id of ids) await fail(id, { schema: 'a' }, 'MASS');
  const other = newId();
  await fail(other);
  await startWorker(cloud, succeeds);
  const { code, stdout, stderr } = await deadLetters('replay', '--all', '--code', 'MASS', '--wait', '--json');
  expect(code).toBe(0);
  expect(stderr).toBe('Replaying 20 dead letters\n');
  const replayed: { operationId: string; state: string }[] = JSON.parse(stdout);
  expect(replayed.map(({ operationId }) => operationId)).toEqual(ids);
  expect(new Set(replayed.map(({ state }) => state))).toEqual(new Set(['succeeded']));
  expect(await recordOf(other)).toMatchObject({ state: 'failed' });
});

test.each<[string[], RegExp]>([
  [['replay'], /Give ids, or --all/],
  [['replay', 'a', '--all'], /Give ids, or --all/],
  [['replay', 'a', '--code', 'X'], /go with --all/],
  [['show'], /Which one/],
  [['list', '--wait'], /no option --wait/],
  [['lst'], /no command dead-letters lst. Did you mean list\?/],
])('refuses %j', async (args, message) => {
  const { code, stdout, stderr } = await droverHere('dead-letters', ...args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(message);
});
