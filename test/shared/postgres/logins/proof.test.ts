import { describe, expect, it } from 'vitest';
import { setPassword } from '../../../../shared/postgres/logins/password.ts';
import { logsIn, type Proof, prove } from '../../../../shared/postgres/logins/proof.ts';
import {
  cluster,
  ensure,
  logIn,
  newLogin,
  newName,
  options,
  owner,
  scope,
  superuser,
  useLogins,
  writer,
} from './fixture.ts';

useLogins();

const proofOf = (user: string, more: Partial<Proof> = {}): Proof => ({
  credential: { user, password: 'secret' },
  twin: undefined,
  role: writer,
  acts: false,
  probe: undefined,
  ...more,
});
const proving = (user: string, more: Partial<Proof> = {}) => prove(scope, proofOf(user, more), options());

async function workingLogin(): Promise<string> {
  const login = await newLogin();
  await setPassword(scope, { login, password: 'secret', epoch: 1, onlyIdle: true }, options());
  return login;
}

/** Two logins that may do the same. */
const twins = async () => [await workingLogin(), await workingLogin()] as const;

describe('whether a credential logs in', () => {
  it('is said', async () => {
    const user = await workingLogin();
    expect(await logsIn(scope, { user, password: 'secret' }, options())).toBe(true);
    expect(await logsIn(scope, { user, password: 'wrong' }, options())).toBe(false);
    expect(await logsIn(scope, { user: newName(), password: 'secret' }, options())).toBe(false);
    expect(cluster.pools.stats().busy).toBe(0);
  });

  it('is not said where something else stands against it', async () => {
    const user = await workingLogin();
    const elsewhere = { ...scope, database: 'nowhere' };
    await expect(logsIn(elsewhere, { user, password: 'secret' }, options())).rejects.toMatchObject({
      code: '3D000',
    });
    const signal = AbortSignal.abort(new Error('the time is over'));
    await expect(logsIn(scope, { user, password: 'wrong' }, { ...options(), signal })).rejects.toThrow(
      'the time is over',
    );
  });
});

describe('a proof', () => {
  it('is passed by a login that may do what its twin may', async () => {
    const [login, twin] = await twins();
    await proving(login, { twin, probe: 'SELECT count(*) FROM billing.invoices' });
  });

  it('is failed by one that doesn’t log in, for now', async () => {
    const login = await workingLogin();
    const error = await proving(login, { credential: { user: login, password: 'not this' } }).catch((e) => e);
    expect(error).toMatchObject({ code: 'PROOF_FAILED', retryable: true, details: { login } });
    expect(error.message + error.stack).not.toContain('not this');
  });

  it('is failed by one that hasn’t the secret’s role', async () => {
    const login = await workingLogin();
    await superuser(`REVOKE ${writer} FROM ${login}`);
    await expect(proving(login)).rejects.toMatchObject({
      code: 'ROLE_MISSING',
      retryable: false,
      details: { login, role: writer },
    });
    await proving(login, { role: undefined });
  });

  it('of an owner is passed only where its sessions act as the group', async () => {
    const login = newName();
    await ensure([login]);
    await setPassword(scope, { login, password: 'secret', epoch: 1, onlyIdle: true }, options());
    await superuser(`GRANT ${owner} TO ${login}`);
    await expect(proving(login, { role: owner, acts: true })).rejects.toMatchObject({ code: 'ROLE_MISSING' });
    await ensure([login], { actAs: owner });
    await proving(login, { role: owner, acts: true, probe: 'SELECT total FROM billing.invoices' });
  });
});

