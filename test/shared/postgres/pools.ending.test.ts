import { describe, expect, test, vi } from 'vitest';
import {
  at,
  borrow,
  entry,
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

describe('aborting', () => {
  test('a call with a signal that has fired borrows nothing', async () => {
    const pools = poolsWith();
    const reason = new Error('too late');

    expect(await thrownBy(borrow(pools, at('alpha'), AbortSignal.abort(reason)).done)).toBe(reason);

    expect(pools.stats()).toMatchObject({ open: 0, busy: 0, waiting: 0 });
  });

  test('a caller who waits leaves the line at once', async () => {
    const pools = poolsWith({ DROVER_CONNECTIONS_PER_DATABASE: 1 });
    const holder = borrow(pools, at('alpha'));
    await holder.begun;
    const abort = new AbortController();
    const gone = borrow(pools, at('alpha'), abort.signal);
    const next = pid(pools, at('alpha'));
    expect(pools.stats()).toMatchObject({ busy: 1, waiting: 2 });

    const reason = new Error('deadline');
    abort.abort(reason);

    expect(await thrownBy(gone.done)).toBe(reason);
    expect(pools.stats()).toMatchObject({ busy: 1, waiting: 1 });
    holder.giveBack();
    expect(await next).toBe(await holder.done);
    expect(pools.stats()).toMatchObject({ open: 1, busy: 0, waiting: 0 });
  });

  test('a connection that is being opened for a caller who has gone serves the next one', async () => {
    const relay = await relayed();
    const pools = poolsWith({
      DROVER_INSTANCES: [entry({ port: relay.port })],
      DROVER_CONNECTIONS_PER_DATABASE: 1,
    });
    const accepted = Promise.withResolvers<void>();
    const letThrough = Promise.withResolvers<void>();
    relay.onConnection = () => {
      accepted.resolve();
      return letThrough.promise;
    };
    const abort = new AbortController();
    const gone = borrow(pools, at('alpha'), abort.signal);
    await accepted.promise;

    const reason = new Error('deadline');
    abort.abort(reason);

    expect(await thrownBy(gone.done)).toBe(reason);
    const next = pid(pools, at('alpha'));
    expect(pools.stats()).toMatchObject({ busy: 1, waiting: 1 });
    letThrough.resolve();
    await next;
    expect(relay.accepted).toBe(1);
    expect(pools.stats()).toMatchObject({ open: 1, busy: 0, waiting: 0 });
  });

  test('the server rolls back what an aborted borrower began, in the middle of a statement too', async () => {
    const pools = poolsWith({ DROVER_CONNECTIONS_PER_DATABASE: 1 });
    const abort = new AbortController();
    const sleeping = Promise.withResolvers<void>();
    const working = pools.withConnection(at('alpha'), { signal: abort.signal }, async (client) => {
      await client.query('BEGIN');
      await client.query('CREATE TABLE public.unfinished ()');
      await client.query('SELECT pg_advisory_xact_lock(4711)');
      sleeping.resolve();
      await client.query('SELECT pg_sleep(600)');
    });
    await sleeping.promise;

    const reason = new Error('deadline');
    abort.abort(reason);

    expect(await thrownBy(working)).toBe(reason);
    // Waits until the server has ended the transaction that holds the lock.
    const rest = await pools.withConnection(at('alpha'), patient(), async (client) => {
      await client.query('SELECT pg_advisory_lock(4711)');
      return value(client, `SELECT to_regclass('public.unfinished')`);
    });
    expect(rest).toBeNull();
  });

  test('a borrower that ignores the signal does not keep its place', async () => {
    const pools = poolsWith({ DROVER_CONNECTIONS_PER_DATABASE: 1 });
    const abort = new AbortController();
    const stuck = borrow(pools, at('alpha'), abort.signal);
    await stuck.begun;

    abort.abort();

    expect(await thrownBy(stuck.done)).toMatchObject({ name: 'AbortError' });
    await pid(pools, at('alpha'));
    expect(pools.stats()).toMatchObject({ open: 1, busy: 0 });
  });
});

describe('closing', () => {
  test('what is lent comes back first; who waits or comes later is refused', async () => {
    const pools = poolsWith({ DROVER_CONNECTIONS_PER_DATABASE: 1 });
    const holder = borrow(pools, at('alpha'));
    await Promise.all([holder.begun, pid(pools, at('beta'))]);
    const waiting = operationErrorOf(pid(pools, at('alpha')));

    const closed = pools.close(60_000);
    const later = operationErrorOf(pid(pools, at('gamma')));

    expect(await waiting).toMatchObject({ code: 'SHUTTING_DOWN', retryable: true });
    expect(await later).toMatchObject({ code: 'SHUTTING_DOWN', retryable: true });
    holder.giveBack();
    expect(await holder.done).toBeTypeOf('number');
    await closed;
    expect(pools.stats()).toEqual({ open: 0, busy: 0, waiting: 0, instances: {} });
  });

  test('what is not back at the deadline is ended', async () => {
    const relay = await relayed();
    const pools = poolsWith({ DROVER_INSTANCES: [entry({ port: relay.port })] });
    const stuck = borrow(pools, at('alpha'));
    await stuck.begun;

    await pools.close(10);

    expect(await operationErrorOf(stuck.done)).toMatchObject({ code: 'SHUTTING_DOWN', retryable: true });
    expect(pools.stats()).toEqual({ open: 0, busy: 0, waiting: 0, instances: {} });
    await vi.waitFor(() => expect(relay.open).toBe(0), { interval: 5 });
  });

  test('a connection that is being opened does not outlive the deadline', async () => {
    const relay = await relayed();
    const accepted = Promise.withResolvers<void>();
    relay.onConnection = () => {
      accepted.resolve();
      return new Promise(() => undefined);
    };
    const pools = poolsWith({ DROVER_INSTANCES: [entry({ port: relay.port })] });
    const call = operationErrorOf(pid(pools, at('alpha')));
    await accepted.promise;

    await pools.close(10);

    expect(await call).toMatchObject({ code: 'SHUTTING_DOWN' });
    expect(pools.stats()).toMatchObject({ open: 0, busy: 0 });
  });
});
