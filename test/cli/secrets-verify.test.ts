import { expect, test } from 'vitest';
import { OperationError } from '../../shared/operation/errors.ts';
import type { Note } from '../../shared/operation/outcome.ts';
import { drover, droverInCloud, useCloud } from './fixture.ts';
import { type SecretMessage, secretsFunction, seed, startSecretsWorker } from './secrets-fixture.ts';

const cloud = useCloud([secretsFunction]);
const verify = (...args: string[]) => droverInCloud('secrets', 'verify', ...args);

const isBroken: Note = { code: 'VERSION_BROKEN', message: 'Version 1: password authentication failed' };
const isMended: Note = { code: 'VERSION_MENDED', message: 'Version 2 works again' };

/** Stands in for the function: what a secret's name begins with says what becomes of it. */
async function startVerifier(): Promise<SecretMessage[]> {
  const messages: SecretMessage[] = [];
  await startSecretsWorker(cloud, async (message) => {
    messages.push(message);
    if (message.secret.startsWith('refused')) throw new OperationError('NOT_ALLOWED', 'No rule');
    const broken = message.secret.startsWith('broken') ? 1 : 0;
    const mended = message.repair ? broken : 0;
    const notes = [...(broken ? [isBroken] : []), ...(mended ? [isMended] : [])];
    const summary = { versions: 2, working: 2 - broken, broken, mended };
    return { changes: [], notes, summary };
  });
  return messages;
}

/** The cells of each line but the head, without the operation. */
function results(stdout: string): string[][] {
  const [head, ...rows] = stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/));
  expect(head).toEqual(['SECRET', 'RESULT', 'OPERATION', 'DETAIL']);
  return rows.map(([secret = '', result = '', , ...detail]) => [secret, result, ...detail]);
}

test('has a line for each, in the order given, and exits with 1 where one is broken', async () => {
  const messages = await startVerifier();
  await seed(cloud, { secret: 'works-1' }, { secret: 'broken-1' });
  const { code, stdout, stderr } = await drover(['secrets', 'verify', 'works-1', 'broken-1', 'works-1']);
  expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
  expect(results(stdout)).toEqual([
    ['works-1', 'works', '2 versions'],
    ['broken-1', 'broken', isBroken.message],
  ]);
  expect(messages.map(({ secret, action, repair }) => ({ secret, action, repair }))).toEqual(
    expect.arrayContaining([
      { secret: 'works-1', action: 'verify', repair: false },
      { secret: 'broken-1', action: 'verify', repair: false },
    ]),
  );
  expect(messages).toHaveLength(2);
});

test('of an instance takes its secrets and no others; what was mended works', async () => {
  const place = 'test-project:europe-west1:restored';
  await startVerifier();
  await seed(
    cloud,
    { secret: 'broken-2', instance: place },
    { secret: 'works-2', instance: place },
    { secret: 'elsewhere' },
  );
  const { code, stdout } = await verify('--instance', place, '--repair', '--json');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual([
    {
      secret: 'broken-2',
      result: 'mended',
      detail: `${isBroken.message}; ${isMended.message}`,
      operation: expect.any(String),
    },
    { secret: 'works-2', result: 'works', detail: '2 versions', operation: expect.any(String) },
  ]);
});

test('--all takes every secret, more than are asked for at a time', async () => {
  const messages = await startVerifier();
  const many = Array.from({ length: 20 }, (_, index) => `works-many-${index}`);
  await seed(cloud, ...many.map((secret) => ({ secret })));
  const { stdout } = await verify('--all');
  expect(results(stdout).map(([secret]) => secret)).toEqual(expect.arrayContaining(many));
  expect(messages.map(({ secret }) => secret)).toEqual(expect.arrayContaining(many));
});

test('one that fails or is unknown keeps no other from being verified', async () => {
  await startVerifier();
  await seed(cloud, { secret: 'refused-1' }, { secret: 'works-3' });
  const { code, stdout } = await verify('works-9', 'refused-1', 'works-3');
  expect(code).toBe(1);
  expect(results(stdout)).toEqual([
    ['works-9', 'failed', expect.stringMatching(/^SECRET_NOT_FOUND: .*Did you mean works-/)],
    ['refused-1', 'failed', 'NOT_ALLOWED: No rule'],
    ['works-3', 'works', '2 versions'],
  ]);
});

test('exits with 3 when the time was over before all had ended', async () => {
  await seed(cloud, { secret: 'slow-1' }, { secret: 'slow-2' });
  const { code, stdout, stderr } = await verify('slow-1', 'slow-2', '--timeout', '0.2');
  expect(code).toBe(3);
  expect(results(stdout)).toEqual([
    ['slow-1', 'unfinished', 'no worker has taken it yet'],
    ['slow-2', 'unfinished', 'no worker has taken it yet'],
  ]);
  expect(stderr).toMatch(/^After 0\.2 s 2 of 2 have not ended\. Look again: drover operations/);
});

test('says so where there is nothing to verify', async () => {
  const { code, stdout, stderr } = await verify('--instance', 'test-project:europe-west1:nothing');
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '', stderr: 'There are no such secrets.\n' });
});
