import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { OperationError } from '../../../../shared/operation/errors.ts';
import { compareGrants } from '../../../../shared/postgres/grants/converge.ts';
import { createKeptLogins, type KeptLogins } from '../../../../shared/postgres/logins/kept-login.ts';
import { withOwnerLogin } from '../../../../shared/postgres/logins/owner-login.ts';
import type { Login } from '../../../../shared/postgres/pools.ts';
import { desired, instance, type PreparedCluster, startPrepared } from '../../../support/postgres.ts';

let cluster: PreparedCluster;
let observer: pg.Client;
beforeAll(async () => {
  cluster = await startPrepared();
  await cluster.open('app');
  await cluster.converge(desired('app', 'billing'));
  await cluster.converge(desired('app', 'sales'));
  observer = new pg.Client(cluster.superuserUrl('app'));
  await observer.connect();
});
afterAll(async () => {
  await observer.end();
  await cluster.remove();
});

const { signal } = new AbortController();
const owned = { target: { instance, database: 'app' }, schema: 'billing' };
const hour = 3_600_000;

let now: number;
let logins: KeptLogins;
beforeEach(() => {
  now = Date.now();
  logins = createKeptLogins(() => now);
});
afterEach(async () => {
  await logins.drop(10_000);
  // Those that were refused have to run out first.
  for (const { rolname } of await left()) await observer.query(`DROP ROLE ${rolname}`);
});

/** What PostgreSQL says: who is logged in, and as whom that may act. */
const whoami = (login: Login, acting = 'app__billing__owner') =>
  cluster.pools.withConnection(owned.target, { signal, as: login }, async (client) => {
    await client.query(`SET ROLE ${acting}`);
    const { rows } = await client.query('SELECT session_user AS name');
    return (rows[0] as { name: string }).name;
  });
const use = (more: Partial<typeof owned> = {}, kept = logins) =>
  kept.withLogin(cluster.pools, { ...owned, ...more }, { signal }, (login) => whoami(login));

const left = async () => {
  const { rows } = await observer.query(
    "SELECT rolname, rolvaliduntil FROM pg_roles WHERE rolname ~ '^media_' ORDER BY rolname",
  );
  return rows as { rolname: string; rolvaliduntil: Date }[];
};

