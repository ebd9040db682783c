import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, test, vi } from 'vitest';
import type { Login, Pools } from '../../../shared/postgres/pools.ts';
import type { Target } from '../../../shared/postgres/target.ts';
import {
  at,
  borrow,
  entry,
  observer,
  operationErrorOf,
  patient,
  pid,
  poolsWith,
  relayed,
  thrownBy,
  useCluster,
  value,
} from './pools.fixture.ts';

useCluster();

let logins = 0;

async function newLogin(): Promise<Login> {
  logins += 1;
  const user = `app_${logins}`;
  await observer.query(`CREATE ROLE ${user} LOGIN PASSWORD 'its own'`);
  return { user, password: 'its own' };
}

const sessionUser = (pools: Pools, target: Target, as?: Login) =>
  pools.withConnection(target, { ...patient(), ...(as && { as }) }, (client) =>
    value(client, 'SELECT session_user'),
  );

/** Connections of a login, as the server sees them. */
async function sessionsOf(user: string): Promise<string[]> {
  const { rows } = await observer.query(
    'SELECT application_name AS name FROM pg_stat_activity WHERE usename = $1',
    [user],
  );
  return rows.map(({ name }) => name);
}

describe('a connection as somebody else', () => {
  test('is that login’s, by the way that the configuration says, and under Drover’s name', async () => {
    const relay = await relayed();
    const as = await newLogin();
    const pools = poolsWith({ DROVER_INSTANCES: [entry({ port: relay.port })] });
    const seen = await pools.withConnection(at('alpha'), { ...patient(), as }, async (client) => ({
      user: await value(client, 'SELECT session_user'),
      database: await value(client, 'SELECT current_database()'),
      names: await sessionsOf(as.user),
    }));
    expect(seen).toEqual({ user: as.user, database: 'alpha', names: [pools.application] });
    expect(relay.accepted).toBe(1);
  });

  test('is closed afterwards, before the caller goes on', async () => {
    const as = await newLogin();
    const pools = poolsWith();
    await sessionUser(pools, at('alpha'), as);
    expect(pools.stats()).toMatchObject({ open: 0, busy: 0, instances: {} });
    await vi.waitFor(async () => expect(await sessionsOf(as.user)).toEqual([]), { interval: 5 });
  });

  test('is closed where its use fails, too', async () => {
    const as = await newLogin();
    const pools = poolsWith();
    const use = () =>
      pools.withConnection(at('alpha'), { ...patient(), as }, (client) => client.query('SELECT 1 / 0'));
    expect(await thrownBy(use())).toMatchObject({ code: '22012' });
    expect(pools.stats()).toMatchObject({ open: 0, busy: 0 });
  });

  test('leaves Drover’s own as they are, and is never lent to anybody else', async () => {
    const as = await newLogin();
    const pools = poolsWith();
    const own = await pid(pools, at('alpha'));
    expect(await sessionUser(pools, at('alpha'), as)).toBe(as.user);
    expect(await sessionUser(pools, at('alpha'))).toBe('drover');
    expect(await pid(pools, at('alpha'))).toBe(own);
  });

  test('needs no entry’s password, and an instance that may be touched', async () => {
    const as = await newLogin();
    const pools = poolsWith({ DROVER_INSTANCES: [entry({ password: undefined })] });
    expect(await sessionUser(pools, at('alpha'), as)).toBe(as.user);
    const elsewhere = { instance: 'other:europe-west1:one', database: 'alpha' };
    expect(await operationErrorOf(sessionUser(pools, elsewhere, as))).toMatchObject({
      code: 'TARGET_NOT_ALLOWED',
    });
  });
});

