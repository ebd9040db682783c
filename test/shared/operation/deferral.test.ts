import { status } from '@grpc/grpc-js';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { GrpcError } from '../../../local/grpc/server.ts';
import { firestore } from '../../../shared/gcp/firestore.ts';
import { classify } from '../../../shared/operation/classify.ts';
import { Deferred, waitingFor } from '../../../shared/operation/deferral.ts';
import { OperationError } from '../../../shared/operation/errors.ts';
import { drain } from '../../../shared/operation/running.ts';
import { quotaOf, writeTenant } from '../../support/tenant-record.ts';
import { isWrite, loseAnswer } from '../registry/fixture.ts';
import { inMinutes, passes, useWaitingWorker, waiting, why } from './waiting.ts';
import { nothing, operation, operationForTenants, push, type Run, untilAborted } from './worker.ts';

const worker = useWaitingWorker();
const { tick } = worker;

const outage = new OperationError('LOCK_TIMEOUT', 'a lock', { retryable: true });

const results = () => worker.events.filter(({ type }) => type?.startsWith('drover.operation'));

describe('an operation whose handler has to wait', () => {
  it('is deferred: acknowledged, with its message kept, and nobody is told anything yet', async () => {
    const message = push('one', { color: 'blue' }, { note: 'kept' });
    await operation(waiting())(message);
    const record = await worker.record('one');
    const notBefore = record.notBefore?.toDate() ?? new Date(0);
    expect(Math.abs(notBefore.getTime() - inMinutes(40).getTime())).toBeLessThan(20_000);
    expect(record).toMatchObject({
      state: 'deferred',
      epoch: 1,
      reported: false,
      publishAt: record.notBefore,
      payload: { data: Buffer.from('{"color":"blue"}') },
      error: {
        code: 'RATE_LIMITED',
        message: `${why} This is run again from ${notBefore.toISOString()} on.`,
        details: { notBefore: notBefore.toISOString() },
      },
    });
    expect(record.payload?.attributes).toContainEqual({ name: 'note', value: 'kept' });
    expect(record).not.toHaveProperty('admitted');
    expect(worker.events).toEqual([]);
  });

  it('is published by a tick when its time has come and not before, and then runs and ends as if nothing had been', async () => {
    const run = waiting();
    await operation(run)(push('one', { color: 'blue' }));
    expect((await tick()).messages).toEqual([]);
    await operation(run)(push('one', { color: 'blue' }));
    expect(run).toHaveBeenCalledTimes(1);

    passes(41);
    const planned = await tick(true);
    expect(planned).toMatchObject({ messages: [], part: { summary: { deferred: 1 } } });
    const { messages, part } = await tick();
    expect(part).toEqual({
      changes: [{ action: 'create', kind: 'message', name: 'paint one', detail: 'deferred' }],
      notes: [],
      summary: { deferred: 1 },
    });
    expect(messages).toHaveLength(1);
    expect((await tick()).messages).toEqual([]);
    for (const message of messages) await operation(run)(message);

    expect(run.mock.calls.map(([{ color }]) => color)).toEqual(['blue', 'blue']);
    expect(run.mock.calls[1]?.[1].asked).toEqual({ publishedAt: new Date('2026-03-01T10:00:00Z') });
    expect(await worker.record('one')).toMatchObject({
      ...{ state: 'succeeded', epoch: 2, reported: true },
      ...{ notBefore: null, publishAt: null, payload: null, error: null },
    });
    expect(results()).toMatchObject([{ data: { state: 'succeeded', error: null, attempt: 2 } }]);
  });

  it('waits again where it has to, as often as it has to', async () => {
    const run = waiting(2);
    await operation(run)(push('one'));
    const first = (await worker.record('one')).notBefore?.toMillis() ?? 0;
    passes(41);
    await operation(run)(push('one'));
    const { state, notBefore, publishAt, payload } = await worker.record('one');
    expect({ state, publishAt }).toEqual({ state: 'deferred', publishAt: notBefore });
    expect(notBefore?.toMillis()).toBeGreaterThan(first + 40 * 60_000);
    expect(payload).toMatchObject({ data: Buffer.from('{}') });
    passes(41);
    for (const message of (await tick()).messages) await operation(run)(message);
    expect(await worker.record('one')).toMatchObject({ state: 'succeeded', epoch: 3 });
  });

  it('is no dead letter while it is tried again: nothing is left of the wait once its message is there', async () => {
    const run = waiting().mockRejectedValueOnce(outage);
    await operation(run)(push('one'));
    passes(41);
    await expect(operation(run)(push('one'))).rejects.toThrow('LOCK_TIMEOUT');
    expect(await worker.record('one')).toMatchObject({
      ...{ state: 'pending', error: { code: 'LOCK_TIMEOUT' } },
      ...{ notBefore: null, publishAt: null, payload: null },
    });
  });

  it('may fail after that like any other, and says why', async () => {
    const run = waiting().mockRejectedValueOnce(new OperationError('NO_PAINT', 'none left'));
    await operation(run)(push('one'));
    passes(41);
    await operation(run)(push('one'));
    expect(await worker.record('one')).toMatchObject({
      ...{ state: 'failed', error: { code: 'NO_PAINT' }, notBefore: null, publishAt: null },
      payload: { data: Buffer.from('{}') },
    });
  });

  it('is planned later where it is a dry run: whoever asks gets the plan, and not that there is none for now', async () => {
    const run = waiting();
    await operation(run)(push('one', {}, { 'dry-run': 'true' }));
    expect(await worker.record('one', true)).toMatchObject({ state: 'deferred' });
    passes(41);
    for (const message of (await tick()).messages) await operation(run)(message);
    expect(run.mock.calls.map(([, { dryRun }]) => dryRun)).toEqual([true, true]);
    expect(await worker.record('one', true)).toMatchObject({ state: 'planned', error: null, payload: null });
  });

  it('waits also where its process has to stop', async () => {
    const started = Promise.withResolvers<void>();
    const run = vi.fn<Run>(async (_message, { signal }) => {
      started.resolve();
      await untilAborted(signal).catch(() => undefined);
      throw new Deferred(why, inMinutes(40));
    });
    const ended = operation(run)(push('one'));
    await Promise.race([started.promise, ended]);
    expect(await drain(0)).toBe(1);
    await ended;
    expect(await worker.record('one')).toMatchObject({ state: 'deferred', error: { code: 'RATE_LIMITED' } });
  });
});

