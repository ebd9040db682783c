import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { parseLoginMarker } from '../../../../shared/postgres/logins/marker.ts';
import {
  newPassword,
  type PasswordChange,
  setPassword,
  storeVerifier,
} from '../../../../shared/postgres/logins/password.ts';
import { scramVerifier } from '../../../../shared/postgres/scram.ts';
import {
  cluster,
  foreignLogin,
  logIn,
  newLogin,
  newName,
  options,
  scope,
  stateOf,
  superuser,
  useLogins,
  writer,
} from './fixture.ts';

const log: string[] = [];
useLogins({ settings: { log_statement: 'all' }, onLog: (line) => log.push(line) });

const set = (login: string, password: string, more: Partial<PasswordChange> = {}) =>
  setPassword(scope, { login, password, epoch: 1, onlyIdle: true, ...more }, options());

describe('a new password', () => {
  it('is 256 bits that need no quoting, and another one each time', () => {
    const passwords = new Set(Array.from({ length: 100 }, newPassword));
    expect(passwords.size).toBe(100);
    for (const one of passwords) expect(one).toMatch(/^[A-Za-z0-9_-]{43}$/);
  });

  it('is the one that logs in, and the attempt is written down on the login', async () => {
    const login = await newLogin();
    await set(login, 'first', { epoch: 4 });
    await logIn(login, 'first');
    await set(login, 'second', { epoch: 5, onlyIdle: false });
    await logIn(login, 'second');
    await expect(logIn(login, 'first')).rejects.toMatchObject({ code: '28P01' });
    const marker = parseLoginMarker((await stateOf(login)).comment);
    expect(marker).toEqual({ managedBy: 'drover', secret: scope.secret, epoch: 5 });
  });

  it('may be set again by the same attempt', async () => {
    const login = await newLogin();
    await set(login, 'first', { epoch: 3 });
    await set(login, 'second', { epoch: 3 });
    await logIn(login, 'second');
  });

  it('gets to PostgreSQL and its log as a verifier, never as it is', async () => {
    const login = await newLogin();
    const password = newPassword();
    log.length = 0;
    await set(login, password);
    // What is logged by now was logged before this.
    await superuser(`SELECT 'the end'`);
    await expect.poll(() => log.some((line) => line.includes('the end')), { interval: 5 }).toBe(true);
    const { verifier } = await stateOf(login);
    const about = log.filter((line) => line.includes(login));
    expect(
      about.filter((line) => line.includes(`ALTER ROLE "${login}" PASSWORD '${verifier}'`)),
    ).toHaveLength(1);
    expect(log.join('\n')).not.toContain(password);
  });
});

describe('the fence', () => {
  it('refuses an attempt that comes too late, and nothing changes', async () => {
    const login = await newLogin();
    await set(login, 'newer', { epoch: 7 });
    const before = await stateOf(login);
    await expect(set(login, 'older', { epoch: 6 })).rejects.toMatchObject({
      name: 'OperationError',
      code: 'FENCED',
      epoch: 7,
      retryable: true,
    });
    expect(await stateOf(login)).toEqual(before);
  });

  it('lets the newest of several at once through last', async () => {
    const login = await newLogin();
    const epochs = [2, 9, 5, 7, 3];
    const ends = await Promise.allSettled(epochs.map((epoch) => set(login, `p${epoch}`, { epoch })));
    expect(ends[1]?.status).toBe('fulfilled');
    for (const end of ends)
      if (end.status === 'rejected') expect(end.reason).toMatchObject({ code: 'FENCED' });
    await logIn(login, 'p9');
  });
});