describe('a wrong password', () => {
  test('is said to be refused, without the password, and nothing stays open', async () => {
    const as = { ...(await newLogin()), password: 'not its own' };
    const pools = poolsWith();
    const error = await operationErrorOf(sessionUser(pools, at('alpha'), as));
    expect(error).toMatchObject({ code: 'AUTHENTICATION_FAILED', retryable: true, cause: { code: '28P01' } });
    expect(error.message).toContain(as.user);
    expect(JSON.stringify(error) + error.message + error.stack).not.toContain(as.password);
    expect(pools.stats()).toMatchObject({ open: 0, busy: 0 });
  });

  test('is not tried where the right one was a moment ago, nor the other way round', async () => {
    const as = await newLogin();
    const pools = poolsWith();
    expect(await sessionUser(pools, at('alpha'), as)).toBe(as.user);
    const wrong = sessionUser(pools, at('alpha'), { ...as, password: 'wrong' });
    expect(await operationErrorOf(wrong)).toMatchObject({ code: 'AUTHENTICATION_FAILED' });
    expect(await sessionUser(pools, at('alpha'), as)).toBe(as.user);
  });
});

describe('the limits', () => {
  test('count it with Drover’s own', async () => {
    const as = await newLogin();
    const pools = poolsWith({ DROVER_CONNECTIONS_PER_INSTANCE: 1, DROVER_CONNECTION_WAIT_SECONDS: 0.05 });
    const holder = borrow(pools, at('alpha'));
    await holder.begun;
    const error = await operationErrorOf(sessionUser(pools, at('alpha'), as));
    expect(error).toMatchObject({
      code: 'TOO_FEW_CONNECTIONS',
      details: { open: 1, limit: 1, setting: 'DROVER_CONNECTIONS_PER_INSTANCE' },
    });
    holder.giveBack();
    await holder.done;
    // An idle one of Drover's makes room for it.
    expect(await sessionUser(pools, at('alpha'), as)).toBe(as.user);
  });

  test('hold others back while it is open, and no longer', async () => {
    const as = await newLogin();
    const pools = poolsWith({ DROVER_CONNECTIONS_PER_PROCESS: 1 });
    const order: string[] = [];
    const entered = Promise.withResolvers<void>();
    const leave = Promise.withResolvers<void>();
    const first = pools.withConnection(at('alpha'), { ...patient(), as }, async () => {
      entered.resolve();
      await leave.promise;
      order.push('as');
    });
    await entered.promise;
    const second = sessionUser(pools, at('beta')).then(() => order.push('own'));
    expect(pools.stats()).toMatchObject({ open: 1, busy: 1, waiting: 1 });
    leave.resolve();
    await Promise.all([first, second]);
    expect(order).toEqual(['as', 'own']);
  });

  test('are the same for many at once', async () => {
    const as = await newLogin();
    const relay = await relayed();
    let most = 0;
    relay.onConnection = () => {
      most = Math.max(most, relay.open);
    };
    const pools = poolsWith({
      DROVER_INSTANCES: [entry({ port: relay.port })],
      DROVER_CONNECTIONS_PER_INSTANCE: 3,
    });
    await Promise.all(Array.from({ length: 12 }, () => sessionUser(pools, at('alpha'), as)));
    expect(most).toBeLessThanOrEqual(3);
    expect(relay.accepted).toBe(12);
  });
});

describe('a server without TLS', () => {
  test('gets nothing but the question for it where the entry wants it verified', async () => {
    const as = await newLogin();
    const received: Buffer[] = [];
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (chunk: Buffer) => {
        received.push(chunk);
        // "N": no TLS here, as PostgreSQL says it.
        if (received.length === 1) socket.write('N');
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const pools = poolsWith({ DROVER_INSTANCES: [entry({ port, tls: 'verify' })] });

    const error = await thrownBy(sessionUser(pools, at('alpha'), as));

    expect(error).toBeInstanceOf(Error);
    // SSLRequest: eight bytes, of which the last four are 80877103.
    const sslRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
    expect(Buffer.concat(received)).toEqual(sslRequest);
    expect(pools.stats()).toMatchObject({ open: 0, busy: 0 });
    server.close();
  });

  test('that is a real one is refused, and the login never tried', async () => {
    const as = await newLogin();
    const pools = poolsWith({ DROVER_INSTANCES: [entry({ tls: 'verify' })] });
    const error = await thrownBy(sessionUser(pools, at('alpha'), as));
    expect(String(error)).toMatch(/does not support SSL/);
    expect(error).not.toMatchObject({ code: 'AUTHENTICATION_FAILED' });
  });
});
