import { describe, expect, it } from 'vitest';
import { OperationError } from '../../../../shared/operation/errors.ts';
import type { Claim } from '../../../../shared/registry/claims.ts';
import { releaseOperation } from '../../../../shared/registry/completion.ts';
import { Superseded } from '../../../../shared/registry/intents.ts';
import type { StepRecord, TenantRecord } from '../../../../shared/registry/tenants/model.ts';
import {
  type BegunTenant,
  beginTenant,
  confirmationOf,
  readSteps,
  readTenant,
} from '../../../../shared/registry/tenants/store.ts';
import { startProcess } from '../../../functions/bootstrap-tenant/saga-fixture.ts';
import { publishTime, useRegistry } from '../fixture.ts';

const registry = useRegistry();

/** Takes an operation that was asked for at this minute. */
const claim = (id: string, minute = 0) =>
  registry.claim({
    id,
    functionName: 'bootstrap-tenant',
    request: {
      operationId: id,
      dryRun: false,
      publishedAt: new Date(publishTime.getTime() + minute * 60_000),
    },
  });

const end = (claimed: Claim, state: 'succeeded' | 'failed' = 'succeeded') => claimed.ref.update({ state });

const step = (name: string, position: number, operation: string): StepRecord => ({
  step: name,
  position,
  state: 'pending',
  attempts: 0,
  operation,
  found: null,
  startedAt: null,
  finishedAt: null,
  reason: null,
});

interface Asked {
  readonly action?: 'bootstrap' | 'remove';
  readonly tenant?: string;
  readonly dryRun?: boolean;
  readonly fields?: Partial<TenantRecord>;
}

function begin(
  claimed: Claim,
  { action = 'bootstrap', tenant = 'acme', dryRun = false, fields }: Asked = {},
) {
  const { operation } = startProcess(registry, claimed, { dryRun });
  const { claimedActor: _, ...order } = operation.asked;
  const next = (found: TenantRecord | undefined) =>
    ({
      ...(found ?? { state: 'bootstrapping', incarnation: 1, createdAt: publishTime }),
      tenant,
      holder: operation.id,
      operation: operation.id,
      order,
      ...fields,
    }) as TenantRecord;
  return beginTenant(operation, tenant, { action, reuse: false }, next, (_, { kind }) =>
    kind === 'begin' ? [step('schema', 2, operation.id), step('reserve', 0, operation.id)] : [],
  );
}

const tenants = async () =>
  (await registry.db.collection('tenants').get()).docs.map((one) => readTenant(one) as TenantRecord);

