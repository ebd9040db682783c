import { afterAll, beforeAll, expect, it } from 'vitest';
import { localInstance } from '../../local/stack.ts';
import { logsIn, secretsOf, type TestSecrets } from '../support/secrets.ts';
import { secretFunctions, startTestStack, type TestStack, target } from '../support/stack.ts';

let stack: TestStack;
let secrets: TestSecrets;

beforeAll(async () => {
  stack = await startTestStack({
    only: [...secretFunctions, 'reconcile'],
    environment: { DROVER_ROTATION_FAILURES: '2', DROVER_ROTATIONS_PER_INSTANCE: '2' },
  });
  secrets = secretsOf(stack);
  await stack.send('create-schema', { target: target('app'), schema: 'billing' }, { id: 'schema' });
  await stack.ended('create-schema', 'schema');
});

afterAll(async () => {
  await secrets?.close();
  await stack?.stop();
});

const yesterday = () => new Date(Date.now() - 86_400_000);

async function create(secret: string): Promise<void> {
  const message = {
    secret,
    action: 'create',
    kind: 'postgres',
    target: target('app'),
    schema: 'billing',
    level: 'writer',
  };
  await stack.send('rotate-secret', message, { id: `create ${secret}`.replace(' ', '-') });
  const { state, error } = await stack.ended('rotate-secret', `create-${secret}`);
  expect(error ?? state).toBe('succeeded');
}

/** One tick; resolves with what it published, when all of that has ended. */
async function tick(id: string) {
  await stack.send('reconcile', {}, { id });
  const record = await stack.ended('reconcile', id);
  const names = (record.changes ?? []).map(({ name }) => name).filter((name) => name !== localInstance);
  for (const name of names) {
    const [action = '', secret = ''] = name.split(' ');
    const from = `${secret}${action === 'retire' ? '.retire' : ''}@`;
    const sent = await stack.db
      .collection('operations')
      .where('operationId', '>=', from)
      .where('operationId', '<', `${from}~`)
      .get();
    for (const one of sent.docs) await stack.ended('rotate-secret', one.get('operationId') as string);
  }
  return { names, notes: record.notes ?? [] };
}

/** Waits until the registry says something of a secret. */
async function untilSecret(
  secret: string,
  holds: (record: NonNullable<Awaited<ReturnType<TestSecrets['record']>>>) => boolean,
) {
  await expect
    .poll(
      async () => {
        const record = await secrets.record(secret);
        return record !== undefined && holds(record);
      },
      { timeout: 20_000, interval: 50 },
    )
    .toBe(true);
}

it('rotates what is due, a few at a time, and retires what that replaced once its time is over', async () => {
  for (const secret of ['app-a', 'app-b', 'app-c']) await create(secret);
  const first = await secrets.credential('app-a', 'current');
  for (const secret of ['app-a', 'app-b', 'app-c']) await secrets.set(secret, { nextRotation: yesterday() });

  const { names } = await tick('due-1');
  expect(names).toEqual(['rotate app-a', 'rotate app-b']);
  for (const secret of ['app-a', 'app-b']) await untilSecret(secret, ({ current }) => current === 2);
  const a = await secrets.record('app-a');
  expect(a?.nextRotation?.getTime()).toBeGreaterThan(Date.now() + 80 * 86_400_000);
  expect(a?.nextRetirement?.getTime()).toBeGreaterThan(Date.now() + 23 * 3_600_000);
  expect(await logsIn(first)).toBe(true);

  // The next tick does what is left, and nothing twice.
  expect((await tick('due-2')).names).toEqual(['rotate app-c']);
  await untilSecret('app-c', ({ current }) => current === 2);

  await secrets.set('app-a', {
    rotatedAt: new Date(Date.now() - 2 * 86_400_000),
    nextRetirement: yesterday(),
  });
  expect((await tick('due-3')).names).toEqual(['retire app-a']);
  await untilSecret('app-a', ({ retiredAt }) => retiredAt !== null);
  expect(await logsIn(first)).toBe(false);
  expect(await logsIn(await secrets.credential('app-a', 'current'))).toBe(true);
});

it('stops where rotations fail in a row, and says so', async () => {
  for (const secret of ['app-x', 'app-y', 'app-z']) {
    await create(secret);
    await secrets.set(secret, { nextRotation: yesterday() });
  }
  // Somebody dropped the logins that would be next.
  for (const secret of ['app-x', 'app-y', 'app-z']) await stack.query('app', `DROP ROLE "${secret}_b"`);

  expect((await tick('wave-1')).names).toEqual(['rotate app-x', 'rotate app-y']);
  for (const secret of ['app-x', 'app-y']) await untilSecret(secret, ({ failures }) => failures === 1);
  await expect
    .poll(() => stack.events.map(({ type }) => type), { timeout: 20_000 })
    .toContain('drover.rotations.halted');
  const halted = stack.events.find(({ type }) => type === 'drover.rotations.halted');
  expect(halted?.subject).toBe(localInstance);
  expect(halted?.data).toMatchObject({ failures: 2, code: 'LOGIN_NOT_FOUND' });
  const x = await secrets.record('app-x');
  expect(x?.last).toMatchObject({ code: 'LOGIN_NOT_FOUND', action: 'rotate' });
  expect(x?.open).toBeNull();
  expect(x?.nextRotation?.getTime()).toBeGreaterThan(Date.now());

  const { names, notes } = await tick('wave-2');
  expect(names).toEqual([]);
  expect(notes.map(({ code }) => code)).toEqual(['ROTATIONS_HALTED']);

  // An hour later something succeeds: the series is over.
  const halts = await stack.db.collection('breakers').get();
  for (const one of halts.docs)
    if (one.get('haltedUntil')) await one.ref.update({ haltedUntil: yesterday() });
  await stack.send('rotate-secret', { secret: 'app-a', scheduled: true, force: true }, { id: 'mended' });
  expect((await stack.ended('rotate-secret', 'mended')).state).toBe('succeeded');
  expect((await stack.db.collection('breakers').get()).empty).toBe(true);
});
