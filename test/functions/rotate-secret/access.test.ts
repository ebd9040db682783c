import { describe, expect, it } from 'vitest';
import rotateSecret from '../../../functions/rotate-secret/index.ts';
import { firestore } from '../../../shared/gcp/firestore.ts';
import { operationDocumentId, operationsCollection } from '../../../shared/registry/operations.ts';
import { push, useWorker } from '../../shared/operation/worker.ts';

const target = { instance: 'acme:europe-west1:main', database: 'app' };

// What a message asks for shows in what a rule doesn't allow that allows nothing.
const rules = [
  { functions: ['rotate-secret'], targets: [`${target.instance}/app`], secrets: ['app-*'] },
  { functions: ['rotate-secret'], secrets: ['value-*'] },
];
useWorker({ DROVER_POLICY: JSON.stringify({ rules }) });

async function refusalOf(message: unknown, attributes: Record<string, string> = {}) {
  await rotateSecret(push('asked', message, attributes));
  const db = await firestore();
  const id = operationDocumentId('rotate-secret', { operationId: 'asked', dryRun: false });
  const record = (await db.collection(operationsCollection).doc(id).get()).data();
  return { target: record?.['target'], ...record?.['error'] };
}

const creation = {
  secret: 'app-billing',
  action: 'create',
  kind: 'postgres',
  target,
  schema: 'billing',
  level: 'writer',
};

describe('a message asks for', () => {
  it.each([
    ['the level and the creation', creation, ['level writer', 'create']],
    [
      'a custom role by its name',
      { ...creation, level: undefined, customRole: 'support' },
      ['level custom:support', 'create'],
    ],
    ['an adoption', { ...creation, action: 'adopt', level: undefined }, ['adopt']],
    ['what runs a query', { ...creation, probe: 'SELECT 1' }, ['level writer', 'create', 'probe']],
    ['a value without a level', { secret: 'value-a', action: 'create', kind: 'random' }, ['create']],
    ['what breaks others', { secret: 'value-a', force: true }, ['force']],
    ['a probe that is only changed', { secret: 'value-a', probe: 'SELECT 1' }, ['probe']],
    ['a repair', { secret: 'value-a', action: 'verify', repair: true }, ['repair']],
  ])('%s', async (_, message, missing) => {
    const { code, details } = await refusalOf(message);
    expect(code).toBe('NOT_ALLOWED');
    expect(details.missing).toEqual(missing);
  });

  it('a secret that a rule names', async () => {
    expect(await refusalOf({ secret: 'shop' })).toMatchObject({
      code: 'NOT_ALLOWED',
      message: expect.stringContaining('No rule allows rotate-secret on secret shop.'),
      details: { names: ['shop'] },
      target: 'secret shop',
    });
  });

  it('a secret and a database that the same rule names', async () => {
    for (const message of [
      { ...creation, secret: 'value-a' },
      { ...creation, target: { ...target, database: 'billing' } },
    ]) {
      const { code, message: text } = await refusalOf(message);
      expect([code, text]).toEqual(['NOT_ALLOWED', expect.stringContaining('No rule allows rotate-secret')]);
    }
  });
});

describe('a notification of Secret Manager', () => {
  const attributes = {
    eventType: 'SECRET_ROTATE',
    dataFormat: 'JSON_API_V1',
    secretId: 'projects/123456789012/secrets/shop',
    timestamp: '2026-03-01T02:00:00.000000-08:00',
  };

  it('asks for its secret, like a message', async () => {
    const { code, details } = await refusalOf({ name: attributes.secretId }, attributes);
    expect([code, details.names]).toEqual(['NOT_ALLOWED', ['shop']]);
  });

  it('that names none is refused like a message', async () => {
    const { code, details } = await refusalOf({}, { eventType: 'SECRET_ROTATE' });
    expect([code, details.problems[0].path]).toEqual(['INVALID_MESSAGE', 'data.secret']);
  });
});
