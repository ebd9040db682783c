import { status } from '@grpc/grpc-js';
import { beforeEach, describe, expect, it } from 'vitest';
import { GrpcError } from '../../../../local/grpc/server.ts';
import { OperationError } from '../../../../shared/operation/errors.ts';
import { completeOperation, releaseOperation } from '../../../../shared/registry/completion.ts';
import { quotaOf, writeTenant } from '../../../support/tenant-record.ts';
import { isWrite, loseAnswer, useRegistry, wanted } from '../fixture.ts';
import { admit, ask as askFor, done, ofTenant } from './asking.ts';

const registry = useRegistry();
const ask = (...args: Parameters<typeof askFor> extends [unknown, ...infer R] ? R : never) =>
  askFor(registry, ...args);

const recordOf = (id: string) => registry.record(id);

/** The time of Firestore, to which deferrals are compared, moved on. */
const passes = (seconds: number) => registry.server.advance(seconds);

/** Counts begin anew with each day, which these tests are not about. */
beforeEach(() => {
  const leftOfDay = 86_400 - ((Date.now() / 1000) % 86_400);
  if (leftOfDay < 900) passes(leftOfDay + 1);
});

const outage = new OperationError('UNAVAILABLE', 'for now', { retryable: true });

describe('a tenant’s operation within its limits', () => {
  it('runs, and is counted', async () => {
    await writeTenant(registry.db, 'acme');
    const { deferral } = await ask('one');
    expect(deferral).toBeUndefined();
    expect(await recordOf('one')).toMatchObject({
      state: 'running',
      tenant: 'acme',
      admitted: true,
      counted: true,
    });
    expect(await quotaOf(registry.db, 'acme')).toMatchObject({
      tenant: 'acme',
      today: 1,
      recent: [{ count: 1 }],
    });
  });

  it('is counted once and has its one place although the answer was lost', async () => {
    await writeTenant(registry.db, 'acme', { concurrentOperations: 1, operationsPerDay: 1 });
    const claim = await registry.claim(ofTenant('one'));
    const lost = loseAnswer(registry.server, isWrite);
    expect(await admit(registry, claim)).toBeUndefined();
    expect(lost()).toBe(true);
    expect(await quotaOf(registry.db, 'acme')).toMatchObject({ today: 1 });
  });

  it('can be handed back by whoever was admitted: its token is right', async () => {
    await writeTenant(registry.db, 'acme');
    const { claim } = await ask('one');
    await releaseOperation(claim, outage);
    expect(await recordOf('one')).toMatchObject({ state: 'pending', admitted: true });
  });

  it('is not admitted by a worker that lost it', async () => {
    await writeTenant(registry.db, 'acme');
    const frozen = await registry.claim(ofTenant('one'));
    passes(61);
    await ask('one');
    await expect(admit(registry, frozen)).rejects.toMatchObject({ code: 'LEASE_LOST' });
    expect(await quotaOf(registry.db, 'acme')).toMatchObject({ today: 1 });
  });
});

describe('an operation counts once', () => {
  const again = async () => {
    const { deferral } = await ask('one');
    expect(deferral).toBeUndefined();
    expect(await quotaOf(registry.db, 'acme')).toMatchObject({ today: 1, recent: [{ count: 1 }] });
  };

  it('although it was handed back', async () => {
    await writeTenant(registry.db, 'acme', { operationsPerDay: 1, operationsPerMinute: 1 });
    const { claim } = await ask('one');
    await releaseOperation(claim, outage);
    await again();
  });

  it('although its worker died when it was admitted', async () => {
    await writeTenant(registry.db, 'acme', { operationsPerDay: 1, concurrentOperations: 1 });
    await ask('one');
    passes(61);
    const { deferral } = await ask('one');
    expect(deferral).toBeUndefined();
    expect(await quotaOf(registry.db, 'acme')).toMatchObject({ today: 1 });
  });

  it('although it is replayed', async () => {
    await writeTenant(registry.db, 'acme', { operationsPerDay: 1, operationsPerMinute: 1 });
    const { claim } = await ask('one');
    const error = new OperationError('PERMISSION_DENIED', 'no');
    const { delivery } = wanted();
    await completeOperation(registry.db, claim, { state: 'failed', error, reason: 'permanent', delivery });
    await registry.db.collection('operations').doc('one').update({ state: 'pending', reported: false });
    await again();
  });
});