describe('a login that is not the secret’s', () => {
  it.each([
    ['that isn’t there', () => newName(), 'LOGIN_NOT_FOUND', {}],
    ['without a marker', () => foreignLogin('', undefined), 'LOGIN_NOT_MANAGED', {}],
    [
      'of another secret',
      () => foreignLogin('', { secret: 'app-shop' }),
      'LOGIN_NOT_MANAGED',
      { belongsTo: 'app-shop' },
    ],
    ['that may make roles', () => foreignLogin('CREATEROLE', scope), 'LOGIN_NOT_ALLOWED', {}],
    ['that is a superuser', () => foreignLogin('SUPERUSER', scope), 'LOGIN_NOT_ALLOWED', {}],
    ['that replicates', () => foreignLogin('REPLICATION', scope), 'LOGIN_NOT_ALLOWED', {}],
    ['that sees every row', () => foreignLogin('BYPASSRLS', scope), 'LOGIN_NOT_ALLOWED', {}],
    [
      'that acts as Drover’s admins',
      () => foreignLogin('IN ROLE drover_writers', scope),
      'LOGIN_NOT_ALLOWED',
      {},
    ],
    ['that is one of Drover’s groups', () => writer, 'LOGIN_NOT_ALLOWED', {}],
  ])('%s is left alone', async (_, make, code, details) => {
    const login = await make();
    const before = await stateOf(login);
    await expect(set(login, 'secret')).rejects.toMatchObject({
      code,
      retryable: false,
      details: { login, ...details },
    });
    expect(await stateOf(login)).toEqual(before);
  });

  it('that Drover is no admin of is left alone, and what would help is said', async () => {
    const login = await foreignLogin('', scope);
    const error = await set(login, 'secret').catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'LOGIN_OUT_OF_REACH', details: { login } });
    expect((await stateOf(login)).verifier).toBeNull();
    await superuser(...error.details.statements);
    await set(login, 'secret');
    await logIn(login, 'secret');
  });
});

describe('a login in use', () => {
  it('keeps its password, and who uses it is said', async () => {
    const login = await newLogin();
    await set(login, 'first');
    const session = await logIn(login, 'first', 'billing-worker');
    const { rows } = await session.query('SELECT pg_backend_pid() AS pid');
    const before = await stateOf(login);

    const error = await set(login, 'second', { epoch: 2 }).catch((thrown) => thrown);

    // Since when is told to those who may read all statistics.
    const sessions = [{ pid: rows[0].pid, database: 'app', application: 'billing-worker', since: null }];
    expect(error).toMatchObject({ code: 'LOGIN_IN_USE', retryable: false, details: { login, sessions } });
    expect(error.message).toContain(`${rows[0].pid} in app (billing-worker). `);
    expect(await stateOf(login)).toEqual(before);
  });

  it('is said with the time where Drover may know it', async () => {
    const login = await newLogin();
    await set(login, 'first');
    await logIn(login, 'first', 'billing-worker');
    await superuser('GRANT pg_read_all_stats TO drover_admin');
    const error = await set(login, 'second').catch((thrown) => thrown);
    await superuser('REVOKE pg_read_all_stats FROM drover_admin');

    const [{ since }] = error.details.sessions;
    expect(since).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(Math.abs(Date.now() - Date.parse(since))).toBeLessThan(30_000);
    expect(error.message).toContain(`(billing-worker, since ${since})`);
  });

  it('gets another one where that is meant, and the sessions are told', async () => {
    const login = await newLogin();
    await set(login, 'first');
    await logIn(login, 'first', 'billing-worker');
    const sessions = await set(login, 'second', { onlyIdle: false });
    expect(sessions).toMatchObject([{ application: 'billing-worker', database: 'app' }]);
    await logIn(login, 'second');
  });

  it('by a proof of Drover’s own is in nobody’s use', async () => {
    const login = await newLogin();
    await set(login, 'first');
    await logIn(login, 'first', 'drover/rotate-secret');
    expect(await set(login, 'second')).toEqual([]);
  });
});

describe('a server that refuses a verifier', () => {
  it('is said to, without the verifier, and gets nothing else instead', async () => {
    const login = await newLogin();
    const password = newPassword();
    await set(login, password);
    const before = await stateOf(login);
    log.length = 0;
    // PostgreSQL 18 takes at most 512 bytes.
    const verifier = await scramVerifier(password, randomBytes(400));

    const change = { login, verifier, epoch: 2, onlyIdle: true };
    const error = await storeVerifier(scope, change, options()).catch((thrown) => thrown);

    expect(error).toMatchObject({ code: 'VERIFIER_REFUSED', retryable: false, details: { login } });
    expect(error.message).toContain('encrypted password is too long');
    const [, , keys = 'none'] = verifier.split('$');
    for (const text of [error.message, error.stack, JSON.stringify(error), JSON.stringify(error.details)]) {
      expect(text).not.toContain('SCRAM-SHA-256$');
      expect(text).not.toContain(keys);
      expect(text).not.toContain(password);
    }
    expect(await stateOf(login)).toEqual(before);
    await superuser(`SELECT 'the end'`);
    await expect.poll(() => log.some((line) => line.includes('the end')), { interval: 5 }).toBe(true);
    const sent = log.filter((line) => line.includes('statement: ALTER ROLE') && line.includes(login));
    expect(sent).toHaveLength(1);
    expect(log.join('\n')).not.toContain(password);
    expect(cluster.pools.stats().busy).toBe(0);
  });
});
