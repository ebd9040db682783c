import { status } from '@grpc/grpc-js';
import { describe, expect, it, vi } from 'vitest';
import { GrpcError } from '../../../local/grpc/server.ts';
import { firestore } from '../../../shared/gcp/firestore.ts';
import { OperationError } from '../../../shared/operation/errors.ts';
import { conflictDocumentId, operationDocumentId } from '../../../shared/registry/operations.ts';
import { type Adapt, nothing, operation, push, type Run, useWorker } from './worker.ts';

const worker = useWorker();

const change = { action: 'alter', kind: 'wall', name: 'north' } as const;
const painting = () => vi.fn<Run>(async () => ({ changes: [change] }));

describe('a message', () => {
  it('is run, recorded and reported, in one delivery', async () => {
    const run = painting();
    await operation(run)(push('one', { color: 'blue', levels: ['reader'] }));
    expect(run.mock.calls[0]?.[0]).toEqual({ color: 'blue', levels: ['reader'] });
    expect(await worker.record('one')).toMatchObject({
      state: 'succeeded',
      changes: [change],
      target: 'acme:europe-west1:main/app',
      epoch: 1,
      reported: true,
    });
    const id = operationDocumentId('paint', { operationId: 'one', dryRun: false });
    expect(worker.events).toMatchObject([
      { id: `${id}.1.succeeded`, type: 'drover.operation.succeeded', data: { operation: id } },
    ]);
  });

  it('that comes again changes nothing and is acknowledged', async () => {
    const run = painting();
    const deliver = operation(run);
    for (const _ of [1, 2, 3]) await deliver(push('one'));
    expect(run).toHaveBeenCalledTimes(1);
    expect(worker.events).toHaveLength(1);
  });

  it('that comes twice at once is run once: one delivery is acknowledged, the other comes again', async () => {
    const release = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    const run = vi.fn<Run>(async () => {
      started.resolve();
      await release.promise;
      return nothing;
    });
    const deliver = operation(run);
    const first = deliver(push('one'));
    await Promise.race([started.promise, first]);
    await expect(deliver(push('one'))).rejects.toThrow('BUSY');
    release.resolve();
    await first;
    expect(run).toHaveBeenCalledTimes(1);
  });

  it('that is a dry run is planned, and is another operation than the real one', async () => {
    const run = vi.fn<Run>(async (_, { dryRun }) => ({
      changes: [change],
      ...(dryRun ? { statements: ['PAINT'] } : {}),
    }));
    await operation(run)(push('one', {}, { 'dry-run': 'true' }));
    await operation(run)(push('one'));
    expect(await worker.record('one', true)).toMatchObject({ state: 'planned', statements: ['PAINT'] });
    expect(await worker.record('one')).toMatchObject({ state: 'succeeded' });
    expect(worker.events.map(({ type }) => type)).toEqual([
      'drover.operation.planned',
      'drover.operation.succeeded',
    ]);
  });

  it('that nobody wrapped is refused, and there is nothing to record', async () => {
    const calls = vi.fn();
    worker.firestore.intercept = calls;
    await expect(operation(painting())({ color: 'red' })).rejects.toThrow('NOT_A_MESSAGE');
    expect(calls).not.toHaveBeenCalled();
  });
});

