import { status } from '@grpc/grpc-js';
import { describe, expect, it, vi } from 'vitest';
import { GrpcError } from '../../../local/grpc/server.ts';
import { firestore } from '../../../shared/gcp/firestore.ts';
import { OperationError } from '../../../shared/operation/errors.ts';
import { quotaOf, tenantRecord, writeTenant } from '../../support/tenant-record.ts';
import { nothing, operation, operationForTenants, push, type Run, useWorker } from './worker.ts';

const worker = useWorker();

const painting = () => vi.fn<Run>(async () => nothing);
const outage = new OperationError('LOCK_TIMEOUT', 'a lock', { retryable: true });

/** A message of a tenant. */
const ofTenant = (id: string, more: Record<string, string> = {}, data: unknown = {}) =>
  push(id, data, { tenant: 'acme', ...more });

const recordOf = (id: string, dryRun = false) => worker.record(id, dryRun, 'acme');

const tenant = async (...args: Parameters<typeof writeTenant> extends [unknown, ...infer R] ? R : never) =>
  writeTenant(await firestore(), ...args);

describe('a message of nobody', () => {
  it('costs no call more than it did before there were tenants', async () => {
    const calls: string[] = [];
    worker.firestore.intercept = ({ method, phase }) => {
      if (phase === 'before') calls.push(method);
    };
    await operationForTenants(painting())(push('one'));
    // The claim; the completion and the report, which are a transaction each.
    expect(calls).toEqual(['Commit', 'BatchGetDocuments', 'Commit', 'BatchGetDocuments', 'Commit']);
    expect(await worker.record('one')).not.toHaveProperty('tenant');
  });
});

describe('a message of a tenant', () => {
  it('is run and counted', async () => {
    await tenant('acme');
    const run = painting();
    await operationForTenants(run)(ofTenant('one'));
    expect(run).toHaveBeenCalledTimes(1);
    expect(await recordOf('one')).toMatchObject({ state: 'succeeded', tenant: 'acme', reported: true });
    expect(worker.events).toMatchObject([{ data: { tenant: 'acme', operationId: 'one' } }]);
    expect(await quotaOf(await firestore(), 'acme')).toMatchObject({ today: 1 });
  });

  it('has an id that is its own: neither another tenant’s nor the platform’s', async () => {
    for (const one of ['acme', 'acme2']) await tenant(one);
    const run = painting();
    await operationForTenants(run)(ofTenant('one', {}, { color: 'red' }));
    await operationForTenants(run)(ofTenant('one', { tenant: 'acme2' }, { color: 'blue' }));
    await operationForTenants(run)(push('one', { color: 'green' }));
    expect(run.mock.calls.map(([{ color }]) => color)).toEqual(['red', 'blue', 'green']);
    expect(worker.events.map(({ type }) => type)).toEqual(Array(3).fill('drover.operation.succeeded'));
  });

  it('is counted once, however often it is tried', async () => {
    await tenant('acme', { operationsPerDay: 1, operationsPerMinute: 1 });
    const run = painting().mockRejectedValueOnce(outage).mockRejectedValueOnce(outage);
    for (const _ of [1, 2])
      await expect(operationForTenants(run)(ofTenant('one'))).rejects.toThrow('LOCK_TIMEOUT');
    await operationForTenants(run)(ofTenant('one'));
    expect(await recordOf('one')).toMatchObject({ state: 'succeeded', epoch: 3 });
    expect(await quotaOf(await firestore(), 'acme')).toMatchObject({ today: 1 });
  });

  const unreadable = (code: status) => {
    worker.firestore.intercept = ({ method, request }) => {
      const documents = (request['documents'] ?? []) as string[];
      if (method === 'BatchGetDocuments' && documents.some((name) => name.includes('/tenants/')))
        throw new GrpcError(code, 'not now');
    };
  };

  it('is handed back where its tenant can’t be looked at for now', async () => {
    await tenant('acme');
    unreadable(status.ABORTED);
    const message = ofTenant('one', { 'dry-run': 'true' });
    await expect(operationForTenants(painting())(message)).rejects.toThrow('GOOGLE_ABORTED');
    worker.firestore.intercept = undefined;
    expect(await recordOf('one', true)).toMatchObject({ state: 'pending' });
    await operationForTenants(painting())(message);
    expect(await recordOf('one', true)).toMatchObject({ state: 'planned', epoch: 2 });
  });

  it('fails, and not by its own fault, where its tenant may not be looked at', async () => {
    await tenant('acme');
    unreadable(status.PERMISSION_DENIED);
    await operationForTenants(painting())(ofTenant('one'));
    worker.firestore.intercept = undefined;
    expect(await recordOf('one')).toMatchObject({
      state: 'failed',
      reason: 'permanent',
      error: { code: 'GOOGLE_PERMISSION_DENIED' },
    });
  });
});

