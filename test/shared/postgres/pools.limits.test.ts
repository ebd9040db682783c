import { describe, expect, test } from 'vitest';
import {
  at,
  borrow,
  databases,
  entry,
  observer,
  operationErrorOf,
  patient,
  pid,
  poolsWith,
  relayed,
  useCluster,
  value,
} from './pools.fixture.ts';

useCluster();

describe('limits', () => {
  test('50 callers at once share as many connections as one database may have', async () => {
    const pools = poolsWith({ DROVER_CONNECTIONS_PER_DATABASE: 4 });

    const seen = await Promise.all(
      Array.from({ length: 50 }, () =>
        pools.withConnection(at('alpha'), patient(), async (client) => ({
          pid: await value(client, 'SELECT pg_backend_pid()'),
          connections: await value(
            client,
            `SELECT count(*)::int FROM pg_stat_activity WHERE application_name = '${pools.application}'`,
          ),
        })),
      ),
    );

    expect(new Set(seen.map((one) => one.pid)).size).toBe(4);
    expect(Math.max(...seen.map((one) => Number(one.connections)))).toBe(4);
  });

  test('a connection that makes room is closed before another is opened', async () => {
    const relay = await relayed();
    const openThen: number[] = [];
    relay.onConnection = () => void openThen.push(relay.open);
    const pools = poolsWith({
      DROVER_INSTANCES: [entry({ port: relay.port })],
      DROVER_CONNECTIONS_PER_PROCESS: 1,
    });

    for (const database of databases) await pid(pools, at(database));

    expect(openThen).toEqual([1, 1, 1]);
  });

  test('a discarded connection counts until it is closed', async () => {
    const relay = await relayed();
    const openThen: number[] = [];
    relay.onConnection = () => void openThen.push(relay.open);
    const pools = poolsWith({
      DROVER_INSTANCES: [entry({ port: relay.port })],
      DROVER_CONNECTIONS_PER_DATABASE: 1,
    });

    const next = Promise.withResolvers<unknown>();
    await pools.withConnection(at('alpha'), patient(), async (_, loan) => {
      loan.discard();
      setImmediate(() => pid(pools, at('alpha')).then(next.resolve, next.reject));
    });
    await next.promise;

    expect(openThen).toEqual([1, 1]);
  });

  test('connections of different databases are never mixed up', async () => {
    const pools = poolsWith({ DROVER_CONNECTIONS_PER_PROCESS: 4 });

    const asked = Array.from({ length: 60 }, (_, index) => databases[index % 3] ?? 'alpha');
    const answered = await Promise.all(
      asked.map((database) =>
        pools.withConnection(at(database), patient(), (client) => value(client, 'SELECT current_database()')),
      ),
    );

    expect(answered).toEqual(asked);
  });

  test('the same database name on two instances means two databases', async () => {
    const relay = await relayed();
    const pools = poolsWith({
      DROVER_INSTANCES: [
        entry({ instances: 'project:europe-west1:one' }),
        entry({ instances: 'project:europe-west1:two', port: relay.port }),
      ],
    });

    const first = await pid(pools, at('alpha', 'one'));
    const second = await pid(pools, at('alpha', 'two'));

    expect(second).not.toBe(first);
    expect(relay.accepted).toBe(1);
  });

  test('a connection serves the next caller', async () => {
    const pools = poolsWith();

    expect(await pid(pools, at('alpha'))).toBe(await pid(pools, at('alpha')));
    expect(pools.stats()).toMatchObject({ open: 1, busy: 0, waiting: 0 });
  });

  test('where the process has no room, the connection that was used longest ago is closed', async () => {
    const pools = poolsWith({ DROVER_CONNECTIONS_PER_PROCESS: 2 });
    const alpha = await pid(pools, at('alpha'));
    const beta = await pid(pools, at('beta'));
    await pid(pools, at('alpha'));

    await pid(pools, at('gamma'));

    const { rows } = await observer.query('SELECT pid FROM pg_stat_activity WHERE application_name = $1', [
      pools.application,
    ]);
    const alive = rows.map((row) => row.pid);
    expect(alive).toHaveLength(2);
    expect(alive).toContain(alpha);
    expect(alive).not.toContain(beta);
  });

  test('where an instance has no room, a connection of the same instance is closed', async () => {
    const pools = poolsWith({ DROVER_CONNECTIONS_PER_INSTANCE: 1 });
    const elsewhere = await pid(pools, at('alpha', 'other'));
    await pid(pools, at('alpha'));

    await pid(pools, at('beta'));

    expect(pools.stats().instances).toEqual({
      'project:europe-west1:one': { open: 1, busy: 0, waiting: 0 },
      'project:europe-west1:other': { open: 1, busy: 0, waiting: 0 },
    });
    expect(await pid(pools, at('alpha', 'other'))).toBe(elsewhere);
  });

  test('as many idle connections are closed as there are callers who need the room', async () => {
    const pools = poolsWith({ DROVER_CONNECTIONS_PER_PROCESS: 3 });
    const held = [borrow(pools, at('alpha')), borrow(pools, at('alpha'))];
    await Promise.all(held.map((one) => one.begun));
    for (const one of held) one.giveBack();
    await Promise.all(held.map((one) => one.done));

    const [beta, gamma] = [borrow(pools, at('beta')), borrow(pools, at('gamma'))];
    await Promise.all([beta.begun, gamma.begun]);

    expect(pools.stats()).toMatchObject({ open: 3, busy: 2 });
    beta.giveBack();
    gamma.giveBack();
    await Promise.all([beta.done, gamma.done]);
  });

  test('a caller who waits too long is told what is open, the limit and its setting', async () => {
    const pools = poolsWith({ DROVER_CONNECTIONS_PER_INSTANCE: 1, DROVER_CONNECTION_WAIT_SECONDS: 0.05 });
    const holder = borrow(pools, at('alpha'));
    await holder.begun;

    const error = await operationErrorOf(pid(pools, at('beta')));

    expect(error).toMatchObject({
      code: 'TOO_FEW_CONNECTIONS',
      retryable: true,
      details: { open: 1, limit: 1, setting: 'DROVER_CONNECTIONS_PER_INSTANCE' },
    });
    expect(error.message).toContain('DROVER_CONNECTIONS_PER_INSTANCE is 1');
    expect(pools.stats()).toMatchObject({ busy: 1, waiting: 0 });
    holder.giveBack();
    await holder.done;
  });

  test('those who wait are served in the order in which they came', async () => {
    const pools = poolsWith({ DROVER_CONNECTIONS_PER_PROCESS: 1 });
    const holder = borrow(pools, at('alpha'));
    await holder.begun;
    const served: string[] = [];
    const waiting = (['beta', 'alpha', 'gamma', 'alpha', 'beta'] as const).map((database, index) =>
      pools.withConnection(at(database), patient(), async () => served.push(`${index} ${database}`)),
    );

    holder.giveBack();
    await Promise.all(waiting);

    expect(served).toEqual(['0 beta', '1 alpha', '2 gamma', '3 alpha', '4 beta']);
  });

  test('a full database does not hold up callers of another', async () => {
    const pools = poolsWith({ DROVER_CONNECTIONS_PER_DATABASE: 1 });
    const holder = borrow(pools, at('alpha'));
    await holder.begun;
    const second = pid(pools, at('alpha'));

    await pid(pools, at('beta'));

    expect(pools.stats()).toMatchObject({ busy: 1, waiting: 1 });
    holder.giveBack();
    await second;
  });

  test('an instance that no setting covers is denied for good', async () => {
    const error = await operationErrorOf(
      pid(poolsWith(), { instance: 'elsewhere:europe-west1:one', database: 'alpha' }),
    );

    expect(error).toMatchObject({ code: 'TARGET_NOT_ALLOWED', retryable: false });
    expect(error.message).toMatch(/elsewhere:europe-west1:one.*DROVER_INSTANCES/);
  });
});
