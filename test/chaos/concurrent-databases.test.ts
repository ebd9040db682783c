import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestStack, type TestStack, target } from '../support/stack.ts';

const databases = Array.from({ length: 16 }, (_, index) => `app_${index}`);

let stack: TestStack;

beforeAll(async () => {
  stack = await startTestStack({ databases: { open: ['app', ...databases] } });
});

afterAll(() => stack.stop());

/** Sends all at once, and expects that nobody hears of collisions. */
async function sendAll(messages: readonly { database: string; schema: string; lockDatabase?: boolean }[]) {
  const records = await Promise.all(
    messages.map(async ({ database, ...message }) => {
      const id = `${database}-${message.schema}`;
      await stack.send('create-schema', { target: target(database), ...message }, { id });
      return stack.ended('create-schema', id);
    }),
  );
  for (const record of records) expect(record).toMatchObject({ state: 'succeeded', epoch: 1, error: null });
  expect(JSON.stringify(records)).not.toContain('tuple concurrently');
  expect([...stack.logs.values()].flat().join('\n')).not.toContain('tuple concurrently');
}

// Roles and databases belong to the whole instance, and no lock of one schema protects them.
describe('16 messages at once never meet as "tuple concurrently updated"', () => {
  it.each(['first', 'second', 'third'])('for 16 databases: their %s schema', (schema) =>
    sendAll(databases.map((database) => ({ database, schema }))),
  );

  it('for 16 schemas of one database, whose roles and rights they share', async () => {
    await stack.query(
      'app',
      `GRANT CONNECT, TEMPORARY ON DATABASE app TO drover_admin WITH GRANT OPTION;
       REVOKE CONNECT, TEMPORARY ON DATABASE app FROM PUBLIC;
       GRANT CONNECT ON DATABASE app TO drover_writers`,
    );
    await sendAll(
      databases.map((_, index) => ({ database: 'app', schema: `shared_${index}`, lockDatabase: true })),
    );
  });
});