describe('a tenant', () => {
  it('is reserved with its steps, which are told in their order', async () => {
    const { ref, record, decision } = await begin(await claim('one'));
    expect(decision).toBe('begin');
    expect(await tenants()).toEqual([record]);
    expect((await readSteps(ref)).map(({ step: name }) => name)).toEqual(['reserve', 'schema']);
  });

  it('is read with dates, as it was written', async () => {
    const { ref, record } = await begin(await claim('one', 7));
    const found = readTenant(await ref.get());
    expect(found?.order.publishedAt).toEqual(new Date('2026-03-01T10:07:00Z'));
    expect(found).toEqual(record);
  });

  it('is one, where it is asked for 20 times at once by 20 operations', async () => {
    const claims = await Promise.all([...Array(20).keys()].map((n) => claim(`n${n}`)));
    const results = await Promise.allSettled(claims.map((one) => begin(one)));
    const begun = results.filter(
      (one): one is PromiseFulfilledResult<BegunTenant> => one.status === 'fulfilled',
    );
    expect(begun).toHaveLength(1);
    const [winner] = begun;
    for (const result of results) {
      if (result.status === 'fulfilled') continue;
      expect(result.reason).toMatchObject({
        code: 'TENANT_BUSY',
        retryable: true,
        details: { operation: winner?.value.record.operation },
      });
    }
    expect(await tenants()).toEqual([winner?.value.record]);
  });

  it('is another one where the id differs in an underscore only', async () => {
    const ids = ['ac_me', 'acme', 'acme_', '_acme', 'ac__me'];
    const claims = await Promise.all(ids.map((id) => claim(id)));
    await Promise.all(claims.map((one, index) => begin(one, { tenant: ids[index] ?? '' })));
    expect((await tenants()).map(({ tenant }) => tenant).sort()).toEqual(ids.sort());
  });

  it('is held until the operation that is at it has ended', async () => {
    const first = await claim('one');
    await begin(first);
    const second = await claim('two', 1);
    const busy = { code: 'TENANT_BUSY', retryable: true, details: { operation: 'one' } };
    await expect(begin(second)).rejects.toMatchObject(busy);
    await expect(begin(second, { action: 'remove' })).rejects.toMatchObject(busy);
    await releaseOperation(first, new OperationError('UNAVAILABLE', 'for now', { retryable: true }));
    await expect(begin(second)).rejects.toMatchObject(busy);
    await end(first, 'failed');
    expect(await begin(second)).toMatchObject({ decision: 'go-on', record: { holder: 'two' } });
  });

  it('is nobody’s whose record is gone', async () => {
    const first = await claim('one');
    await begin(first);
    await first.ref.delete();
    expect(await begin(await claim('two'))).toMatchObject({ decision: 'go-on' });
  });

  it('is gone on with by the same operation', async () => {
    const first = await claim('one');
    await begin(first);
    expect(await begin(first)).toMatchObject({ decision: 'go-on' });
    expect(await readSteps((await begin(first)).ref)).toHaveLength(2);
  });

  it('is not what an older operation wants: nothing is written', async () => {
    const newer = await claim('newer', 5);
    const { record } = await begin(newer);
    await end(newer);
    const older = begin(await claim('older', 4));
    await expect(older).rejects.toBeInstanceOf(Superseded);
    await expect(older).rejects.toMatchObject({ by: 'newer' });
    expect(await tenants()).toEqual([record]);
  });

  it('is only looked at in a dry run', async () => {
    expect(await begin(await claim('dry'), { dryRun: true })).toMatchObject({
      decision: 'begin',
      record: { tenant: 'acme' },
    });
    expect(await tenants()).toEqual([]);
  });

  it('that is removed stays as it is, where it is removed again', async () => {
    const first = await claim('one');
    await begin(first, { fields: { state: 'removed', holder: null } });
    await end(first);
    const before = await tenants();
    const again = await begin(await claim('two', 1), { action: 'remove' });
    expect(again.decision).toBe('done');
    expect(await tenants()).toEqual(before);
  });

  it('is nothing that is there to be removed where nobody made it', async () => {
    await expect(begin(await claim('one'), { action: 'remove' })).rejects.toMatchObject({
      code: 'TENANT_NOT_FOUND',
    });
    expect(await tenants()).toEqual([]);
  });

  it('is not taken by a worker that lost its operation', async () => {
    const lost = await claim('one');
    registry.server.advance(61);
    await claim('one');
    await expect(begin(lost)).rejects.toMatchObject({ code: 'LEASE_LOST' });
    expect(await tenants()).toEqual([]);
  });

  it('is left as it was where what it should be can’t be', async () => {
    const { operation } = startProcess(registry, await claim('one'));
    const refusing = (): never => {
      throw new OperationError('UNKNOWN_PLAN', 'no');
    };
    const none = () => [];
    await expect(
      beginTenant(operation, 'acme', { action: 'bootstrap', reuse: false }, refusing, none),
    ).rejects.toMatchObject({ code: 'UNKNOWN_PLAN' });
    expect(await tenants()).toEqual([]);
  });
});

describe('what confirms a removal', () => {
  const record = { tenant: 'acme', incarnation: 1, createdAt: publishTime } as TenantRecord;

  it('is the same for a tenant, however it changes', () => {
    const mine = confirmationOf(record);
    expect(mine).toMatch(/^acme-[0-9a-f]{8}$/);
    expect(confirmationOf({ ...record, plan: 'SCALE', changedAt: new Date(), state: 'removing' })).toBe(mine);
  });

  it('is another for another one, of the same id too', () => {
    const others = [
      { ...record, incarnation: 2 },
      { ...record, createdAt: new Date(publishTime.getTime() + 1) },
      { ...record, tenant: 'acme_' },
      { ...record, tenant: 'acme1', incarnation: 1 },
      { ...record, tenant: 'acme', incarnation: 11 },
    ];
    const values = [record, ...others].map(confirmationOf);
    expect(new Set(values).size).toBe(values.length);
  });
});
