import { expect, it } from 'vitest';
import { login, useGrants } from './grants.ts';

const { send, members, registry, query } = useGrants({}, async ({ query, createSchema }) => {
  await query('CREATE ROLE alice LOGIN; CREATE ROLE eve LOGIN');
  await createSchema('app', 'billing');
});

it('refuses whom one of the roles is a member of, with the place and the statements that mend it', async () => {
  await query('GRANT eve TO app__billing__reader');
  const grants = [login('alice', 'reader'), login('eve', 'writer')];

  const refused = await send({ mode: 'add', grants });

  expect(refused).toMatchObject({
    state: 'failed',
    reason: 'permanent',
    error: {
      code: 'MEMBERSHIP_CYCLE',
      details: { problems: [{ path: 'data.grants[1].principal', code: 'MEMBERSHIP_CYCLE' }] },
    },
  });
  expect(await members()).toEqual([]);
  expect((await registry()).grants).toEqual({});

  const statements = refused.error?.details?.['statements'];
  await query((statements as string[]).join(';'));
  expect(await send({ mode: 'add', grants })).toMatchObject({ state: 'succeeded' });
  expect(await members()).toEqual(['reader alice', 'writer eve']);
});
