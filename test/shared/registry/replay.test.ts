import { beforeEach, describe, expect, it } from 'vitest';
import { OperationError } from '../../../shared/operation/errors.ts';
import type { Claim } from '../../../shared/registry/claims.ts';
import { claimOperation, type Wanted } from '../../../shared/registry/claims.ts';
import { completeOperation, markReported, releaseOperation } from '../../../shared/registry/completion.ts';
import { exhaustOperation } from '../../../shared/registry/exhausted.ts';
import { reopenOperation } from '../../../shared/registry/replay.ts';
import { useRegistry, wanted } from './fixture.ts';

const registry = useRegistry();
const reopen = (id = 'one') => reopenOperation(registry.db, id);
const lock = new OperationError('LOCK_TIMEOUT', 'a lock', { retryable: true });

const fail = (claim: Claim, delivery = wanted().delivery) =>
  completeOperation(registry.db, claim, {
    state: 'failed',
    error: new OperationError('PERMISSION_DENIED', 'no'),
    reason: 'permanent',
    delivery,
  });

const delivery = (attributes: Record<string, string>, data = Buffer.from('{"a":1}')): Wanted['delivery'] => ({
  ...wanted().delivery,
  attributes,
  data,
});

describe('an operation that failed', () => {
  beforeEach(async () => {
    await fail(await registry.claim());
    await markReported(registry.db, 'one', await registry.record('one'));
  });

  it('is open again, and no longer about to be deleted', async () => {
    await reopen();
    expect(await registry.record('one')).toMatchObject({
      state: 'pending',
      reported: false,
      deadLettered: false,
      expireAt: null,
      error: { code: 'PERMISSION_DENIED' },
    });
  });

  it('is run by the next delivery of its message', async () => {
    await reopen();
    expect(await claimOperation(registry.db, wanted())).toMatchObject({
      kind: 'claimed',
      claim: { epoch: 2 },
    });
  });

  it('is published as it was: to its function, with its id and its time', async () => {
    expect(await reopen()).toEqual({
      topic: 'create-schema',
      data: Buffer.from('{"a":1}'),
      attributes: { 'operation-id': 'deploy-1', 'original-publish-time': '2026-03-01T10:00:00.000Z' },
    });
  });

  it('can be opened again where whoever did it crashed before publishing', async () => {
    const first = await reopen();
    expect(await reopen()).toEqual(first);
  });
});

describe('a message published again', () => {
  it('keeps the attributes of its publisher, and none of Pub/Sub’s', async () => {
    const given = {
      'dry-run': 'true',
      revision: '7',
      traceparent: 'x',
      'of-others': 'y',
      CloudPubSubDeadLetterSourceSubscription: 'create-schema',
      googclient_schemaencoding: 'JSON',
    };
    await fail(await registry.claim(), delivery(given));
    expect((await reopen()).attributes).toEqual({
      'dry-run': 'true',
      revision: '7',
      traceparent: 'x',
      'of-others': 'y',
      'operation-id': 'deploy-1',
      'original-publish-time': '2026-03-01T10:00:00.000Z',
    });
  });

  it('has no more attributes than Pub/Sub takes, those of the contract among them', async () => {
    const others = Object.fromEntries([...Array(99).keys()].map((n) => [`a${n}`, 'x']));
    await fail(await registry.claim(), delivery({ ...others, revision: '7' }));
    const { attributes } = await reopen();
    expect(Object.keys(attributes)).toHaveLength(100);
    expect(attributes).toMatchObject({ revision: '7', 'operation-id': 'deploy-1' });
  });

  it('has the id of its operation where its own could not be used', async () => {
    await fail(await registry.claim(), delivery({ 'operation-id': 'not a valid one' }));
    expect((await reopen()).attributes['operation-id']).toBe('deploy-1');
  });

  it.each([0, 1, 1_000_000])('has its %i bytes of data', async (length) => {
    const data = Buffer.alloc(length, 'abc');
    await fail(await registry.claim(), delivery({}, data));
    expect((await reopen()).data.equals(data)).toBe(true);
  });

  it('was given up by Pub/Sub', async () => {
    await releaseOperation(await registry.claim(), lock);
    await exhaustOperation(registry.db, wanted(), 100);
    expect(await reopen()).toMatchObject({ topic: 'create-schema', data: Buffer.from('{"a":1}') });
    expect(await registry.record('one')).toMatchObject({ state: 'pending', deadLettered: false });
  });
});

describe('what can’t be replayed', () => {
  const refused = async (id = 'one') => {
    const before = (await registry.db.collection('operations').doc(id).get()).data();
    const thrown = await reopen(id).catch((error: unknown) => error);
    expect((await registry.db.collection('operations').doc(id).get()).data()).toEqual(before);
    return thrown;
  };

  it('is an operation that nobody knows', async () => {
    expect(await refused('nobody')).toMatchObject({ code: 'NOT_FOUND', retryable: false });
  });

  it('is one that runs', async () => {
    await registry.claim();
    expect(await refused()).toMatchObject({
      code: 'NOT_REPLAYABLE',
      message: expect.stringMatching(/is running/),
    });
  });

  it('is one that waits for its next delivery anyway', async () => {
    await releaseOperation(await registry.claim(), lock);
    expect(await refused()).toMatchObject({
      code: 'NOT_REPLAYABLE',
      message: expect.stringMatching(/is pending/),
    });
  });

  it.each(['succeeded', 'planned'] as const)('is one that %s', async (state) => {
    await completeOperation(registry.db, await registry.claim(), { state, outcome: { changes: [] } });
    expect(await refused()).toMatchObject({ code: 'NOT_REPLAYABLE' });
  });

  it('is one whose function is not known', async () => {
    await fail(await registry.claim({ functionName: 'dead-letter' }));
    expect(await refused()).toMatchObject({
      code: 'NOT_REPLAYABLE',
      message: expect.stringMatching(/publish it anew/),
    });
  });

  it('is one whose message was not kept', async () => {
    await fail(await registry.claim());
    await registry.db.collection('operations').doc('one').update({ payload: null });
    expect(await refused()).toMatchObject({
      code: 'NOT_REPLAYABLE',
      message: expect.stringMatching(/was not kept/),
    });
  });

  it('is one that runs again after it was opened', async () => {
    await fail(await registry.claim());
    await reopen();
    await registry.claim();
    expect(await refused()).toMatchObject({
      code: 'NOT_REPLAYABLE',
      message: expect.stringMatching(/is running/),
    });
  });
});
