import { spawn } from 'node:child_process';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import type { Change } from '../../shared/operation/outcome.ts';
import { deliver, drover, droverHere, functionName, newId, useCloud, worker } from './fixture.ts';

const cloud = useCloud();
const operations = (...args: string[]) => drover(['operations', ...args]);
const succeeds = worker(async () => ({ changes: [{ action: 'create', kind: 'schema', name: 'app.a' }] }));

async function succeed(id: string, schema = 'a'): Promise<void> {
  await deliver(succeeds, { schema }, { 'operation-id': id });
}

async function fail(id: string): Promise<void> {
  await deliver(succeeds, { wrong: id }, { 'operation-id': id });
}

/** The records that a list as JSON has. */
async function listed(...args: string[]): Promise<Record<string, unknown>[]> {
  return JSON.parse((await operations(...args, '--json')).stdout);
}

test('lists operations with the newest first, a line for each', async () => {
  const [older, newer] = [newId(), newId()];
  await succeed(older);
  await fail(newer);
  const { code, stdout } = await operations('--limit', '2');
  const [head, first, second, ...rest] = stdout.trimEnd().split('\n');
  expect(code).toBe(0);
  expect(head).toMatch(/^CREATED +FUNCTION +STATE +OPERATION +TARGET +CHANGES +CODE$/);
  expect(first).toMatch(new RegExp(`Z +${functionName} +failed +${newer} +- +- +INVALID_MESSAGE$`));
  expect(second).toMatch(new RegExp(`Z +${functionName} +succeeded +${older} +\\S+/app +1$`));
  expect(rest).toEqual([]);
});

test('filters by function and state, and by both; as JSON without the data of messages', async () => {
  const [good, bad] = [newId(), newId()];
  await succeed(good);
  await fail(bad);
  const ids = (records: Record<string, unknown>[]) => records.map(({ operationId }) => operationId);
  const [failed, ours, failedOurs, others] = await Promise.all([
    listed('--state', 'failed'),
    listed('--function', functionName),
    listed('--function', functionName, '--state', 'failed'),
    listed('--function', 'rotate-secret'),
  ]);
  expect(failed[0]).toMatchObject({
    operationId: bad,
    payload: { attributes: [{ name: 'operation-id', value: bad }] },
  });
  expect(failed[0]?.['payload']).not.toHaveProperty('data');
  for (const list of [failed, failedOurs]) {
    expect(ids(list)).toContain(bad);
    expect(ids(list)).not.toContain(good);
  }
  expect(ids(ours)).toEqual(expect.arrayContaining([good, bad]));
  expect(others).toEqual([]);
});

test('shows one operation by its own id and by that of its record', async () => {
  const id = newId();
  await succeed(id);
  const byOwn = await operations(id, '--json');
  const record: Record<string, unknown> = JSON.parse(byOwn.stdout);
  const byRecord = await operations(String(record['id']), '--json');
  expect(record).toMatchObject({ operationId: id, state: 'succeeded' });
  expect(byRecord).toEqual(byOwn);
});

test('shows what whoever asked has to know, a name on a line', async () => {
  const id = newId();
  const made = worker(async () => ({ changes: [], result: { schema: 'app.a', logins: ['a_a', 'a_b'] } }));
  await deliver(made, { schema: 'a' }, { 'operation-id': id });
  const { stdout } = await operations(id);
  expect(stdout).toMatch(/^Result:\n {2}logins {2}\["a_a","a_b"\]\n {2}schema {2}app\.a$/m);
});

test('says of what is deferred for whom, why and until when it waits', async () => {
  const id = newId();
  await succeed(id);
  const { docs } = await cloud.db.collection('operations').where('operationId', '==', id).get();
  await docs[0]?.ref.update({
    state: 'deferred',
    tenant: 'acme',
    notBefore: new Date('2026-03-01T10:01:05.250Z'),
    error: { code: 'RATE_LIMITED', message: 'Tenant acme may have 2 at a time', details: {} },
  });
  const [list, one, json] = await Promise.all([
    operations('--state', 'deferred'),
    operations(id),
    listed('--state', 'deferred'),
  ]);
  expect(list.stdout).toMatch(
    new RegExp(` deferred +${id} .* RATE_LIMITED until 2026-03-01 10:01:05Z$`, 'm'),
  );
  expect(one.stdout).toMatch(/^ {2}tenant +acme$/m);
  expect(one.stdout).toMatch(/^ {2}waits +until 2026-03-01 10:01:05Z$/m);
  expect(one.stdout).toMatch(/^It waits because:\n.*Tenant acme may have 2 at a time/m);
  expect(json).toMatchObject([{ state: 'deferred', tenant: 'acme', notBefore: '2026-03-01T10:01:05.250Z' }]);
});

test('an id that several operations have is answered with their records and 2', async () => {
  const id = newId();
  await succeed(id, 'first');
  await succeed(id, 'second');
  const { code, stdout, stderr } = await operations(id);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  const { docs } = await cloud.db.collection('operations').where('operationId', '==', id).get();
  const records = docs.map((record) => record.id);
  expect(records).toHaveLength(2);
  for (const record of records) expect(stderr).toContain(record);
  expect(stderr).toContain('IDEMPOTENCY_CONFLICT');
});

test('an id that no operation has is an error', async () => {
  const { code, stdout, stderr } = await operations('nobody/knows');
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/^NOT_FOUND: .*nobody\/knows/);
});

/** More than fits a record. */
async function succeedAtLength(id: string): Promise<Change[]> {
  const changes: Change[] = Array.from({ length: 9000 }, (_, index) => ({
    action: 'grant',
    kind: 'role',
    name: `app__schema_${index}__reader`,
  }));
  await deliver(
    worker(async () => ({ changes })),
    { schema: 'a' },
    { 'operation-id': id },
  );
  return changes;
}

test('an outcome too long for its record is shown whole', async () => {
  const id = newId();
  const changes = await succeedAtLength(id);
  const [asJson, asText, inList] = await Promise.all([
    operations(id, '--json'),
    operations(id),
    operations('--limit', '1'),
  ]);
  expect(JSON.parse(asJson.stdout)).toMatchObject({ changes, truncated: false });
  expect(asText.stdout).toContain('app__schema_8999__reader');
  expect(inList.stdout).toMatch(/ 50\+$/m);
});

test('a reader that stops reading is no error', async () => {
  const id = newId();
  await succeedAtLength(id);
  const main = path.resolve(import.meta.dirname, '..', '..', 'cli', 'main.ts');
  const child = spawn(process.execPath, [main, 'operations', id], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.once('data', () => child.stdout.destroy());
  const exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)));
  expect(await text(child.stderr)).toBe('');
  expect(await exited).toBe(0);
});

test('control characters in what publishers sent are shown, not sent to the terminal', async () => {
  const id = newId();
  const actor = 'al\u001b[2Jice\nsudo\u202e';
  await deliver(succeeds, { schema: 'a' }, { 'operation-id': id, 'claimed-actor': actor });
  const { stdout } = await operations(id);
  expect(stdout).toContain('by al\\x1b[2Jice\\nsudo\\u202e (as claimed)');
  expect(stdout).not.toContain('\u001b');
});

test.each<[string[], RegExp]>([
  [['--state', 'fialed'], /--state must be one of .*Did you mean failed\?/],
  [['--limit', '0'], /--limit must be a whole number from 1/],
  [['a', 'b'], /Unexpected argument: b/],
])('refuses %j', async (args, message) => {
  const { code, stderr } = await droverHere('operations', ...args);
  expect(code).toBe(2);
  expect(stderr).toMatch(message);
});
