import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { OperationError } from '../../shared/operation/errors.ts';
import type { Outcome } from '../../shared/operation/outcome.ts';
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
const send = (data: string, ...rest: string[]) => drover(['send', functionName, '--data', data, ...rest]);

const outcome: Outcome = {
  changes: [
    { action: 'create', kind: 'role', name: 'app__billing__owner' },
    { action: 'create', kind: 'schema', name: 'app.billing' },
  ],
  notes: [{ code: 'ANALYST_INCOMPLETE', message: 'Ask an admin', statements: ['GRANT pg_monitor TO x'] }],
};
const succeeds = worker(async () => outcome);

test('publishes the data untouched, under the attributes that the arguments mean', async () => {
  const subscription = await subscribe(cloud);
  const arrival = receive(subscription);
  const args = ['--id', 'billing-1', '--dry-run', '--revision', '7', '--actor', 'alice'];
  const ran = await send('{"schema": nonsense', ...args);
  expect(ran).toMatchObject({ code: 0, stdout: 'billing-1\n' });
  const { data, attributes } = await arrival;
  expect(data.toString()).toBe('{"schema": nonsense');
  expect(attributes).toEqual({
    'operation-id': 'billing-1',
    'dry-run': 'true',
    revision: '7',
    'claimed-actor': 'alice',
  });
});

test('makes up an id where none is given, prints it and sends it', async () => {
  const subscription = await subscribe(cloud);
  const arrival = receive(subscription);
  const { stdout } = await send('{}');
  const { attributes } = await arrival;
  expect(attributes).toEqual({ 'operation-id': stdout.trim() });
  expect(stdout.trim()).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
});

test('takes bytes from a file and from standard input as they are', async () => {
  const bytes = Buffer.from([0x7b, 0xff, 0x00, 0x0a]);
  const folder = mkdtempSync(path.join(tmpdir(), 'drover-cli-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'message.json');
  writeFileSync(file, bytes);
  const subscription = await subscribe(cloud);
  const fromFile = receive(subscription);
  await send(`@${file}`);
  expect((await fromFile).data).toEqual(bytes);
  const fromInput = receive(subscription);
  await drover(['send', functionName, '--data', '-'], { input: bytes });
  expect((await fromInput).data).toEqual(bytes);
});

test('without --wait, JSON says what is known of the operation and claims no state', async () => {
  const id = newId();
  const { code, stdout } = await send('{"schema":"a"}', '--id', id, '--json');
  const known: unknown = JSON.parse(stdout);
  expect(code).toBe(0);
  expect(known).toMatchObject({ function: functionName, operationId: id, dryRun: false });
  expect(known).not.toHaveProperty('state');
  await deliver(succeeds, { schema: 'a' }, { 'operation-id': id });
  const [record] = (await cloud.db.collection('operations').where('operationId', '==', id).get()).docs;
  expect(known).toMatchObject({ id: record?.id, messageHash: record?.get('messageHash') });
});

test('waits for an operation that succeeds, reports what it changed and exits with 0', async () => {
  await startWorker(cloud, succeeds);
  const { code, stdout, stderr } = await send('{"schema":"billing"}', '--wait');
  expect(code).toBe(0);
  expect(stderr).toBe('');
  expect(stdout).toMatch(/^create-schema succeeded in \d+ ms$/m);
  expect(stdout).toMatch(/^ {2}attempts +1$/m);
  expect(stdout).toMatch(/^ {2}create +schema +app\.billing$/m);
  expect(stdout).toContain('ANALYST_INCOMPLETE: Ask an admin\n    GRANT pg_monitor TO x;');
});

test('with --json, standard output is the record and nothing else', async () => {
  await startWorker(cloud, succeeds);
  const id = newId();
  const { code, stdout, stderr } = await send('{"schema":"billing"}', '--wait', '--json', '--id', id);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const record = JSON.parse(stdout) as Record<string, unknown>;
  expect(record).toMatchObject({ ...outcome, operationId: id, state: 'succeeded', epoch: 1 });
  expect(Object.keys(record).slice(0, 3)).toEqual(['id', 'function', 'operationId']);
  for (const time of ['publishedAt', 'createdAt', 'startedAt', 'finishedAt', 'expireAt']) {
    expect(record[time]).toBe(new Date(String(record[time])).toISOString());
  }
});

test('a dry run ends planned, with its statements, and exits with 0', async () => {
  await startWorker(
    cloud,
    worker(async (_message, { dryRun }) =>
      dryRun ? { changes: [], statements: ['CREATE SCHEMA billing'] } : { changes: [] },
    ),
  );
  const { code, stdout } = await send('{"schema":"billing"}', '--wait', '--dry-run');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^create-schema planned in/m);
  expect(stdout).toContain('Statements:\n  CREATE SCHEMA billing;');
});

test('an operation that fails exits with 1 and lists each problem once, with its path', async () => {
  await startWorker(cloud, succeeds);
  const { code, stdout } = await send('{"schema":1}', '--wait');
  expect(code).toBe(1);
  expect(stdout).toMatch(/^create-schema failed in \d+ ms \(rejected\)$/m);
  expect(stdout.match(/data\.schema/g)).toHaveLength(1);
  expect(stdout).toMatch(/INVALID_MESSAGE: .*\n {4}data\.schema {2}\S/);
  expect(stdout).toMatch(/^To run it again: drover dead-letters replay [0-9a-f]{40}$/m);
});

test('an error shows what it knows, the statements that would help included', async () => {
  await startWorker(
    cloud,
    worker(async () => {
      const details = { statements: ['GRANT a TO b'], role: 'a', password: 'hunter2' };
      throw new OperationError('NEEDS_ADMIN', 'Drover may not', { details });
    }),
  );
  const { stdout } = await send('{"schema":"billing"}', '--wait');
  expect(stdout).toContain(
    '  NEEDS_ADMIN: Drover may not\n    GRANT a TO b;\n    password: [redacted]\n    role: a\n',
  );
});

test('waits through an attempt that fails and is repeated', async () => {
  let attempts = 0;
  await startWorker(
    cloud,
    worker(async () => {
      attempts += 1;
      if (attempts === 1) throw new OperationError('BUSY', 'later', { retryable: true });
      return outcome;
    }),
  );
  const { code, stdout } = await send('{"schema":"billing"}', '--wait', '--json');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ state: 'succeeded', epoch: 2, error: null });
});