describe('a worker that defers', () => {
  it('defers nothing where it lost its lease: the message comes again, and its successor’s end stays', async () => {
    const frozen = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    const run = vi
      .fn<Run>(async () => nothing)
      .mockImplementationOnce(async () => {
        started.resolve();
        await frozen.promise;
        throw new Deferred(why, inMinutes(40));
      });
    const loser = operation(run)(push('one'));
    await Promise.race([started.promise, loser]);
    passes(60);
    await operation(run)(push('one'));
    frozen.resolve();
    await expect(loser).rejects.toThrow('LEASE_LOST');
    expect(await worker.record('one')).toMatchObject({ state: 'succeeded', epoch: 2, payload: null });
  });

  it('has done so where only the answer was lost', async () => {
    let isLost = () => false;
    const run = vi.fn<Run>(async () => {
      isLost = loseAnswer(worker.firestore, isWrite);
      throw new Deferred(why, inMinutes(40));
    });
    await operation(run)(push('one'));
    expect(isLost()).toBe(true);
    expect(await worker.record('one')).toMatchObject({ state: 'deferred', epoch: 1 });
  });

  it('hands the operation back where that can’t be written, and its message comes again', async () => {
    const run = waiting();
    let refusals = 0;
    worker.firestore.intercept = ({ method, phase }) => {
      // Of the transaction that defers: only that one reads.
      if (method !== 'BatchGetDocuments' || phase !== 'before' || run.mock.calls.length === 0) return;
      refusals += 1;
      throw new GrpcError(status.PERMISSION_DENIED, 'not now');
    };
    await expect(operation(run)(push('one'))).rejects.toThrow('GOOGLE_PERMISSION_DENIED');
    worker.firestore.intercept = undefined;
    expect(refusals).toBeGreaterThan(0);
    expect(await worker.record('one')).toMatchObject({ state: 'pending' });
    await operation(run)(push('one'));
    expect(await worker.record('one')).toMatchObject({ state: 'succeeded' });
  });
});

