import type pg from 'pg';
import { describe, expect, it } from 'vitest';
import type { LoginLimits } from '../../../../shared/postgres/logins/ensure.ts';
import { setPassword } from '../../../../shared/postgres/logins/password.ts';
import { connected } from '../../../support/postgres.ts';
import {
  cluster,
  ensure,
  foreignLogin,
  logIn,
  newName,
  options,
  scope,
  stateOf,
  superuser,
  useLogins,
} from './fixture.ts';

useLogins();

const limits: LoginLimits = { connections: 2, statementTimeoutSeconds: 60 };
const altered = (name: string, detail: string) => ({ action: 'alter', kind: 'login', name, detail });
const ask = <T extends pg.QueryResultRow>(text: string) =>
  connected(cluster.superuserUrl('app'), async (client) => (await client.query<T>(text)).rows);

/** What is set for a login, in which database. */
async function settingsOf(login: string): Promise<unknown> {
  const [role] = await ask<{ most: number }>(
    `SELECT rolconnlimit AS most FROM pg_roles WHERE rolname = '${login}'`,
  );
  const settings = await ask<{ database: string | null; set: string[] }>(
    `SELECT d.datname AS database, s.setconfig AS set
       FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase
      WHERE s.setrole = '${login}'::regrole ORDER BY 1`,
  );
  return {
    connections: role?.most,
    ...Object.fromEntries(settings.map(({ database, set }) => [database, set])),
  };
}

describe('the limits of a secret’s logins', () => {
  it('are set with them, in their database, and told', async () => {
    const [one, other] = [newName(), newName()];
    const { changes, statements } = await ensure([one, other], { limits });
    expect(changes).toEqual([
      { action: 'create', kind: 'login', name: one },
      { action: 'create', kind: 'login', name: other },
      ...[one, other].flatMap((name) => [
        altered(name, 'at most 2 connections'),
        altered(name, 'statements end after 60s, by default'),
      ]),
    ]);
    expect(statements).toContain(`ALTER ROLE "${one}" CONNECTION LIMIT 2`);
    for (const login of [one, other]) {
      expect(await settingsOf(login)).toEqual({ connections: 2, app: ['statement_timeout=60s'] });
    }
  });

  it('are set once', async () => {
    const login = newName();
    await ensure([login], { limits });
    expect(await ensure([login], { limits, epoch: 2 })).toEqual({ changes: [], statements: [] });
  });

  it('are changed, each where it differs', async () => {
    const login = newName();
    await ensure([login], { limits });
    const more = await ensure([login], { limits: { ...limits, connections: 50 }, epoch: 2 });
    expect(more.changes).toEqual([altered(login, 'at most 50 connections')]);
    const longer = await ensure([login], {
      limits: { connections: 50, statementTimeoutSeconds: 600 },
      epoch: 3,
    });
    expect(longer.changes).toEqual([altered(login, 'statements end after 600s, by default')]);
    expect(await settingsOf(login)).toEqual({ connections: 50, app: ['statement_timeout=600s'] });
  });

  it('are mended where somebody else has changed them', async () => {
    const login = newName();
    await ensure([login], { limits });
    await superuser(
      `ALTER ROLE ${login} CONNECTION LIMIT -1`,
      `ALTER ROLE ${login} IN DATABASE app RESET statement_timeout`,
      `ALTER ROLE ${login} SET statement_timeout TO '1s'`,
    );
    expect((await ensure([login], { limits })).changes).toHaveLength(2);
    expect(await settingsOf(login)).toMatchObject({ connections: 2, app: ['statement_timeout=60s'] });
  });

  it('stay as they are where nothing is said of them', async () => {
    const login = newName();
    await ensure([login], { limits });
    expect((await ensure([login], { epoch: 2 })).changes).toEqual([]);
    expect(await settingsOf(login)).toEqual({ connections: 2, app: ['statement_timeout=60s'] });
  });

  it('stay beside what else is set for a login', async () => {
    const login = newName();
    await ensure([login], { limits, actAs: 'app__billing__owner' });
    await superuser(`ALTER ROLE ${login} IN DATABASE app SET search_path TO billing`);
    expect((await ensure([login], { limits, actAs: 'app__billing__owner' })).changes).toEqual([]);
    await ensure([login], { limits: { ...limits, statementTimeoutSeconds: 5 } });
    expect(await settingsOf(login)).toMatchObject({
      app: ['role=app__billing__owner', 'statement_timeout=5s', 'search_path=billing'],
    });
  });

  it('are only told in a dry run', async () => {
    const login = newName();
    const { changes, statements } = await ensure([login], { limits, epoch: undefined });
    expect(changes.map(({ action }) => action)).toEqual(['create', 'alter', 'alter']);
    expect(statements.join('\n')).toContain('statement_timeout');
    expect(await stateOf(login)).toBeUndefined();
  });

  it('are not set for a login that isn’t the secret’s', async () => {
    const login = await foreignLogin('', { secret: 'app-shop' });
    await expect(ensure([login], { limits })).rejects.toMatchObject({ code: 'LOGIN_NOT_MANAGED' });
    expect(await settingsOf(login)).toEqual({ connections: -1 });
  });

  it('hold: PostgreSQL refuses one connection more, and ends what takes too long, unless it is told otherwise', async () => {
    const login = newName();
    await ensure([login], { limits: { connections: 1, statementTimeoutSeconds: 1 } });
    await setPassword(scope, { login, password: 'first', epoch: 1, onlyIdle: true }, options());
    const session = await logIn(login, 'first');
    await expect(logIn(login, 'first')).rejects.toMatchObject({ code: '53300' });
    const { rows } = await session.query('SHOW statement_timeout');
    expect(rows).toEqual([{ statement_timeout: '1s' }]);
    await session.query(`SET statement_timeout TO '1ms'`);
    await expect(session.query('SELECT pg_sleep(10)')).rejects.toMatchObject({ code: '57014' });
    await session.query(`SET statement_timeout TO 0`);
    await session.query('SELECT 1');
  });
});
