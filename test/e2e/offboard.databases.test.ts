import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { localPassword } from '../../local/postgres/cloudsql.ts';
import { grantFunctions, startTestStack, type TestStack, target } from '../support/stack.ts';
import { membersOf, presentIn, registryOf } from './members.ts';

const databases = ['app', 'app_two'];

let stack: TestStack;

beforeAll(async () => {
  stack = await startTestStack({ only: grantFunctions, databases: { open: databases } });
  for (const database of databases) {
    await stack.send('create-schema', { target: target(database), schema: 'billing' }, { id: database });
    await stack.ended('create-schema', database);
  }
});

afterAll(() => stack.stop());

let sent = 0;
async function send(message: object) {
  sent += 1;
  const id = `message-${sent}`;
  await stack.send('grant-roles', { target: target('app'), ...message }, { id });
  return stack.ended('grant-roles', id);
}

/** Somebody whom Drover may drop, with grants in both databases. */
async function hire(principal: string) {
  const name = pg.escapeIdentifier(principal);
  await stack.query('app', `SET ROLE drover_admin_07; CREATE ROLE ${name} LOGIN PASSWORD '${localPassword}'`);
  for (const database of databases) {
    const grants = [{ principal, kind: 'login', level: 'owner' }];
    const message = { target: target(database), schema: 'billing', mode: 'add', grants };
    expect(await send(message)).toMatchObject({ state: 'succeeded' });
  }
}

const offboard = (principal: string) => send({ mode: 'offboard', grants: [{ principal, kind: 'login' }] });

/** What else can be known of somebody in the catalog. */
const known = (name: string) =>
  stack.query(
    'app',
    `SELECT rolcanlogin AS login, (SELECT count(*)::int FROM pg_auth_members WHERE member = r.oid) AS memberships
       FROM pg_roles r WHERE rolname = '${name}'`,
  );

async function logIn(user: string) {
  const client = new pg.Client({ connectionString: stack.cluster.url(user, localPassword, 'app') });
  const ended = new Promise<void>((resolve) => client.once('end', resolve));
  client.on('error', () => undefined);
  await client.connect();
  return { ended };
}

describe.each([
  {
    name: 'alice',
    why: 'lets nobody in',
    close: ['ALTER DATABASE app_two ALLOW_CONNECTIONS false'],
    open: ['ALTER DATABASE app_two ALLOW_CONNECTIONS true'],
  },
  {
    name: 'bob',
    why: 'does not let Drover in',
    close: ['REVOKE CONNECT ON DATABASE app_two FROM PUBLIC'],
    open: ['GRANT CONNECT ON DATABASE app_two TO PUBLIC'],
  },
])('offboarding, where one database $why,', ({ name, close, open }) => {
  it('does all that is possible elsewhere, says what is left, and finishes once it is let in', async () => {
    await hire(name);
    const session = await logIn(name);
    for (const text of close) await stack.query('app', text);
    await stack.query(
      'app',
      `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = 'app_two'`,
    );
    try {
      const first = await offboard(name);
      await session.ended;

      expect(first).toMatchObject({ state: 'succeeded', partial: true });
      const left = first.notes?.filter(({ code }) => code === 'OFFBOARD_OUT_OF_REACH') ?? [];
      expect(left.map(({ message }) => message).join()).toContain(`${name} in app_two.billing`);
      expect(await known(name)).toEqual([]);
      expect(presentIn(await registryOf(stack, 'app', 'billing'))).toEqual([]);
    } finally {
      for (const text of open) await stack.query('app', text);
    }

    const second = await offboard(name);

    expect(second).toMatchObject({ state: 'succeeded' });
    expect(second).not.toHaveProperty('partial', true);
    for (const database of databases) {
      expect(presentIn(await registryOf(stack, database, 'billing'))).toEqual([]);
      expect(await membersOf(stack, database, 'billing')).toEqual([]);
    }
  });
});

describe('offboarding', () => {
  it.each(['cloudsql-team@acme.com', 'google_docs@acme.com', 'drover_fan@acme.com'])(
    'takes %s out, whose name only begins like one of the system’s',
    async (name) => {
      await hire(name);
      const session = await logIn(name);

      const record = await offboard(name);
      await session.ended;

      expect(record).toMatchObject({ state: 'succeeded', notes: [] });
      expect(await known(name)).toEqual([]);
    },
  );
});
