import type pg from 'pg';
import { describe, expect, it } from 'vitest';
import { localPassword } from '../../../../local/postgres/cloudsql.ts';
import { adminOfLogins } from '../../../../shared/postgres/logins/change.ts';
import { setPassword } from '../../../../shared/postgres/logins/password.ts';
import { closeLogins, dropLogins } from '../../../../shared/postgres/logins/remove.ts';
import { connected, run } from '../../../support/postgres.ts';
import {
  cluster,
  ensure,
  foreignLogin,
  logIn,
  newName,
  options,
  owner,
  scope,
  stateOf,
  superuser,
  useLogins,
  writer,
} from './fixture.ts';

useLogins();

const close = (...logins: readonly string[]) => closeLogins(scope, logins, options());
const drop = (...logins: readonly string[]) => dropLogins(scope, logins, options());
const dropped = (name: string) => ({ action: 'revoke', kind: 'role', name, detail: 'dropped' });

const admin = adminOfLogins(scope);

/** Grants as Drover does, and so that it can take it back. */
const join = (login: string, role: string) =>
  superuser(`SET ROLE ${admin}`, `GRANT ${role} TO ${login}`, 'RESET ROLE');

/** A login that works. */
async function working(): Promise<string> {
  const login = newName();
  await ensure([login]);
  await join(login, writer);
  await setPassword(scope, { login, password: 'first', epoch: 1, onlyIdle: true }, options());
  return login;
}

const isAlive = (session: pg.Client) =>
  session.query('SELECT 1').then(
    () => true,
    () => false,
  );

const ownerOf = (table: string) =>
  connected(cluster.superuserUrl('app'), async (client) => {
    const { rows } = await client.query(
      `SELECT pg_get_userbyid(relowner) AS owner FROM pg_class WHERE oid = to_regclass($1)`,
      [table],
    );
    return rows[0]?.owner;
  });

describe('logins that are shut out', () => {
  it('log in no more, and their sessions end', async () => {
    const [one, other] = [await working(), await working()];
    const sessions = [await logIn(one, 'first'), await logIn(other, 'first')];
    const bystander = await working();
    const its = await logIn(bystander, 'first');

    const changes = await close(one, other);
    expect(changes).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ action: 'alter', kind: 'role', name: one }),
        expect.objectContaining({ action: 'revoke', kind: 'session' }),
      ]),
    );
    expect(await Promise.all(sessions.map(isAlive))).toEqual([false, false]);
    for (const login of [one, other]) {
      await expect(logIn(login, 'first')).rejects.toMatchObject({ code: '28000' });
    }
    expect(await isAlive(its)).toBe(true);
    await logIn(bystander, 'first');
  });

  it('are shut out again without effect, gone ones too', async () => {
    const login = await working();
    await close(login);
    expect(await close(login, newName())).toEqual([]);
  });
});

