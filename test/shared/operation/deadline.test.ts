import { describe, expect, it, vi } from 'vitest';
import { drain, runAbortable } from '../../../shared/operation/running.ts';
import { nothing, operation, push, type Run, untilAborted, useWorker } from './worker.ts';

const worker = useWorker();

/** 10 s of a timeout are kept back for ending the operation. */
const oneSecond = 11;

describe('the deadline', () => {
  it('aborts the handler and hands the operation back; the next delivery runs it', async () => {
    const remaining: number[] = [];
    const run = vi.fn<Run>(async (_, { signal, remainingMs }) => {
      remaining.push(remainingMs());
      if (run.mock.calls.length > 1) return nothing;
      return untilAborted(signal);
    });
    await expect(operation(run, oneSecond)(push('one'))).rejects.toThrow(
      "DEADLINE_EXCEEDED: The function's time was over after 1 s",
    );
    expect(await worker.record('one')).toMatchObject({
      state: 'pending',
      error: { code: 'DEADLINE_EXCEEDED' },
    });
    await operation(run, oneSecond)(push('one'));
    expect(await worker.record('one')).toMatchObject({ state: 'succeeded', epoch: 2 });
    for (const milliseconds of remaining) {
      expect(milliseconds).toBeGreaterThan(0);
      expect(milliseconds).toBeLessThanOrEqual(1000);
    }
  });

  it('does not undo what was done just in time', async () => {
    await operation(async (_, { signal }) => {
      await untilAborted(signal).catch(() => undefined);
      return nothing;
    }, oneSecond)(push('one'));
    expect(await worker.record('one')).toMatchObject({ state: 'succeeded' });
  });

  it('is the reason, whatever the handler throws because of it', async () => {
    const work = runAbortable(1, async ({ controller }) => {
      await untilAborted(controller.signal).catch(() => undefined);
      throw controller.signal.reason;
    });
    await expect(work).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED', retryable: true });
  });
});

describe('a process that has to stop', () => {
  it('aborts what does not end in time and hands it back', async () => {
    const started = Promise.withResolvers<void>();
    const run = vi.fn<Run>(async (_, { signal }) => {
      started.resolve();
      if (run.mock.calls.length > 1) return nothing;
      return untilAborted(signal);
    });
    const delivered = operation(run)(push('one')).catch((error: Error) => error.message);
    await Promise.race([started.promise, delivered]);
    expect(await drain(0)).toBe(1);
    expect(await delivered).toMatch(/^SHUTTING_DOWN: /);
    expect(await worker.record('one')).toMatchObject({ state: 'pending', error: { code: 'SHUTTING_DOWN' } });
    await operation(run)(push('one'));
    expect(await worker.record('one')).toMatchObject({ state: 'succeeded', epoch: 2 });
  });

  it('waits for what ends in time', async () => {
    const started = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const delivered = operation(async () => {
      started.resolve();
      await release.promise;
      return nothing;
    })(push('one'));
    await Promise.race([started.promise, delivered]);
    const drained = drain(60_000);
    release.resolve();
    expect(await drained).toBe(0);
    await delivered;
    expect(await worker.record('one')).toMatchObject({ state: 'succeeded', reported: true });
  });

  it('has nothing to wait for where nothing runs', async () => {
    expect(await drain(60_000)).toBe(0);
  });
});
