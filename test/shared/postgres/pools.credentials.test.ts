import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import {
  at,
  borrow,
  entry,
  home,
  observer,
  operationErrorOf,
  password,
  pid,
  poolsWith,
  relayed,
  useCluster,
} from './pools.fixture.ts';

useCluster();

describe('credentials', () => {
  test('a password file that changes counts from the next connection on', async () => {
    const file = path.join(home, 'rotated');
    await observer.query(`CREATE ROLE rotated LOGIN PASSWORD 'first'`);
    writeFileSync(file, 'first\n');
    const pools = poolsWith({ DROVER_INSTANCES: [entry({ user: 'rotated', password: { file } })] });
    const holder = borrow(pools, at('alpha'));
    await holder.begun;

    await observer.query(`ALTER ROLE rotated PASSWORD 'second'`);
    writeFileSync(file, 'second\n');

    const second = await pid(pools, at('alpha'));
    holder.giveBack();
    expect(second).not.toBe(await holder.done);
  });

  test('a password that is rotated while a login is under way is read again', async () => {
    const relay = await relayed();
    const file = path.join(home, 'late');
    await observer.query(`CREATE ROLE late LOGIN PASSWORD 'new'`);
    writeFileSync(file, 'old');
    relay.onConnection = (count) => {
      if (count === 2) writeFileSync(file, 'new');
    };
    const pools = poolsWith({
      DROVER_INSTANCES: [entry({ port: relay.port, user: 'late', password: { file } })],
    });

    expect(await pid(pools, at('alpha'))).toBeTypeOf('number');
    expect(relay.accepted).toBe(2);
  });

  test('a login that is refused twice fails for now, with the server’s answer as the cause', async () => {
    const relay = await relayed();
    const pools = poolsWith({ DROVER_INSTANCES: [entry({ port: relay.port, user: 'nobody' })] });

    const error = await operationErrorOf(pid(pools, at('alpha')));

    expect(error).toMatchObject({
      code: 'AUTHENTICATION_FAILED',
      retryable: true,
      cause: { code: '28P01' },
    });
    expect(JSON.stringify(error) + error.message + error.stack).not.toContain(password);
    expect(relay.accepted).toBe(2);
    expect(pools.stats()).toMatchObject({ open: 0, busy: 0 });
  });

  test('a password that cannot be read leaves no connection open', async () => {
    const relay = await relayed();
    const pools = poolsWith({
      DROVER_INSTANCES: [entry({ port: relay.port, password: { file: path.join(home, 'missing') } })],
    });

    const error = await operationErrorOf(pid(pools, at('alpha')));

    expect(error).toMatchObject({ code: 'PASSWORD_UNREADABLE', retryable: true });
    await vi.waitFor(() => expect(relay.open).toBe(0), { interval: 5 });
  });
});
