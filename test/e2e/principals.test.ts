import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { localInstance } from '../../local/stack.ts';
import { startTestStack, type TestStack, target } from '../support/stack.ts';

const functionName = 'create-schema';
const rule = { functions: [functionName], levels: ['owner', 'writer', 'reader', 'analyst'] };
const policy = {
  rules: [
    { ...rule, targets: [`${localInstance}/app`], principals: ['*'] },
    { ...rule, targets: [`${localInstance}/strict`], principals: ['dora'] },
  ],
};

let stack: TestStack;

beforeAll(async () => {
  stack = await startTestStack({ databases: { open: ['app', 'strict'] }, policy });
  for (const login of ['dora', 'mallory']) {
    await stack.query('postgres', `CREATE ROLE ${login} LOGIN`);
  }
  for (const database of ['app', 'strict']) {
    expect(await send(database, 'billing', undefined)).toMatchObject({ state: 'succeeded' });
  }
});

afterAll(() => stack.stop());

async function send(database: string, schema: string, owner: string | undefined) {
  const id = `${database}-${schema}-${owner?.split('@')[0] ?? 'nobody'}`;
  await stack.send(functionName, { target: target(database), schema, owner }, { id });
  return stack.ended(functionName, id);
}

/** Who is a member of what, by whom, and which roles and schemas there are. */
const granted = () =>
  stack.query(
    'app',
    `SELECT (SELECT array_agg(rolname::text ORDER BY rolname) FROM pg_roles) AS roles,
            (SELECT array_agg(nspname::text ORDER BY nspname) FROM pg_namespace) AS schemas,
            (SELECT jsonb_agg(to_jsonb(m) - 'oid' ORDER BY roleid, member, grantor) FROM pg_auth_members m) AS memberships`,
  );

const membersOf = async (role: string) =>
  (
    await stack.query(
      'postgres',
      `SELECT member::regrole::text FROM pg_auth_members
        WHERE roleid = '${role}'::regrole AND NOT admin_option ORDER BY 1`,
    )
  ).map(({ member }) => member);

describe('a schema’s owner', () => {
  // The policy names every principal, and still these can't be given anything.
  it.each([
    { who: 'the admin of the instance', owner: 'postgres', why: 'a role of the system' },
    {
      who: 'the login of a function',
      owner: 'drover-create-schema@acme-dev.iam',
      why: 'a role of the system',
    },
    { who: 'a superuser', owner: 'cloudsqladmin', why: 'a superuser' },
  ])('is never $who', async ({ owner, why }) => {
    const before = await granted();

    for (const schema of ['billing', 'unborn']) {
      const record = await send('app', schema, owner);

      expect(record).toMatchObject({
        state: 'failed',
        reason: 'permanent',
        error: {
          code: 'PRINCIPAL_NOT_ALLOWED',
          message: `${owner} is ${why} and can't act as a schema's owner.`,
          details: { principal: owner },
        },
      });
    }

    expect(await granted()).toEqual(before);
  });

  it('is one that the policy names, and nobody else', async () => {
    const before = await granted();

    const refused = await send('strict', 'billing', 'mallory');

    expect(refused).toMatchObject({
      state: 'failed',
      reason: 'rejected',
      error: { code: 'NOT_ALLOWED', details: { missing: ['principal mallory'] } },
    });
    expect(await granted()).toEqual(before);
    expect(await send('strict', 'billing', 'dora')).toMatchObject({ state: 'succeeded' });
    expect(await membersOf('strict__billing__owner')).toContain('dora');
  });

  it('is anybody else where the policy names everybody', async () => {
    expect(await send('app', 'billing', 'mallory')).toMatchObject({ state: 'succeeded' });
    expect(await membersOf('app__billing__owner')).toContain('mallory');
  });
});
