import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestStack, type TestStack, target } from '../support/stack.ts';

let stack: TestStack;

beforeAll(async () => {
  stack = await startTestStack();
});

afterAll(() => stack.stop());

const send = async (data: unknown, id: string, dryRun = false) => {
  await stack.send('create-schema', data, { id, dryRun });
  return stack.ended('create-schema', id, dryRun);
};

describe('create-schema', () => {
  it('makes the schema with its roles, and says so in the record, the registry and an event', async () => {
    const record = await send({ target: target('app'), schema: 'billing', comment: 'Invoices' }, 'first');

    expect(record).toMatchObject({ state: 'succeeded', epoch: 1 });
    expect(
      await stack.query(
        'app',
        `SELECT nspowner::regrole::text AS owner FROM pg_namespace WHERE nspname = 'billing'`,
      ),
    ).toEqual([{ owner: 'app__billing__owner' }]);
    const [registered] = (await stack.db.collection('schemas').where('schema', '==', 'billing').get()).docs;
    expect(registered?.data()).toMatchObject({
      epoch: 1,
      appliedEpoch: 1,
      applied: {
        levels: ['owner', 'writer', 'reader', 'analyst'],
        roles: { reader: 'app__billing__reader' },
      },
    });
  });
});
