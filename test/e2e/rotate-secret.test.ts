import { afterAll, beforeAll, expect, it } from 'vitest';
import { logsIn, secretsOf, type TestSecrets } from '../support/secrets.ts';
import { secretFunctions, startTestStack, type TestStack, target } from '../support/stack.ts';

let stack: TestStack;
let secrets: TestSecrets;

beforeAll(async () => {
  stack = await startTestStack({ only: secretFunctions });
  secrets = secretsOf(stack);
  await stack.send('create-schema', { target: target('app'), schema: 'billing' }, { id: 'schema' });
  await stack.ended('create-schema', 'schema');
});

afterAll(async () => {
  await secrets?.close();
  await stack?.stop();
});

const creation = (secret: string, more: object = {}) => ({
  secret,
  action: 'create',
  kind: 'postgres',
  target: target('app'),
  schema: 'billing',
  level: 'writer',
  ...more,
});

async function done(id: string, data: object, options: object = {}) {
  await stack.send('rotate-secret', data, { id, ...options });
  return stack.ended('rotate-secret', id);
}

it('creates a secret with two logins, and rotates it', async () => {
  const created = await done('create-1', creation('app-billing'));
  expect(created.error ?? undefined).toBeUndefined();
  const first = await secrets.credential('app-billing', 'current');
  expect(await logsIn(first)).toBe(true);
  const rotated = await done('rotate-1', { secret: 'app-billing' });
  expect(rotated.error ?? undefined).toBeUndefined();
  const second = await secrets.credential('app-billing', 'current');
  expect(await logsIn(second)).toBe(true);
  expect(await logsIn(first)).toBe(true);
});
