import { describe, expect, it } from 'vitest';
import { OperationError } from '../../../shared/operation/errors.ts';
import type { Wanted } from '../../../shared/registry/claims.ts';
import { completeOperation, markReported, releaseOperation } from '../../../shared/registry/completion.ts';
import { exhaustOperation, findRecord } from '../../../shared/registry/exhausted.ts';
import { conflictDocumentId } from '../../../shared/registry/operations.ts';
import { readPayload } from '../../../shared/registry/parts.ts';
import { publishTime, useRegistry, wanted } from './fixture.ts';

const registry = useRegistry();
const exhaust = (more: Partial<Wanted> = {}) => exhaustOperation(registry.db, wanted(more), 100);
const lock = new OperationError('LOCK_TIMEOUT', 'a lock', { retryable: true, details: { table: 't' } });
const done = { state: 'succeeded', outcome: { changes: [] } } as const;

describe('an operation whose deliveries are used up', () => {
  it('fails with what its last attempt failed with, and keeps its message', async () => {
    await releaseOperation(await registry.claim(), lock);
    const exhausted = await exhaust();
    const record = await registry.record('one');
    expect(record).toMatchObject({
      state: 'failed',
      reason: 'exhausted',
      epoch: 2,
      error: {
        code: 'EXHAUSTED',
        message: 'Given up after 100 deliveries. The last one failed with LOCK_TIMEOUT: a lock',
        details: { last: { code: 'LOCK_TIMEOUT', details: { table: 't' } } },
      },
      payload: { data: Buffer.from('{"a":1}'), attributes: [{ name: 'operation-id', value: 'deploy-1' }] },
      reported: false,
      deadLettered: true,
    });
    expect(record.expireAt?.toMillis()).toBeGreaterThan(record.finishedAt?.toMillis() ?? Infinity);
    expect(exhausted).toMatchObject({ id: 'one', record: { state: 'failed', operationId: 'deploy-1' } });
  });

  it('fails where no delivery left a record', async () => {
    await exhaust();
    expect(await registry.record('one')).toMatchObject({
      function: 'create-schema',
      operationId: 'deploy-1',
      state: 'failed',
      reason: 'exhausted',
      error: { message: 'Given up after 100 deliveries. None of them left a record.' },
      deadLettered: true,
    });
  });

  it('is left to a worker that is at it', async () => {
    const { owner } = await registry.claim();
    await expect(exhaust()).rejects.toMatchObject({ code: 'BUSY', retryable: true });
    expect(await registry.record('one')).toMatchObject({ state: 'running', owner });
  });

  it('is taken from a worker that was silent for too long', async () => {
    const claim = await registry.claim();
    registry.server.advance(61);
    await exhaust();
    await expect(completeOperation(registry.db, claim, done)).rejects.toMatchObject({ code: 'LEASE_LOST' });
    expect(await registry.record('one')).toMatchObject({ state: 'failed', reason: 'exhausted' });
  });

  it('is reported as it ended, where that was not done', async () => {
    await completeOperation(registry.db, await registry.claim(), done);
    const before = await registry.record('one');
    expect(await exhaust()).toEqual({ id: 'one', record: before });
    expect(await registry.record('one')).toEqual(before);
  });

  it('is left alone where it ended and was reported', async () => {
    await completeOperation(registry.db, await registry.claim(), done);
    await markReported(registry.db, 'one', await registry.record('one'));
    const before = await registry.record('one');
    expect(await exhaust()).toBeUndefined();
    expect(await registry.record('one')).toEqual(before);
  });

  it('fails once, however often the dead letter comes', async () => {
    await exhaust();
    const before = await registry.record('one');
    expect(await exhaust()).toMatchObject({ id: 'one' });
    await markReported(registry.db, 'one', await registry.record('one'));
    expect(await exhaust()).toBeUndefined();
    expect(await registry.record('one')).toEqual({ ...before, reported: true });
  });

  it('keeps a long message below its record', async () => {
    const data = Buffer.alloc(2_000_000, 'abc');
    await exhaust({ delivery: { ...wanted().delivery, data } });
    const { payload } = await registry.record('one');
    const ref = registry.db.collection('operations').doc('one');
    expect(payload && (await readPayload(ref, payload)).equals(data)).toBe(true);
  });
});

describe('a message whose id another one has', () => {
  const conflictId = conflictDocumentId('one', 'another');

  it('gets a record of its own; the other stays as it is', async () => {
    await releaseOperation(await registry.claim(), lock);
    const before = await registry.record('one');
    expect(await exhaust({ messageHash: 'another' })).toMatchObject({ id: conflictId });
    expect(await registry.record('one')).toEqual(before);
    expect(await registry.record(conflictId)).toMatchObject({ state: 'failed', reason: 'exhausted' });
  });

  it('leaves the other alone even where that comes in between', async () => {
    let arrived = false;
    registry.server.intercept = async ({ method, phase }) => {
      if (arrived || method !== 'BatchGetDocuments' || phase !== 'after') return;
      arrived = true;
      await releaseOperation(await registry.claim(), lock);
    };
    await expect(exhaust({ messageHash: 'another' })).rejects.toMatchObject({
      code: 'BUSY',
      retryable: true,
    });
    expect(await registry.record('one')).toMatchObject({ state: 'pending', messageHash: 'hash of it' });
    expect(await exhaust({ messageHash: 'another' })).toMatchObject({ id: conflictId });
  });
});

describe('a dead letter that names no operation', () => {
  const find = (more: Partial<Wanted> = {}) => findRecord(registry.db, wanted(more));

  it.each(['running', 'pending'])(
    'is known by its content and time while its operation is %s',
    async (state) => {
      const claim = await registry.claim();
      if (state === 'pending') await releaseOperation(claim, lock);
      expect(await find()).toEqual({ id: 'one', operationId: 'deploy-1' });
    },
  );

  const request = wanted().request;
  it.each<[string, Partial<Wanted>]>([
    ['another function', { functionName: 'grant-roles' }],
    ['another content', { messageHash: 'another' }],
    ['another time', { request: { ...request, publishedAt: new Date(publishTime.getTime() + 1) } }],
    ['a dry run of the same', { request: { ...request, dryRun: true } }],
    ['a tenant’s', { request: { ...request, tenant: 'acme' } }],
  ])('is not taken for %s', async (_, other) => {
    await registry.claim();
    expect(await find(other)).toBeUndefined();
  });

  it('of a tenant is known as that tenant’s', async () => {
    await registry.claim();
    const ofTenant = { request: { ...request, operationId: 'deploy-2', tenant: 'acme' } };
    await registry.claim({ id: 'two', ...ofTenant });
    expect(await find(ofTenant)).toEqual({ id: 'two', operationId: 'deploy-2' });
  });

  it('is known where its operation ended and only the acknowledgement was lost', async () => {
    await completeOperation(registry.db, await registry.claim(), done);
    expect(await find()).toEqual({ id: 'one', operationId: 'deploy-1' });
  });

  it('is taken for the one of its twins that is unfinished', async () => {
    await completeOperation(registry.db, await registry.claim(), done);
    await registry.claim({ id: 'two', request: { ...request, operationId: 'deploy-2' } });
    expect(await find()).toEqual({ id: 'two', operationId: 'deploy-2' });
  });
});
