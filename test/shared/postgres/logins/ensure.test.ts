import { describe, expect, it } from 'vitest';
import { parseLoginMarker } from '../../../../shared/postgres/logins/marker.ts';
import { setPassword } from '../../../../shared/postgres/logins/password.ts';
import { connected } from '../../../support/postgres.ts';
import {
  cluster,
  ensure,
  foreignLogin,
  logIn,
  newLogin,
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

const markerOf = async (login: string) => parseLoginMarker((await stateOf(login)).comment);
const created = (name: string) => ({ action: 'create', kind: 'login', name });

describe('a secret’s logins', () => {
  it('are made without a password, with the secret’s mark and nothing else', async () => {
    const [one, other] = [newName(), newName()];
    const { changes, statements } = await ensure([one, other], { epoch: 3 });
    expect(changes).toEqual([created(one), created(other)]);
    expect(statements).toContain(`CREATE ROLE "${one}" LOGIN`);
    for (const login of [one, other]) {
      expect(await markerOf(login)).toEqual({ managedBy: 'drover', secret: scope.secret, epoch: 3 });
      expect((await stateOf(login)).verifier).toBeNull();
    }
    const attributes = await connected(cluster.superuserUrl('app'), (client) =>
      client.query(
        `SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls AS more, rolcanlogin AS login,
                EXISTS (SELECT FROM pg_auth_members WHERE member = r.oid) AS member
           FROM pg_roles r WHERE rolname = $1`,
        [one],
      ),
    );
    expect(attributes.rows).toEqual([{ more: false, login: true, member: false }]);
  });

  it('are as they are where they were made before: nothing is done again', async () => {
    const login = await newLogin();
    await setPassword(scope, { login, password: 'first', epoch: 5, onlyIdle: true }, options());
    const before = await stateOf(login);
    expect(await ensure([login], { epoch: 6 })).toEqual({ changes: [], statements: [] });
    expect(await stateOf(login)).toEqual(before);
  });

  it('are completed where an attempt got no further than the first', async () => {
    const [one, other] = [newName(), newName()];
    await ensure([one]);
    expect((await ensure([one, other], { epoch: 2 })).changes).toEqual([created(other)]);
  });

  it('are all made or none', async () => {
    const [one, taken] = [newName(), await foreignLogin('', undefined)];
    await expect(ensure([one, taken])).rejects.toMatchObject({ code: 'LOGIN_NOT_MANAGED' });
    expect(await stateOf(one)).toBeUndefined();
  });

  it('are only planned in a dry run', async () => {
    const login = newName();
    const { changes, statements } = await ensure([login], { epoch: undefined, actAs: owner });
    expect(changes).toEqual([
      created(login),
      { action: 'alter', kind: 'login', name: login, detail: `acts as ${owner}` },
    ]);
    expect(statements.join('\n')).toContain(`CREATE ROLE "${login}" LOGIN`);
    expect(await stateOf(login)).toBeUndefined();
  });

  it('stay as they are where a newer attempt has changed them', async () => {
    const login = newName();
    await ensure([login], { epoch: 8 });
    await expect(ensure([login], { epoch: 7 })).rejects.toMatchObject({ code: 'FENCED', epoch: 8 });
    expect(await markerOf(login)).toMatchObject({ epoch: 8 });
  });
});

describe('a login that is there', () => {
  it.each([
    ['without a mark', () => foreignLogin('', undefined), 'LOGIN_NOT_MANAGED'],
    ['of another secret', () => foreignLogin('', { secret: 'app-shop' }), 'LOGIN_NOT_MANAGED'],
    ['that may make roles', () => foreignLogin('CREATEROLE', scope), 'LOGIN_NOT_ALLOWED'],
    ['that is one of Drover’s groups', () => writer, 'LOGIN_NOT_ALLOWED'],
  ])('%s is not taken', async (_, make, code) => {
    const login = await make();
    const before = await stateOf(login);
    await expect(ensure([login])).rejects.toMatchObject({ code, details: { login } });
    expect(await stateOf(login)).toEqual(before);
  });
});

describe('a login that is adopted', () => {
  /** As a person would have made it, and given Drover to look after. */
  async function applications(): Promise<string> {
    const login = await foreignLogin(`PASSWORD 'own'`, undefined);
    await superuser(`GRANT ${login} TO drover_admin WITH ADMIN OPTION`);
    return login;
  }

  it('gets the secret’s mark and keeps its password, and its twin is made', async () => {
    const [login, twin] = [await applications(), newName()];
    const { changes } = await ensure([login, twin], { adopted: login, epoch: 2 });
    expect(changes).toEqual([
      { action: 'alter', kind: 'login', name: login, detail: 'adopted' },
      created(twin),
    ]);
    expect(await markerOf(login)).toEqual({ managedBy: 'drover', secret: scope.secret, epoch: 2 });
    await logIn(login, 'own');
    expect((await ensure([login, twin], { adopted: login, epoch: 3 })).changes).toEqual([]);
  });

  it('is not taken where it isn’t there, isn’t Drover’s to change, is another secret’s or privileged', async () => {
    const refusal = (login: string) => ensure([login], { adopted: login }).catch((error) => error.code);
    expect(await refusal(newName())).toBe('LOGIN_NOT_FOUND');
    expect(await refusal(await foreignLogin('', undefined))).toBe('LOGIN_OUT_OF_REACH');
    expect(await refusal(await foreignLogin('', { secret: 'app-shop' }))).toMatch(/^LOGIN_/);
    expect(await refusal(await foreignLogin('CREATEROLE', undefined))).toMatch(/^LOGIN_/);
    expect(await refusal('drover_admin')).toMatch(/^LOGIN_/);
  });
});

describe('a login of the level owner', () => {
  it('acts as the group, so that what it makes belongs to the group', async () => {
    const login = newName();
    const change = { action: 'alter', kind: 'login', name: login, detail: `acts as ${owner}` };
    expect((await ensure([login], { actAs: owner })).changes).toEqual([created(login), change]);
    await superuser(`GRANT ${owner} TO ${login}`);
    await setPassword(scope, { login, password: 'first', epoch: 1, onlyIdle: true }, options());
    const session = await logIn(login, 'first');
    await session.query(`CREATE TABLE billing.of_${login} (id int)`);
    const { rows } = await session.query(
      `SELECT current_user AS acting, tableowner AS owner FROM pg_tables WHERE tablename = $1`,
      [`of_${login}`],
    );
    expect(rows).toEqual([{ acting: owner, owner }]);
    expect((await ensure([login], { actAs: owner })).changes).toEqual([]);
  });

  it('acts so in its database only', async () => {
    const login = newName();
    await ensure([login], { actAs: owner });
    await setPassword(scope, { login, password: 'first', epoch: 1, onlyIdle: true }, options());
    const acting = await connected(cluster.url(login, 'first', 'postgres'), (client) =>
      client.query('SELECT current_user AS acting'),
    );
    expect(acting.rows).toEqual([{ acting: login }]);
  });
});