describe('logins that differ', () => {
  it.each([
    ['a membership more', (login: string) => [`GRANT pg_monitor TO ${login}`], ['is a member of pg_monitor']],
    [
      'the right to hand on a membership',
      (login: string) => [`GRANT ${writer} TO ${login} WITH ADMIN OPTION`],
      [`is a member of ${writer} WITH ADMIN`],
    ],
    [
      'a privilege of its own',
      (login: string) => [`GRANT UPDATE ON billing.invoices TO ${login}`],
      ['UPDATE on table billing.invoices'],
    ],
    [
      'a privilege on a column',
      (login: string) => [`GRANT UPDATE (total) ON billing.invoices TO ${login}`],
      ['UPDATE on column total of table billing.invoices'],
    ],
    [
      'a table of its own',
      (login: string) => [
        `CREATE TABLE billing.of_${login} ()`,
        `ALTER TABLE billing.of_${login} OWNER TO ${login}`,
      ],
      ['owns table billing.of_'],
    ],
    [
      'a policy of its own',
      (login: string) => [`CREATE POLICY for_${login} ON billing.invoices TO ${login}`],
      ['named in policy for_'],
    ],
    [
      'a setting',
      (login: string) => [`ALTER ROLE ${login} SET work_mem = '64MB'`],
      ['has the setting work_mem=64MB'],
    ],
    [
      'a setting in this database',
      (login: string) => [`ALTER ROLE ${login} IN DATABASE app SET work_mem = '64MB'`],
      ['has the setting work_mem=64MB in app'],
    ],
    [
      'an attribute',
      (login: string) => [`ALTER ROLE ${login} CREATEDB CONNECTION LIMIT 5`],
      ['has the attribute CREATEDB', 'has the attribute CONNECTION LIMIT 5'],
    ],
    ['no inheritance', (login: string) => [`ALTER ROLE ${login} NOINHERIT`], ['has the attribute NOINHERIT']],
  ])('by %s are refused, whichever of them has it', async (_, statements, differences) => {
    const [login, twin] = await twins();
    await superuser(...statements(twin));
    for (const [one, other] of [
      [login, twin],
      [twin, login],
    ] as const) {
      const error = await proving(one, { twin: other, role: undefined }).catch((thrown) => thrown);
      expect(error).toMatchObject({ code: 'LOGINS_DIFFER', retryable: false });
      expect(error.details.logins).toEqual([one, other]);
      for (const text of differences) {
        expect(error.details.differences.join('\n')).toContain(`only ${twin} ${text}`);
        expect(error.message).toContain(text);
      }
    }
  });

  it('only by what a session has for itself are alike', async () => {
    const [login, twin] = await twins();
    const session = await logIn(twin, 'secret');
    await superuser(`GRANT TEMPORARY ON DATABASE app TO ${writer}`);
    await session.query('CREATE TEMPORARY TABLE notes (id serial PRIMARY KEY, text text)');
    await session.query("CREATE TYPE pg_temp.mood AS ENUM ('fine')");
    await proving(login, { twin });
  });

  it('are told by no more than twenty differences', async () => {
    const [login, twin] = await twins();
    const tables = Array.from({ length: 25 }, (_, n) => `CREATE TABLE billing.${twin}_${n} ()`);
    const owners = Array.from({ length: 25 }, (_, n) => `ALTER TABLE billing.${twin}_${n} OWNER TO ${twin}`);
    await superuser(...tables, ...owners);
    const error = await proving(login, { twin }).catch((thrown) => thrown);
    expect(error.details.differences).toHaveLength(20);
  });
});

describe('a probe', () => {
  it.each([
    ['is no SQL', 'SELECT FROM WHERE'],
    ['asks for what isn’t there', 'SELECT * FROM billing.nothing'],
    ['asks for what the login may not see', 'SELECT rolpassword FROM pg_catalog.pg_authid'],
    ['writes', 'INSERT INTO billing.invoices VALUES (7)'],
    ['writes in the end', `SELECT 1; COMMIT; INSERT INTO billing.invoices VALUES (7)`],
    ['would be allowed to write', `SELECT set_config('transaction_read_only', 'off', true)`],
    ['ends the transaction to write', `DO $$ BEGIN COMMIT; INSERT INTO billing.invoices VALUES (7); END $$`],
  ])('that %s fails for good, and nothing is written', async (_, probe) => {
    const login = await workingLogin();
    const error = await proving(login, { probe }).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'PROBE_FAILED', retryable: false, details: { login } });
    const session = await logIn(login, 'secret');
    const { rows } = await session.query('SELECT count(*)::int AS invoices FROM billing.invoices');
    expect(rows).toEqual([{ invoices: 0 }]);
  });

  it('leaves no connection behind', async () => {
    const login = await workingLogin();
    await proving(login, { probe: 'SELECT 1' });
    const session = await logIn(login, 'secret');
    const { rows } = await session.query(
      `SELECT application_name FROM pg_stat_activity WHERE usename = $1 AND pid <> pg_backend_pid()`,
      [login],
    );
    expect(rows).toEqual([]);
  });
});