describe('a login that is kept', () => {
  it('is made once, for all who want it at the same time and later', async () => {
    const names = await Promise.all([use(), use(), use()]);

    expect(new Set([...names, await use()])).toEqual(new Set([(await left())[0]?.rolname]));
    expect(await left()).toHaveLength(1);
  });

  it('is another for each schema', async () => {
    const [billing, sales] = await Promise.all([
      use(),
      logins.withLogin(cluster.pools, { ...owned, schema: 'sales' }, { signal }, (login) =>
        whoami(login, 'app__sales__owner'),
      ),
    ]);

    expect(billing).not.toBe(sales);
    expect(await left()).toHaveLength(2);
  });

  it('can become the owner and nobody else', async () => {
    await logins.withLogin(cluster.pools, owned, { signal }, async (login) => {
      for (const role of ['app__sales__owner', 'drover_admin', 'drover_admin_00', 'drover_writers'])
        await expect(whoami(login, role)).rejects.toThrow('permission denied to set role');
    });
  });

  it('is no member of the owner that nobody asked for', async () => {
    const scope = { database: 'app', schema: 'billing', grants: [], customRoles: [], undecided: [] };
    const exact = { ...scope, surplus: 'revoke', fence: undefined } as const;
    const before = await compareGrants(cluster.pools, owned.target, [exact], { signal });

    await use();

    expect(await compareGrants(cluster.pools, owned.target, [exact], { signal })).toEqual(before);
  });

  it('is made good for longer when half of its time is over, for all who ask then', async () => {
    const name = await use();
    now += 0.4 * hour;
    await use();
    const [before] = await left();
    now += 0.2 * hour;

    expect(await Promise.all([use(), use()])).toEqual([name, name]);

    const [after] = await left();
    expect(before?.rolvaliduntil.getTime()).toBe(now + 0.4 * hour);
    expect(after?.rolvaliduntil.getTime()).toBe(now + hour);
  });

  it('is made anew where it was swept while this process was frozen', async () => {
    const name = await use();
    await observer.query(`DROP ROLE ${name}`);
    now += 3 * hour;

    expect(await use()).not.toBe(name);
  });

  it('is made anew where PostgreSQL refuses it', async () => {
    const name = await use();
    await observer.query(`ALTER ROLE ${name} VALID UNTIL '2020-01-01'`);

    const next = await use();

    expect(next).not.toBe(name);
    expect(await use()).toBe(next);
  });

  it('is made anew where the owner was made anew', async () => {
    const name = await use();
    await observer.query(`REVOKE app__billing__owner FROM ${name} GRANTED BY ${await grantorOf(name)}`);
    let calls = 0;

    const next = await logins.withLogin(cluster.pools, owned, { signal }, async (login) => {
      calls += 1;
      return whoami(login).catch((error: unknown) => {
        throw new OperationError('INSTANCE_NOT_PREPARED', String(error));
      });
    });

    expect(next).not.toBe(name);
    expect(calls).toBe(2);
  });

  it('is made anew once: what is refused again is an error', async () => {
    let calls = 0;
    const refused = logins.withLogin(cluster.pools, owned, { signal }, async () => {
      calls += 1;
      throw new OperationError('AUTHENTICATION_FAILED', 'no', { retryable: true });
    });

    await expect(refused).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' });
    expect(calls).toBe(2);
  });

  const refusing = () =>
    logins.withLogin(cluster.pools, owned, { signal }, async () => {
      throw new OperationError('AUTHENTICATION_FAILED', 'no', { retryable: true });
    });

  it('is taken away when it is refused, before another is made', async () => {
    const name = await use();

    await expect(refusing()).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' });

    expect(await left()).toHaveLength(1);
    expect(await left()).not.toMatchObject([{ rolname: name }]);
  });

  it('is made anew so often in an hour, and no more', async () => {
    for (let time = 1; time <= 10; time += 1)
      await expect(refusing()).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' });
    const before = await left();

    await expect(refusing()).rejects.toMatchObject({ code: 'LOGIN_REFUSED', retryable: true });

    expect(await left()).toEqual(before);
    expect(before).toHaveLength(1);
    now += hour + 1;
    await expect(refusing()).rejects.toMatchObject({ code: 'AUTHENTICATION_FAILED' });
    expect(await left()).toHaveLength(1);
  });

  it('is kept where what it is used for fails', async () => {
    const name = await use();
    const failing = logins.withLogin(cluster.pools, owned, { signal }, async () => {
      throw new OperationError('TABLE_TAKEN', 'no');
    });
    await expect(failing).rejects.toMatchObject({ code: 'TABLE_TAKEN' });

    expect(await use()).toBe(name);
  });

  it('is asked for again where it could not be made', async () => {
    const target = { instance, database: 'missing' };
    const failing = logins.withLogin(cluster.pools, { ...owned, target }, { signal }, whoami);
    await expect(failing).rejects.toMatchObject({ code: '3D000' });

    await cluster.open('missing');
    const again = logins.withLogin(cluster.pools, { ...owned, target }, { signal }, async () => 'made');
    expect(await again).toBe('made');
    await logins.drop(10_000);
  });

  it('lets one go that waits for it, and is made for the others all the same', async () => {
    const controller = new AbortController();
    const leaving = logins.withLogin(cluster.pools, owned, { signal: controller.signal }, whoami);
    const staying = use();
    controller.abort(new Error('left'));

    await expect(leaving).rejects.toThrow('left');
    await staying;
    expect(await left()).toHaveLength(1);
  });

  it('is taken away when the process ends', async () => {
    await use();
    await logins.drop(10_000);

    expect(await left()).toEqual([]);
  });
});

describe('logins that others left', () => {
  it('are swept only when they have run out', async () => {
    const living = createKeptLogins(() => now);
    const dead = createKeptLogins(() => now - 2 * hour);
    const name = await use({}, living);
    await dead.withLogin(cluster.pools, owned, { signal }, async () => undefined);
    expect(await left()).toHaveLength(2);

    const next = await use();

    expect((await left()).map(({ rolname }) => rolname)).toEqual([name, next].sort());
    expect(await use({}, living)).toBe(name);
    await living.drop(10_000);
  });

  it('are swept whichever schema of the database they are of', async () => {
    const dead = createKeptLogins(() => now - 2 * hour);
    const sales = { ...owned, schema: 'sales' };
    await dead.withLogin(cluster.pools, sales, { signal }, async () => undefined);

    const name = await use();

    expect((await left()).map(({ rolname }) => rolname)).toEqual([name]);
  });

  it('are not swept by who makes one for a moment', async () => {
    const name = await use();
    const options = { signal, remainingMs: () => 60_000 };
    const { target } = owned;

    await withOwnerLogin(cluster.pools, { target, schemas: ['billing'], purpose: 'sync' }, options, whoami);

    expect(await use()).toBe(name);
  });
});

async function grantorOf(member: string): Promise<string> {
  const { rows } = await observer.query(
    'SELECT grantor::regrole::text AS name FROM pg_auth_members WHERE member = $1::regrole',
    [member],
  );
  return (rows[0] as { name: string }).name;
}
