import { once } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { firestore } from '../../../shared/gcp/firestore.ts';
import { operationDocumentId } from '../../../shared/registry/operations.ts';
import { nothing, operation, push, type Run, untilAborted, useWorker } from './worker.ts';

const worker = useWorker({ DROVER_LEASE_SECONDS: '1' });

/** Resolves when the worker has renewed its lease so often from now on. */
function renewals(count: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let seen = 0;
  worker.firestore.intercept = (call) => {
    if (call.phase !== 'after' || call.method !== 'Commit') return;
    if (!JSON.stringify(call.request).includes('"renewedAt"')) return;
    seen += 1;
    if (seen === count) resolve();
  };
  return promise;
}

describe('the lease of an operation', () => {
  it('is renewed while the handler runs for longer', async () => {
    const deliver = operation(async () => {
      const from = (await worker.record('one')).renewedAt.toMillis();
      await renewals(4);
      expect((await worker.record('one')).renewedAt.toMillis() - from).toBeGreaterThan(1000);
      await expect(deliver(push('one'))).rejects.toThrow('BUSY');
      return nothing;
    });
    await deliver(push('one'));
    expect(await worker.record('one')).toMatchObject({ state: 'succeeded', epoch: 1, reported: true });
  });

  it('is lost to whoever takes over: the handler is aborted, and nothing it did counts', async () => {
    let reason: unknown;
    const thief = { owner: 'another worker', epoch: 2 };
    const deliver = operation(async (_, { signal }) => {
      const db = await firestore();
      const id = operationDocumentId('paint', { operationId: 'one', dryRun: false });
      await db.collection('operations').doc(id).update(thief);
      await untilAborted(signal).catch(() => undefined);
      reason = signal.reason;
      return nothing;
    });
    await expect(deliver(push('one'))).rejects.toThrow('LEASE_LOST');
    expect(reason).toMatchObject({ code: 'LEASE_LOST', retryable: true });
    expect(await worker.record('one')).toMatchObject({ state: 'running', ...thief });
    expect(worker.events).toEqual([]);
  });

  it('ends with a handler that goes on although its time is over: another delivery takes the operation', async () => {
    const release = Promise.withResolvers<void>();
    const run = vi.fn<Run>(async (_, { signal }) => {
      if (run.mock.calls.length > 1) return nothing;
      await once(signal, 'abort');
      await release.promise;
      return nothing;
    });
    const deliver = operation(run, 11);
    const hung = deliver(push('one')).catch((error: Error) => error.message);
    await vi.waitFor(() => deliver(push('one')), { timeout: 10_000, interval: 50 });
    expect(await worker.record('one')).toMatchObject({ state: 'succeeded', epoch: 2, reported: true });
    release.resolve();
    expect(await hung).toMatch(/^LEASE_LOST: /);
    expect(await worker.record('one')).toMatchObject({ state: 'succeeded', epoch: 2 });
    expect(worker.events).toHaveLength(1);
  });
});

describe('what nothing can fence', () => {
  it('may be done while the lease is renewed', async () => {
    const deliver = operation(async (_, { assertHeld }) => {
      const renewed = renewals(4);
      assertHeld();
      await renewed;
      assertHeld();
      return nothing;
    });
    await deliver(push('one'));
    expect(await worker.record('one')).toMatchObject({ state: 'succeeded' });
  });

  it('is refused once the lease is over by this process’s own clock, though nobody has said so', async () => {
    let refusal: unknown;
    let aborted: boolean | undefined;
    const deliver = operation(async (_, { assertHeld, signal }) => {
      // The process is frozen, as Cloud Run does it: its timers come late, its clock goes on.
      const frozen = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 1001);
      try {
        assertHeld();
      } catch (error) {
        refusal = error;
        aborted = signal.aborted;
      } finally {
        frozen.mockRestore();
      }
      return nothing;
    });
    await deliver(push('one'));
    expect(refusal).toMatchObject({ code: 'LEASE_LOST', retryable: true });
    expect(aborted).toBe(false);
  });

  it('is refused while no renewal is answered: the time counts from when the last one was sent', async () => {
    const deliver = operation(async (_, { assertHeld }) => {
      const held = Promise.withResolvers<void>();
      worker.firestore.intercept = ({ method, phase }) =>
        method === 'Commit' && phase === 'after' ? held.promise : undefined;
      await vi.waitFor(() => expect(assertHeld).toThrow('was silent for too long'), {
        timeout: 3000,
        interval: 10,
      });
      worker.firestore.intercept = undefined;
      held.resolve();
      await vi.waitFor(() => assertHeld(), { timeout: 3000, interval: 10 });
      return nothing;
    });
    await deliver(push('one'));
    expect(await worker.record('one')).toMatchObject({ state: 'succeeded', epoch: 1 });
  });
});
