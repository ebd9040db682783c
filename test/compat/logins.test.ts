import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LoginScope } from '../../shared/postgres/logins/change.ts';
import { ensureLogins } from '../../shared/postgres/logins/ensure.ts';
import { newPassword, setPassword } from '../../shared/postgres/logins/password.ts';
import { logsIn, prove } from '../../shared/postgres/logins/proof.ts';
import { endLoginSessions } from '../../shared/postgres/logins/sessions.ts';
import { desired, instance, type PreparedCluster } from '../support/postgres.ts';
import { otherMajors, startMajor } from './majors.ts';

const scope: LoginScope = { instance, database: 'app', schema: 'billing', secret: 'app-billing' };
const owner = 'app__billing__owner';
const [first, second] = ['billing_a', 'billing_b'];

describe.each(otherMajors)('the logins of a secret on PostgreSQL %i', (major) => {
  let cluster: PreparedCluster;
  const password = newPassword();
  const credential = { user: first, password };
  const options = () => ({
    pools: cluster.pools,
    signal: new AbortController().signal,
    remainingMs: () => 60_000,
  });
  const set = (epoch: number, onlyIdle = true) =>
    setPassword(scope, { login: first, password, epoch, onlyIdle }, options());

  beforeAll(async () => {
    cluster = await startMajor(major);
    await cluster.open('app');
    await cluster.converge(desired('app', 'billing', { levels: ['owner'] }));
    const logins = [first, second];
    await ensureLogins({ scope, logins, adopted: undefined, actAs: owner, epoch: 1 }, options());
    const admin = new pg.Client(cluster.superuserUrl('app'));
    await admin.connect();
    const acting = major < 16 ? '' : ' WITH INHERIT FALSE, SET TRUE';
    await admin.query(`GRANT ${owner} TO ${first}, ${second}${acting}`);
    await admin.end();
  });
  afterAll(() => cluster.remove());

  it('get passwords as verifiers, and are proven against each other', async () => {
    expect(await logsIn(scope, credential, options())).toBe(false);
    await set(2);
    expect(await logsIn(scope, credential, options())).toBe(true);
    await prove(scope, { credential, twin: second, role: owner, acts: true, probe: 'SELECT 1' }, options());
  });

  it('refuse who comes too late, and a change while they are in use', async () => {
    await set(4);
    await expect(set(3)).rejects.toMatchObject({ code: 'FENCED', epoch: 4 });
    const session = new pg.Client({
      connectionString: cluster.url(first, password, 'app'),
      application_name: 'billing-api',
    });
    session.on('error', () => undefined);
    await session.connect();
    await expect(set(5)).rejects.toMatchObject({ code: 'LOGIN_IN_USE' });
    expect(await endLoginSessions(scope, first, true, options())).toMatchObject({
      ended: [{ application: 'billing-api' }],
      left: [],
    });
    await set(5);
  });
});
