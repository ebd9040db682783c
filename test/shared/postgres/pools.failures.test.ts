import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { promisify } from 'node:util';
import { describe, expect, test, vi } from 'vitest';
import {
  at,
  cluster,
  entry,
  observe,
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

describe('a server that goes away', () => {
  test('a restart of PostgreSQL costs the calls during it, and no other', async () => {
    const pools = poolsWith();
    await Promise.all([pid(pools, at('alpha')), pid(pools, at('beta'))]);
    await observer.end();

    await cluster.stop('immediate');
    const during = await thrownBy(pid(pools, at('alpha')));
    await cluster.start();
    const after = await pid(pools, at('alpha'));

    await observe();
    expect(during).toMatchObject({ code: 'ECONNREFUSED' });
    expect(after).toBeTypeOf('number');
    expect(pools.stats()).toMatchObject({ open: 1, busy: 0 });
  });

  test('a borrower whose session an admin ends is told so, and the next one gets another', async () => {
    const pools = poolsWith();
    let mine: unknown;

    const error = await thrownBy(
      pools.withConnection(at('alpha'), patient(), async (client) => {
        mine = await value(client, 'SELECT pg_backend_pid()');
        const ended = new Promise<void>((resolve) => client.once('end', resolve));
        await observer.query('SELECT pg_terminate_backend($1)', [mine]);
        await ended;
        await client.query('SELECT 1');
      }),
    );

    expect(error).toMatchObject({ code: 'CONNECTION_LOST', retryable: true, cause: { code: '57P01' } });
    expect(await pid(pools, at('alpha'))).not.toBe(mine);
  });

  test('a session that ends in the moment it is lent does not crash the process', async () => {
    // Authentication is through, ready for a query, and the administrator's command in one packet.
    const packet = Buffer.concat([
      message('R', Buffer.alloc(4)),
      message('Z', Buffer.from('I')),
      message('E', Buffer.from('SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0')),
    ]);
    const server = createServer((socket) => socket.once('data', () => socket.end(packet))).listen(
      0,
      '127.0.0.1',
    );
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const pools = poolsWith({ DROVER_INSTANCES: [entry({ port })] });

    const error = await operationErrorOf(pid(pools, at('alpha')));

    expect(error).toMatchObject({ code: 'CONNECTION_LOST', cause: { code: '57P01' } });
    server.close();
  });

  test('a server that does not answer is given up after ten seconds', async () => {
    const relay = await relayed();
    const accepted = Promise.withResolvers<void>();
    relay.onConnection = () => {
      accepted.resolve();
      return new Promise(() => undefined);
    };
    const pools = poolsWith({ DROVER_INSTANCES: [entry({ port: relay.port })] });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const call = operationErrorOf(pid(pools, at('alpha')));
    await accepted.promise;

    vi.advanceTimersByTime(9_999);
    expect(pools.stats()).toMatchObject({ open: 1, busy: 1 });
    vi.advanceTimersByTime(1);

    expect(await call).toMatchObject({ code: 'CONNECTION_FAILED', retryable: true });
    expect(pools.stats()).toMatchObject({ open: 0, busy: 0, instances: {} });
  });

  test('connections that nobody uses for a minute are closed and their pool is forgotten', async () => {
    const pools = poolsWith();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    await pid(pools, at('alpha'));
    expect(pools.stats().open).toBe(1);

    vi.advanceTimersByTime(60_000);

    expect(pools.stats().open).toBe(0);
    await vi.waitFor(() => expect(pools.stats().instances).toEqual({}));
  });

  test('a process whose connections are all idle can end', async () => {
    const settings = JSON.stringify([entry()]);
    const script = `
      import { createPools } from './shared/postgres/pools.ts';
      import { readConfig } from './shared/config.ts';
      const pools = createPools(readConfig(process.env));
      await pools.withConnection(${JSON.stringify(at('alpha'))}, { signal: new AbortController().signal }, async () => {});
      console.log(pools.stats().open);`;

    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '--eval', script],
      {
        env: { ...process.env, GOOGLE_CLOUD_PROJECT: 'project', DROVER_INSTANCES: settings },
        timeout: 10_000,
      },
    );

    expect(stdout).toBe('1\n');
  });
});

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}