describe('logins that are dropped', () => {
  it('are gone, with their sessions and memberships', async () => {
    const [one, other] = [await working(), await working()];
    const session = await logIn(one, 'first');
    const changes = await drop(one, other);
    expect(changes).toEqual(expect.arrayContaining([dropped(one), dropped(other)]));
    expect([await stateOf(one), await stateOf(other)]).toEqual([undefined, undefined]);
    expect(await isAlive(session)).toBe(false);
  });

  it('may be shut out before, and gone', async () => {
    const [one, other] = [await working(), newName()];
    await close(one);
    expect(await drop(one, other)).toEqual([dropped(one)]);
    expect(await drop(one, other)).toEqual([]);
  });

  it('may have acted as their group: what that owns stays', async () => {
    const login = newName();
    await ensure([login], { actAs: owner, limits: { connections: 3, statementTimeoutSeconds: 60 } });
    await join(login, owner);
    await setPassword(scope, { login, password: 'first', epoch: 1, onlyIdle: true }, options());
    const session = await logIn(login, 'first');
    await session.query(`CREATE TABLE billing.by_${login} (id int)`);
    expect(await drop(login)).toContainEqual(dropped(login));
    expect(await ownerOf(`billing.by_${login}`)).toBe(owner);
  });

  it('leave what they own themselves: it becomes Drover’s, in the schema its owner’s', async () => {
    const login = await working();
    await superuser(
      `CREATE TABLE billing.of_${login} (id int)`,
      `ALTER TABLE billing.of_${login} OWNER TO ${login}`,
      `CREATE TABLE public.of_${login} (id int)`,
      `ALTER TABLE public.of_${login} OWNER TO ${login}`,
      `GRANT CREATE ON SCHEMA public TO drover_admin`,
      `ALTER DEFAULT PRIVILEGES FOR ROLE ${login} GRANT SELECT ON TABLES TO PUBLIC`,
      `CREATE POLICY only_${login} ON billing.invoices TO ${login} USING (true)`,
    );
    expect(await drop(login)).toContainEqual(dropped(login));
    expect(await stateOf(login)).toBeUndefined();
    expect(await ownerOf(`billing.of_${login}`)).toBe(owner);
    expect(await ownerOf(`public.of_${login}`)).toBe('drover_admin');
  });

  it('stay, and that is told with what ends it, where something of one is out of reach', async () => {
    const login = await working();
    await run(
      cluster.superuserUrl('postgres'),
      `CREATE TABLE public.of_${login} (id int)`,
      `ALTER TABLE public.of_${login} OWNER TO ${login}`,
    );
    await expect(drop(login)).rejects.toMatchObject({
      code: 'LOGIN_REMAINS',
      retryable: false,
      message: expect.stringContaining(`depend on ${login} in postgres`),
      details: { statements: expect.arrayContaining([`DROP ROLE "${login}"`]) },
    });
    await expect(logIn(login, 'first')).rejects.toMatchObject({ code: '28000' });
    await run(cluster.superuserUrl('postgres'), `DROP TABLE public.of_${login}`);
    expect(await drop(login)).toEqual([dropped(login)]);
  });

  it('go with what others made them members of; that stands only against shutting them out', async () => {
    const login = await working();
    await superuser(`CREATE ROLE team_of_${login}`, `GRANT team_of_${login} TO ${login}`);
    await expect(close(login)).rejects.toMatchObject({
      code: 'LOGIN_REMAINS',
      retryable: false,
      details: { statements: expect.arrayContaining([expect.stringContaining(`team_of_${login}`)]) },
    });
    expect(await drop(login)).toContainEqual(dropped(login));
    expect(await stateOf(login)).toBeUndefined();
  });

  it('may be of a database that is gone: another of the instance will do', async () => {
    const login = await working();
    const elsewhere = { ...scope, database: 'postgres' };
    expect(await dropLogins(elsewhere, [login], options())).toContainEqual(dropped(login));
    expect(await stateOf(login)).toBeUndefined();
  });
});

describe('logins that aren’t the secret’s', () => {
  it.each([
    ['of another secret', () => foreignLogin(`PASSWORD '${localPassword}'`, { secret: 'app-shop' })],
    [
      'of a secret whose name begins so',
      () => foreignLogin(`PASSWORD '${localPassword}'`, { secret: `${scope.secret}-2` }),
    ],
    ['without a mark', () => foreignLogin(`PASSWORD '${localPassword}'`, undefined)],
  ])('are neither shut out nor dropped: one %s', async (_, make) => {
    const login = await make();
    const session = await logIn(login, localPassword);
    expect(await close(login)).toEqual([]);
    expect(await drop(login)).toEqual([]);
    expect(await isAlive(session)).toBe(true);
    await logIn(login, localPassword);
  });

  it('are not groups and admins either', async () => {
    expect(await drop(writer, owner, 'drover_admin', 'postgres')).toEqual([]);
    expect(await stateOf(writer)).toBeDefined();
  });

  it('stay beside those that are', async () => {
    const [own, foreign] = [await working(), await foreignLogin('', { secret: 'app-shop' })];
    expect(await drop(own, foreign)).toEqual(expect.not.arrayContaining([dropped(foreign)]));
    expect(await stateOf(own)).toBeUndefined();
    expect(await stateOf(foreign)).toBeDefined();
  });
});