describe('what others send in words of their own', () => {
  const adapt: Adapt = ({ attributes }) => {
    if (attributes['event'] === undefined) return undefined;
    if (attributes['event'] !== 'PAINT') return { ignore: `${attributes['event']} asks for nothing` };
    return { data: Buffer.from('{"color":"green"}') };
  };

  it('is run and recorded as the message that it stands for', async () => {
    const run = painting();
    await operation(run, 60, adapt)(push('one', { anything: 1 }, { event: 'PAINT' }));
    expect(run.mock.calls[0]?.[0]).toMatchObject({ color: 'green' });
    expect(await worker.record('one')).toMatchObject({ state: 'succeeded', reported: true });
  });

  it('is acknowledged without a record or a report where it asks for nothing', async () => {
    const run = painting();
    const calls = vi.fn();
    worker.firestore.intercept = calls;
    await operation(run, 60, adapt)(push('one', '', { event: 'DRIED' }));
    expect(run).not.toHaveBeenCalled();
    expect(calls).not.toHaveBeenCalled();
    expect(worker.events).toEqual([]);
  });

  it('is a message as it is where it is none of that', async () => {
    const run = painting();
    await operation(run, 60, adapt)(push('one', { color: 'blue' }));
    expect(run.mock.calls[0]?.[0]).toMatchObject({ color: 'blue' });
  });

  it('is refused like a message where it stands for none', async () => {
    const run = painting();
    await operation(run, 60, () => ({ data: Buffer.from('{"color":7}') }))(push('one'));
    expect(run).not.toHaveBeenCalled();
    expect(await worker.record('one')).toMatchObject({
      state: 'failed',
      reason: 'rejected',
      error: { code: 'INVALID_MESSAGE', details: { problems: [{ path: 'data.color' }] } },
    });
  });

  it('comes again where it can’t be read for now', async () => {
    const broken = () => {
      throw new OperationError('NOT_NOW', 'later', { retryable: true });
    };
    await expect(operation(painting(), 60, broken)(push('one'))).rejects.toThrow('NOT_NOW');
  });
});

describe('a message that can never be run', () => {
  it('is rejected with all of its problems, kept and acknowledged', async () => {
    const run = painting();
    await operation(run)(push('one', { color: 7, shade: 1 }, { revision: 'newest' }));
    expect(run).not.toHaveBeenCalled();
    const { error, payload, ...record } = await worker.record('one');
    expect(record).toMatchObject({ state: 'failed', reason: 'rejected', reported: true });
    expect(error).toMatchObject({
      code: 'INVALID_MESSAGE',
      details: {
        problems: [{ path: 'attributes.revision' }, { path: 'data.color' }, { path: 'data.shade' }],
      },
    });
    expect(payload?.data?.toString()).toBe('{"color":7,"shade":1}');
    expect(worker.events).toMatchObject([{ type: 'drover.operation.failed', data: { reason: 'rejected' } }]);
  });

  it('is rejected where it is no JSON at all', async () => {
    await operation(painting())(push('one', 'paint it red'));
    expect(await worker.record('one')).toMatchObject({ state: 'failed', error: { code: 'INVALID_MESSAGE' } });
  });

  it('is rejected where no record could hold its time', async () => {
    await operation(painting())(push('one', {}, { 'original-publish-time': '0000-01-01T00:00:00Z' }));
    expect(await worker.record('one')).toMatchObject({ state: 'failed', error: { code: 'INVALID_MESSAGE' } });
  });

  it('is rejected where the policy doesn’t allow it', async () => {
    const run = painting();
    await operation(run)(push('one', { levels: ['owner'] }));
    expect(run).not.toHaveBeenCalled();
    expect(await worker.record('one')).toMatchObject({
      state: 'failed',
      reason: 'rejected',
      error: { code: 'NOT_ALLOWED' },
    });
  });
});

describe('an id that is taken', () => {
  const conflicting = async () => {
    const taken = operationDocumentId('paint', { operationId: 'one', dryRun: false });
    const [event] = worker.events.slice(-1);
    const db = await firestore();
    const conflict = await db
      .collection('operations')
      .doc(event?.data.operation ?? '')
      .get();
    expect(conflict.id).toBe(conflictDocumentId(taken, conflict.get('messageHash')));
    return conflict.data();
  };

  it('refuses another message, in a record of its own; the first stays as it is', async () => {
    const run = painting();
    await operation(run)(push('one', { color: 'red' }));
    const before = await worker.record('one');
    for (const _ of [1, 2]) await operation(run)(push('one', { color: 'blue' }));
    expect(run).toHaveBeenCalledTimes(1);
    expect(await worker.record('one')).toEqual(before);
    expect(await conflicting()).toMatchObject({
      state: 'failed',
      reason: 'rejected',
      error: { code: 'IDEMPOTENCY_CONFLICT' },
      reported: true,
    });
    expect(worker.events.map(({ type }) => type)).toEqual([
      'drover.operation.succeeded',
      'drover.operation.failed',
    ]);
  });

  it('is no conflict where only the text differs', async () => {
    const run = painting();
    await operation(run)(push('one', '{"color":"red","levels":[]}'));
    await operation(run)(push('one', '{ "levels": [], "color": "red" }'));
    expect(run).toHaveBeenCalledTimes(1);
    expect(worker.events).toHaveLength(1);
  });
});

