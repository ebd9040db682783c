import type pg from 'pg';
import { describe, expect, it } from 'vitest';
import { setPassword } from '../../../../shared/postgres/logins/password.ts';
import { endLoginSessions, withAges } from '../../../../shared/postgres/logins/sessions.ts';
import {
  ensure,
  foreignLogin,
  logIn,
  newLogin,
  newName,
  options,
  owner,
  scope,
  superuser,
  useLogins,
} from './fixture.ts';

useLogins();

const sessionsOf = (login: string, end: boolean) => endLoginSessions(scope, login, end, options());

const endOf = (client: pg.Client) => new Promise<void>((resolve) => client.once('end', resolve));

async function usedBy(...applications: string[]): Promise<{ login: string; clients: pg.Client[] }> {
  const login = await newLogin();
  await setPassword(scope, { login, password: 'secret', epoch: 1, onlyIdle: true }, options());
  const clients = [];
  for (const application of applications) clients.push(await logIn(login, 'secret', application));
  return { login, clients };
}

describe('the sessions of a secret’s login', () => {
  it('are told, and go on', async () => {
    const { login, clients } = await usedBy('billing-api', 'billing-worker');
    const { ended, left } = await sessionsOf(login, false);
    expect(ended).toEqual([]);
    expect(left.map(({ application }) => application).sort()).toEqual(['billing-api', 'billing-worker']);
    for (const client of clients) await client.query('SELECT 1');
  });

  it('are ended where that is asked for, and nobody else’s', async () => {
    const { login, clients } = await usedBy('billing-api', 'billing-worker', 'drover/rotate-secret');
    const other = await usedBy('shop');
    const ends = clients.slice(0, 2).map(endOf);

    const { ended, left } = await sessionsOf(login, true);

    expect(ended.map(({ application }) => application).sort()).toEqual(['billing-api', 'billing-worker']);
    expect(left).toEqual([]);
    await Promise.all(ends);
    await clients[2]?.query('SELECT 1');
    await other.clients[0]?.query('SELECT 1');
  });

  it('are ended without leaving Drover a member of the login', async () => {
    const { login } = await usedBy('billing-api');
    expect((await sessionsOf(login, true)).ended).toHaveLength(1);
    const { clients } = await usedBy('observer');
    const lasting =
      'SELECT FROM pg_auth_members WHERE roleid = $1::regrole AND (set_option OR inherit_option)';
    expect((await clients[0]?.query(lasting, [login]))?.rows).toEqual([]);
  });

  it('are none where it isn’t in use', async () => {
    const { login } = await usedBy();
    for (const end of [false, true]) expect(await sessionsOf(login, end)).toEqual({ ended: [], left: [] });
  });

  it('of a login that Drover is no admin of are left', async () => {
    const login = await foreignLogin(`PASSWORD 'secret'`, scope);
    await superuser(`GRANT CONNECT ON DATABASE app TO ${login}`);
    const client = await logIn(login, 'secret');
    const { ended, left } = await sessionsOf(login, true);
    expect({ ended, left: left.length }).toEqual({ ended: [], left: 1 });
    await client.query('SELECT 1');
  });

  it.each([
    ['that isn’t there', () => newName(), 'LOGIN_NOT_FOUND'],
    ['of another secret', () => foreignLogin('', { secret: 'app-shop' }), 'LOGIN_NOT_MANAGED'],
    ['that may make roles', () => foreignLogin('CREATEROLE', scope), 'LOGIN_NOT_ALLOWED'],
  ])('%s are nobody’s to end', async (_, make, code) => {
    await expect(sessionsOf(await make(), true)).rejects.toMatchObject({ code });
  });
});

describe('how long sessions have been open', () => {
  const agesOf = async (user: string, password: string) =>
    withAges(scope, (await sessionsOf(user, false)).left, { user, password }, options());

  it('is known to the login itself, where Drover may not know it', async () => {
    const { login } = await usedBy('billing-api');
    expect((await sessionsOf(login, false)).left).toMatchObject([{ since: null }]);
    const [session, ...others] = await agesOf(login, 'secret');
    expect(others).toEqual([]);
    expect(session).toMatchObject({ application: 'billing-api', database: 'app' });
    expect(Math.abs(Date.now() - Date.parse(session?.since ?? ''))).toBeLessThan(30_000);
  });

  it('is known to one whose sessions act as a group, too', async () => {
    const { login } = await usedBy('billing-api');
    await superuser(`GRANT ${owner} TO ${login}`);
    await ensure([login], { actAs: owner });
    expect(await agesOf(login, 'secret')).toMatchObject([{ since: expect.any(String) }]);
  });

  it('stays unknown where the login can’t be asked', async () => {
    const { login } = await usedBy('billing-api');
    expect(await agesOf(login, 'not its password')).toMatchObject([{ since: null }]);
  });

  it('is asked of nobody where there are none', async () => {
    const { login } = await usedBy();
    const signal = AbortSignal.abort();
    const none = withAges(scope, [], { user: login, password: 'secret' }, { ...options(), signal });
    expect(await none).toEqual([]);
  });
});
