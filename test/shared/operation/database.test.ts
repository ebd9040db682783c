import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { instance, type PreparedCluster, startPrepared } from '../../support/postgres.ts';
import { nothing, operation, push, type Run, reachPostgresAt, target, useWorker } from './worker.ts';

let cluster: PreparedCluster;

// Before the worker, which reads where the cluster is.
beforeAll(async () => {
  cluster = await startPrepared();
  await cluster.open('app');
  reachPostgresAt(cluster.port);
});

const worker = useWorker();
afterAll(() => cluster.remove());

/** A handler that sends a statement first, and another one when the message comes again. */
const sending = (first: string, again = 'SELECT 1') => {
  const run = vi.fn<Run>(async (_, { pools, signal }) => {
    const text = run.mock.calls.length > 1 ? again : first;
    await pools.withConnection(target, { signal }, (client) => client.query(text));
    return nothing;
  });
  return run;
};

describe('a statement', () => {
  it('that PostgreSQL refuses fails the operation with what the server said', async () => {
    await operation(sending('SELECT pg_read_file($$/etc/passwd$$)'))(push('refused'));
    expect(await worker.record('refused')).toMatchObject({
      state: 'failed',
      reason: 'permanent',
      error: { code: 'PERMISSION_DENIED', details: { sqlstate: '42501' } },
    });
  });

  it('that outlives the deadline is given up, and the operation handed back', async () => {
    const run = sending('SELECT pg_sleep(60)');
    await expect(operation(run, 11)(push('slow'))).rejects.toThrow('DEADLINE_EXCEEDED');
    expect(await worker.record('slow')).toMatchObject({ state: 'pending' });
    await operation(run)(push('slow'));
    expect(await worker.record('slow')).toMatchObject({ state: 'succeeded', epoch: 2 });
  });

  it('whose session is ended is tried again by the next delivery', async () => {
    const run = sending('SELECT pg_terminate_backend(pg_backend_pid())');
    await expect(operation(run)(push('ended'))).rejects.toThrow('DATABASE_UNAVAILABLE');
    await operation(run)(push('ended'));
    expect(await worker.record('ended')).toMatchObject({ state: 'succeeded', epoch: 2 });
  });

  it('for an instance that no setting names fails for good', async () => {
    const elsewhere = { instance: instance.replace('acme-dev', 'other'), database: 'app' };
    await operation(async (_, { pools, signal }) => {
      await pools.withConnection(elsewhere, { signal }, (client) => client.query('SELECT 1'));
      return nothing;
    })(push('elsewhere'));
    expect(await worker.record('elsewhere')).toMatchObject({
      state: 'failed',
      error: { code: 'TARGET_NOT_ALLOWED' },
    });
  });
});