describe('a handler that throws', () => {
  it('something permanent fails, and the message is kept and acknowledged', async () => {
    await operation(async () => {
      throw new OperationError('NO_WALL', 'there is no wall', { details: { wall: 'north' } });
    })(push('one', { color: 'blue' }));
    expect(await worker.record('one')).toMatchObject({
      state: 'failed',
      reason: 'permanent',
      error: { code: 'NO_WALL', details: { wall: 'north' } },
      payload: {
        data: Buffer.from('{"color":"blue"}'),
        attributes: [{ name: 'operation-id', value: 'one' }],
      },
      reported: true,
    });
  });

  it('something that may pass hands the operation back; the next delivery runs it at once', async () => {
    const run = vi
      .fn<Run>(async () => nothing)
      .mockRejectedValueOnce(new OperationError('LOCK_TIMEOUT', 'a lock', { retryable: true }));
    await expect(operation(run)(push('one'))).rejects.toThrow('LOCK_TIMEOUT: a lock');
    expect(await worker.record('one')).toMatchObject({ state: 'pending', error: { code: 'LOCK_TIMEOUT' } });
    expect(worker.events).toEqual([]);
    await operation(run)(push('one'));
    expect(await worker.record('one')).toMatchObject({ state: 'succeeded', epoch: 2, error: null });
  });

  it('what nobody knows is taken for a bug: logged with its stack, and tried again', async () => {
    const run = vi.fn<Run>(async () => nothing).mockRejectedValueOnce(new TypeError('x is not a function'));
    const thrown = await operation(run)(push('one')).catch((error: Error) => error);
    const entry = JSON.parse(thrown instanceof Error ? (thrown.stack ?? '') : '');
    expect(entry).toMatchObject({ severity: 'ERROR', code: 'INTERNAL', function: 'paint', operation: 'one' });
    expect(entry.stack).toMatch(/^TypeError: x is not a function\n.*life\.test\.ts/s);
    expect(await worker.record('one')).toMatchObject({ state: 'pending', error: { code: 'INTERNAL' } });
    await operation(run)(push('one'));
    expect(await worker.record('one')).toMatchObject({ state: 'succeeded' });
  });
});

describe('an end that could not be published', () => {
  it.each(['before', 'after'] as const)('is published by the next delivery: it broke %s', async (phase) => {
    const run = painting();
    worker.onPublish = (call) => {
      if (call.phase === phase) throw new GrpcError(status.PERMISSION_DENIED, 'not now');
    };
    await expect(operation(run)(push('one'))).rejects.toThrow('GOOGLE_PERMISSION_DENIED');
    expect(await worker.record('one')).toMatchObject({ state: 'succeeded', reported: false });

    worker.onPublish = undefined;
    await operation(run)(push('one'));
    expect(run).toHaveBeenCalledTimes(1);
    expect(await worker.record('one')).toMatchObject({ state: 'succeeded', reported: true, epoch: 1 });
    const id = operationDocumentId('paint', { operationId: 'one', dryRun: false });
    expect(worker.events.map((event) => event.id)).toEqual(
      Array(phase === 'after' ? 2 : 1).fill(`${id}.1.succeeded`),
    );
    expect(new Set(worker.events.map((event) => JSON.stringify(event))).size).toBe(1);
  });

  it('of a rejected message is published by the next delivery, too', async () => {
    worker.onPublish = () => {
      throw new GrpcError(status.PERMISSION_DENIED, 'not now');
    };
    await expect(operation(painting())(push('one', []))).rejects.toThrow('GOOGLE_PERMISSION_DENIED');
    worker.onPublish = undefined;
    worker.events = [];
    await operation(painting())(push('one', []));
    expect(worker.events).toMatchObject([{ type: 'drover.operation.failed' }]);
  });
});