describe('a tenant’s operation whose handler has to wait', () => {
  const ofTenant = (id: string, more: Record<string, string> = {}) =>
    push(id, {}, { tenant: 'acme', ...more });
  const recordOf = (id: string, dryRun = false) => worker.record(id, dryRun, 'acme');
  const tenant = async (limits: Parameters<typeof writeTenant>[2]) =>
    writeTenant(await firestore(), 'acme', limits);
  const usage = async () => quotaOf(await firestore(), 'acme');

  it('takes the place of no other meanwhile, neither of those that run nor in the line', async () => {
    await tenant({ concurrentOperations: 1 });
    await operationForTenants(waiting())(ofTenant('waits'));
    expect(await recordOf('waits')).toMatchObject({ state: 'deferred', admitted: null, counted: true });
    // Asked for later, and not behind it.
    const run = waiting(0);
    await operationForTenants(run)(push('later', {}, { tenant: 'acme' }, 1));
    expect(await recordOf('later')).toMatchObject({ state: 'succeeded' });
  });

  it('is counted once, and runs when its time has come though the day is full', async () => {
    await tenant({ operationsPerDay: 1, operationsPerMinute: 1 });
    const run = waiting();
    await operationForTenants(run)(ofTenant('one'));
    passes(41);
    const { messages, part } = await tick();
    expect(part.changes).toMatchObject([{ detail: 'deferred, of tenant acme' }]);
    for (const message of messages) await operationForTenants(run)(message);
    expect(await recordOf('one')).toMatchObject({
      ...{ state: 'succeeded', epoch: 2, admitted: true, counted: true },
      ...{ notBefore: null, publishAt: null, payload: null, error: null },
    });
    expect(await usage()).toMatchObject({ today: 1 });
  });

  it('waits for a place like others where all are taken when it comes again', async () => {
    await tenant({ concurrentOperations: 1 });
    const run = waiting();
    await operationForTenants(run)(ofTenant('one'));
    passes(41);
    const release = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    const other = operationForTenants(async () => {
      started.resolve();
      await release.promise;
      return nothing;
    })(ofTenant('other'));
    await Promise.race([started.promise, other]);
    await operationForTenants(run)(ofTenant('one'));
    const { error } = await recordOf('one');
    expect(error).toMatchObject({ code: 'RATE_LIMITED', details: { limit: 'concurrentOperations' } });
    expect(await recordOf('one')).toMatchObject({ state: 'deferred', admitted: false });
    release.resolve();
    await other;
    passes(11);
    await operationForTenants(run)(ofTenant('one'));
    expect(await recordOf('one')).toMatchObject({ state: 'succeeded', error: null });
    expect(await usage()).toMatchObject({ today: 2 });
  });

  it('is in nobody’s way as a dry run either', async () => {
    await tenant({ concurrentOperations: 1 });
    await operationForTenants(waiting())(ofTenant('one', { 'dry-run': 'true' }));
    const record = await recordOf('one', true);
    expect(record).toMatchObject({ state: 'deferred' });
    expect(record.admitted ?? null).toBeNull();
    await operationForTenants(waiting(0))(push('later', {}, { tenant: 'acme' }, 1));
    expect(await recordOf('later')).toMatchObject({ state: 'succeeded' });
    expect(await usage()).toMatchObject({ today: 1 });
  });
});

describe('the time to wait', () => {
  const now = new Date('2026-03-01T10:00:00Z');
  const day = 24 * 3_600_000;

  it('is the one asked for, within a day from now, and says so', () => {
    fc.assert(
      fc.property(fc.date({ noInvalidDate: false }), (wished) => {
        const { notBefore, error } = waitingFor(new Deferred(why, wished), now);
        const ahead = notBefore.getTime() - now.getTime();
        expect(ahead).toBeGreaterThanOrEqual(0);
        expect(ahead).toBeLessThanOrEqual(day);
        const asked = wished.getTime() - now.getTime();
        if (asked >= 0 && asked <= day) expect(notBefore).toEqual(wished);
        expect(error.message).toBe(`${why} This is run again from ${notBefore.toISOString()} on.`);
      }),
      { examples: [[new Date(Number.NaN)], [now], [new Date(now.getTime() + day)], [new Date(8.64e15)]] },
    );
  });

  it('is told in a sentence of its own', () => {
    for (const said of ['The limit is reached', 'The limit is reached.']) {
      const { error } = waitingFor(new Deferred(said, now), now);
      expect(error.message).toBe('The limit is reached. This is run again from 2026-03-01T10:00:00.000Z on.');
    }
  });

  it('is known where it is taken for an error on its way: as one that passes', () => {
    const deferred = new Deferred(why, now);
    expect(classify(deferred)).toBe(deferred);
    expect(deferred).toMatchObject({ code: 'RATE_LIMITED', retryable: true, message: why });
  });
});