test('exits with 3 when the time is over before any worker came', async () => {
  const { code, stdout, stderr } = await send('{}', '--wait', '--timeout', '0.2', '--json');
  expect(code).toBe(3);
  expect(JSON.parse(stdout)).not.toHaveProperty('state');
  expect(stderr).toMatch(/no worker has taken it.*drover operations/);
});

test('exits with 3 when the time is over while a worker is at it, and shows how far it is', async () => {
  const release = Promise.withResolvers<Outcome>();
  const started = Promise.withResolvers<void>();
  const id = newId();
  const working = deliver(
    worker(() => {
      started.resolve();
      return release.promise;
    }),
    { schema: 'slow' },
    { 'operation-id': id },
  );
  await started.promise;
  const { code, stdout } = await send(
    '{"schema":"slow"}',
    '--id',
    id,
    '--wait',
    '--timeout',
    '0.2',
    '--json',
  );
  release.resolve(outcome);
  await working;
  expect(code).toBe(3);
  expect(JSON.parse(stdout)).toMatchObject({ state: 'running', epoch: 1 });
});

test('what is deferred has not ended: a sender that waits goes on waiting', async () => {
  const id = newId();
  const retried = worker(async () => {
    throw new OperationError('BUSY', 'later', { retryable: true });
  });
  await startWorker(cloud, async (message) => {
    await retried(message).catch(() => undefined);
    const { docs } = await cloud.db.collection('operations').where('operationId', '==', id).get();
    await docs[0]?.ref.update({ state: 'deferred', notBefore: new Date('2026-03-01T10:01:00Z') });
  });
  const { code, stderr } = await send('{"schema":"slow"}', '--id', id, '--wait', '--timeout', '3');
  expect(code).toBe(3);
  expect(stderr).toContain('the operation is still deferred');
});

test('another message under a taken id is reported as the conflict it is, not as the success of the first', async () => {
  const id = newId();
  await deliver(succeeds, { schema: 'first' }, { 'operation-id': id });
  await startWorker(cloud, succeeds);
  const { code, stdout } = await send('{"schema":"second"}', '--id', id, '--wait', '--json');
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ state: 'failed', error: { code: 'IDEMPOTENCY_CONFLICT' } });
});

test('an id taken while this message was on its way is noticed, too', async () => {
  const id = newId();
  const subscription = await subscribe(cloud);
  const arrival = receive(subscription);
  const running = send('{"schema":"second"}', '--id', id, '--wait', '--json');
  const message = await arrival;
  await deliver(succeeds, { schema: 'first' }, { 'operation-id': id });
  await succeeds(message);
  const { code, stdout } = await running;
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'IDEMPOTENCY_CONFLICT' } });
});

test('an operation that had ended is reported at once, as one that ended before', async () => {
  const id = newId();
  await deliver(succeeds, { schema: 'a' }, { 'operation-id': id });
  // Nobody handles the second message: whoever waited for that would time out.
  const { code, stdout, stderr } = await send(
    '{"schema":"a"}',
    '--id',
    id,
    '--wait',
    '--json',
    '--timeout',
    '0',
  );
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ operationId: id, state: 'succeeded' });
  expect(stderr).toMatch(/had ended before at .*not run again/);
});

test.each([
  [
    'an unknown function, with the nearest name and the list',
    ['send', 'create-shema', '--data', '{}'],
    /Did you mean create-schema\?\nFunctions: .*create-schema/,
  ],
  [
    'a function without a public contract',
    ['send', 'dead-letter', '--data', '{}'],
    /takes no messages.*\nFunctions:/,
  ],
  ['no function', ['send', '--data', '{}'], /Which function/],
  ['no data', ['send', functionName], /--data is missing/],
  [
    'a file that can not be read',
    ['send', functionName, '--data', '@/nowhere.json'],
    /nowhere\.json can't be read/,
  ],
  ['an id that can not be one', ['send', functionName, '--data', '{}', '--id', 'a b'], /--id must be/],
  [
    'a revision that is no number',
    ['send', functionName, '--data', '{}', '--revision', 'x'],
    /--revision must be/,
  ],
  [
    'a timeout that is no number',
    ['send', functionName, '--data', '{}', '--timeout', 'soon'],
    /--timeout must be/,
  ],
])('refuses %s, with 2', async (_case, args, message) => {
  const ran = await droverHere(...args);
  expect(ran).toMatchObject({ code: 2, stdout: '' });
  expect(ran.stderr).toMatch(message);
});

test('a topic that does not exist is named', async () => {
  const { code, stderr } = await drover(['send', functionName, '--data', '{}'], {
    environment: {
      GOOGLE_CLOUD_PROJECT: 'elsewhere',
      PUBSUB_EMULATOR_HOST: cloud.pubsub.host,
      FIRESTORE_EMULATOR_HOST: cloud.firestore.host,
    },
  });
  expect(code).toBe(1);
  expect(stderr).toMatch(/^TOPIC_NOT_FOUND: .*create-schema in the project elsewhere/);
});