describe('over the limits of its plan a message', () => {
  it('waits, acknowledged and without a result; what comes too early changes nothing', async () => {
    await tenant('acme', { operationsPerMinute: 1 });
    const run = painting();
    await operationForTenants(run)(ofTenant('one'));
    for (const _ of [1, 2]) await operationForTenants(run)(ofTenant('two'));
    expect(run).toHaveBeenCalledTimes(1);
    expect(worker.events).toHaveLength(1);
    expect(await recordOf('two')).toMatchObject({ state: 'deferred', epoch: 1, reported: false });
  });

  it('is run when its time has come', async () => {
    await tenant('acme', { operationsPerMinute: 1 });
    const run = painting();
    await operationForTenants(run)(ofTenant('one'));
    await operationForTenants(run)(ofTenant('two'));
    worker.firestore.advance(62);
    await operationForTenants(run)(ofTenant('two'));
    expect(run).toHaveBeenCalledTimes(2);
    expect(await recordOf('two')).toMatchObject({ state: 'succeeded', epoch: 2, error: null, payload: null });
  });

  it('of the day is refused, told and kept for replay', async () => {
    await tenant('acme', { operationsPerDay: 1 });
    const run = painting();
    await operationForTenants(run)(ofTenant('one'));
    await operationForTenants(run)(ofTenant('two'));
    expect(run).toHaveBeenCalledTimes(1);
    expect(await recordOf('two')).toMatchObject({
      state: 'failed',
      reason: 'rejected',
      reported: true,
      error: { code: 'QUOTA_EXCEEDED', details: { limit: 'operationsPerDay' } },
      payload: { data: Buffer.from('{}') },
    });
    expect(worker.events.at(-1)).toMatchObject({ data: { state: 'failed', tenant: 'acme' } });
  });

  it('is planned all the same: a dry run is neither limited nor counted', async () => {
    await tenant('acme', { operationsPerDay: 1, operationsPerMinute: 1 });
    for (const id of ['one', 'two'])
      await operationForTenants(painting())(ofTenant(id, { 'dry-run': 'true' }));
    expect(await recordOf('two', true)).toMatchObject({ state: 'planned' });
    expect(await quotaOf(await firestore(), 'acme')).toBeUndefined();
  });
});

describe('a message of a tenant is refused', () => {
  const refused = async (message: ReturnType<typeof push>, code: string, dryRun = false) => {
    const run = painting();
    await operationForTenants(run)(message);
    expect(run).not.toHaveBeenCalled();
    const record = await recordOf('one', dryRun);
    expect(record).toMatchObject({ state: 'failed', reason: 'rejected', error: { code }, reported: true });
    expect(await quotaOf(await firestore(), 'acme')).toBeUndefined();
    return record.error;
  };

  it('where there is no such tenant', async () => {
    expect(await refused(ofTenant('one'), 'TENANT_NOT_ACTIVE')).toMatchObject({
      message: 'There is no tenant acme',
    });
  });

  it.each(['bootstrapping', 'failed', 'removing', 'removed'] as const)('where it is %s', async (state) => {
    await tenant('acme', {}, { state });
    expect(await refused(ofTenant('one'), 'TENANT_NOT_ACTIVE')).toMatchObject({ details: { state } });
  });

  it.each(['false', 'true'])('where it speaks of what is another’s (dry run: %s)', async (dryRun) => {
    const { place } = tenantRecord('acme');
    await tenant('acme', {}, { place: { ...place, database: 'other' } });
    const message = ofTenant('one', { 'dry-run': dryRun });
    expect(await refused(message, 'NOT_ALLOWED', dryRun === 'true')).toMatchObject({
      details: { tenant: 'acme', foreign: ['database acme:europe-west1:main/app'] },
    });
  });

  it('where the policy doesn’t allow it to anybody', async () => {
    await tenant('acme');
    await refused(ofTenant('one', {}, { levels: ['owner'] }), 'NOT_ALLOWED');
  });

  it('where the function can’t say what it touches', async () => {
    await tenant('acme');
    const run = painting();
    await operation(run)(ofTenant('one'));
    expect(run).not.toHaveBeenCalled();
    expect(await recordOf('one')).toMatchObject({
      state: 'failed',
      error: { code: 'NOT_ALLOWED', message: expect.stringMatching(/paint is not for tenants/) },
    });
  });

  it('where its name is none, and then it isn’t the platform’s either', async () => {
    const run = painting();
    await operationForTenants(run)(push('one', {}, { tenant: 'Acme Ltd' }));
    expect(run).not.toHaveBeenCalled();
    expect(await worker.record('one')).toMatchObject({
      state: 'failed',
      error: { code: 'INVALID_MESSAGE', details: { problems: [{ path: 'attributes.tenant' }] } },
    });
  });
});