describe('over its limits', () => {
  it('of a minute it waits, with its message and the reason', async () => {
    await writeTenant(registry.db, 'acme', { operationsPerMinute: 1 });
    await ask('one');
    const { deferral } = await ask('two');
    const record = await recordOf('two');
    expect(record).toMatchObject({
      state: 'deferred',
      admitted: false,
      error: {
        code: 'RATE_LIMITED',
        details: { tenant: 'acme', limit: 'operationsPerMinute', allowed: 1 },
      },
      payload: {
        data: Buffer.from('{"a":1}'),
        attributes: [{ name: 'operation-id', value: 'deploy-1' }],
      },
    });
    expect(record.notBefore?.toDate()).toEqual(deferral?.notBefore);
    expect(record.publishAt).toEqual(record.notBefore);
    expect(deferral?.why).toMatch(/Tenant acme may have 1 operations a minute \(plan STARTER\)/);
    expect(await quotaOf(registry.db, 'acme')).toMatchObject({ today: 1 });
  });

  it('it waits as it was told although the answer was lost, and there is room by now', async () => {
    await writeTenant(registry.db, 'acme', { operationsPerMinute: 1 });
    await ask('one');
    const claim = await registry.claim(ofTenant('two'));
    let lost = false;
    registry.server.intercept = async (call) => {
      if (lost || call.phase !== 'after' || !isWrite(call)) return;
      lost = true;
      await writeTenant(registry.db, 'acme');
      throw new GrpcError(status.UNAVAILABLE, 'the answer is lost');
    };
    const deferral = await admit(registry, claim);
    const { state, notBefore, error } = await recordOf('two');
    expect({ lost, state, notBefore: notBefore?.toDate() }).toEqual({
      lost: true,
      state: 'deferred',
      notBefore: deferral?.notBefore,
    });
    expect(deferral?.why).toBe(error?.message);
    expect(await quotaOf(registry.db, 'acme')).toMatchObject({ today: 1 });
  });

  it('of a day it is refused, with the limit, the count and when that ends', async () => {
    await writeTenant(registry.db, 'acme', { operationsPerDay: 1 });
    await ask('one');
    const claim = await registry.claim(ofTenant('two'));
    await expect(admit(registry, claim)).rejects.toMatchObject({
      code: 'QUOTA_EXCEEDED',
      retryable: false,
      message: expect.stringMatching(/has had 1 operations on \d{4}-\d\d-\d\d, of 1/),
      details: {
        tenant: 'acme',
        limit: 'operationsPerDay',
        allowed: 1,
        count: 1,
        resetsAt: expect.stringMatching(/T00:00:00.000Z$/),
      },
    });
    passes(24 * 3600);
    const { deferral } = await ask('two');
    expect(deferral).toBeUndefined();
    expect(await quotaOf(registry.db, 'acme')).toMatchObject({ today: 1 });
  });

  it('at a time it waits until another one has ended', async () => {
    await writeTenant(registry.db, 'acme', { concurrentOperations: 1 });
    const { claim } = await ask('one');
    const { deferral } = await ask('two');
    expect(deferral).toBeDefined();
    await completeOperation(registry.db, claim, done);
    passes(31);
    expect((await ask('two')).deferral).toBeUndefined();
    expect(await recordOf('two')).toMatchObject({
      state: 'running',
      notBefore: null,
      payload: null,
      error: null,
    });
  });

  it('has the place of one whose worker died as soon as that one’s lease is over', async () => {
    await writeTenant(registry.db, 'acme', { concurrentOperations: 1 });
    await ask('one');
    passes(59);
    expect((await ask('two')).deferral).toBeDefined();
    passes(31);
    expect((await ask('two')).deferral).toBeUndefined();
  });

  it('does not take the place that one which comes back had before', async () => {
    await writeTenant(registry.db, 'acme', { concurrentOperations: 1 });
    const { claim } = await ask('one');
    await releaseOperation(claim, outage);
    expect((await ask('two')).deferral).toBeUndefined();
    expect((await ask('one')).deferral).toBeDefined();
    expect(await recordOf('one')).toMatchObject({ state: 'deferred', counted: true, admitted: false });
  });

  it('is none of another tenant’s business', async () => {
    for (const tenant of ['acme', 'ac_me'])
      await writeTenant(registry.db, tenant, { operationsPerMinute: 1 });
    expect((await ask('one')).deferral).toBeUndefined();
    expect((await ask('two', { tenant: 'ac_me' })).deferral).toBeUndefined();
    expect((await ask('three', { tenant: 'ac_me' })).deferral).toBeDefined();
  });
});
