import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { localProject } from '../../local/stack.ts';
import { attribute } from '../../shared/operation/request.ts';
import type { OperationRecord } from '../../shared/registry/operations.ts';
import { reached, watch } from './points.ts';
import {
  allowSchemas,
  away,
  cause,
  type Fault,
  grpc,
  others,
  outages,
  refusals,
  refuseSchemas,
  unavailable,
} from './tenant-faults.ts';
import { isAbout, nothingLeft, type TenantState, whole } from './tenant-state.ts';
import { type Entrance, startTenantChaos, type TenantChaos, wholeTenant } from './tenants.ts';

let chaos: TenantChaos;

beforeAll(async () => {
  chaos = await startTenantChaos();
});

afterAll(() => chaos.stop());

const begin = ({ tenant, mode = 'schema' }: Fault) => chaos.send(tenant, wholeTenant(tenant, mode));

const each = (faults: readonly Fault[]) => faults.map((fault) => [fault.what, fault] as const);

describe('what fails for good', () => {
  /** What could be entered by before all was taken back. */
  const entrances = new Map<string, Entrance>();
  const early = new Map<string, unknown>();
  const failed = new Map<string, { record: OperationRecord; state: TenantState }>();

  beforeAll(async () => {
    await refuseSchemas(chaos.stack, refusals);
    const ends = refusals.map((fault) =>
      cause(chaos.stack, fault, async () => {
        const made = others(fault);
        if (!made.includes('login') || !made.includes('api-key')) return;
        const entrance = await chaos.entrance(fault.tenant);
        entrances.set(fault.tenant, entrance);
        early.set(fault.tenant, await chaos.enter(entrance));
      }),
    );
    await Promise.all(refusals.map(begin));
    for (const { tenant } of refusals) {
      const record = await chaos.stack.ended('bootstrap-tenant', tenant);
      failed.set(tenant, { record, state: await chaos.look(tenant) });
    }
    await allowSchemas(chaos.stack, refusals);
    for (const end of ends) end();
  });

  it.each(each(refusals))('leaves nothing, and says why: %s', async (_, fault) => {
    const { tenant, step, code } = fault;
    const { record, state } = failed.get(tenant) ?? {};

    expect(record).toMatchObject({
      state: 'failed',
      reason: 'permanent',
      error: { code, details: { step } },
    });
    const { details } = record?.error ?? {};
    expect(details).toMatchObject({ compensated: expect.any(Array) });
    expect(details).not.toHaveProperty('left');
    expect(state).toMatchObject({ ...nothingLeft, state: 'failed', failure: { code, step } });
    expect(await chaos.outcome(tenant)).toMatchObject({ events: ['failed'] });
    const steps = await chaos.steps(tenant);
    expect(steps[step]).toMatchObject({ state: 'compensated', reason: { code, step } });
    for (const name of others(fault))
      expect(steps[name], name).toMatchObject({ state: 'compensated', reason: null });
  });

  it('has let nobody in, and doesn’t after it was taken back', async () => {
    expect([...entrances.keys()].sort()).toEqual(['deny_dataset', 'deny_storage']);
    for (const [tenant, entrance] of entrances) {
      // The login is there, and nobody has been told of it.
      expect(early.get(tenant), tenant).toEqual({ login: true, key: 'tenant-not-active' });
      expect(await chaos.enter(entrance), tenant).toEqual({ login: false, key: 'revoked' });
    }
  });

  it('is made when it is replayed and the cause is gone; what was good for the first attempt stays dead', async () => {
    await Promise.all(refusals.map(({ tenant }) => chaos.replay(tenant)));
    await chaos.stack.pubsub.idle();
    for (const { tenant, mode = 'schema' } of refusals) {
      expect.soft(await chaos.look(tenant), tenant).toEqual(whole(tenant, mode));
      expect.soft(await chaos.outcome(tenant), tenant).toMatchObject({
        state: 'succeeded',
        events: ['failed', 'succeeded'],
      });
      expect.soft(await chaos.enter(await chaos.entrance(tenant)), tenant).toEqual(open);
    }
    for (const [tenant, entrance] of entrances)
      expect.soft(await chaos.enter(entrance), tenant).toEqual({ login: false, key: 'revoked' });
  });
});

const open = { login: true, key: 'accepted' };

describe('what fails for a while', () => {
  const during = new Map<string, { record: OperationRecord | undefined; state: TenantState; steps: Steps }>();

  beforeAll(async () => {
    const { stack } = chaos;
    await refuseSchemas(chaos.stack, outages);
    const ends = outages.map((fault) => cause(chaos.stack, fault));
    const healed = Promise.withResolvers<void>();
    const refused = outages.map(({ tenant }) => refusedOnce(tenant, healed.promise));
    await Promise.all(outages.map(begin));
    await Promise.all(refused);
    for (const { tenant } of outages) {
      const record = await stack.record('bootstrap-tenant', tenant);
      during.set(tenant, { record, state: await chaos.look(tenant), steps: await chaos.steps(tenant) });
    }
    await allowSchemas(chaos.stack, outages);
    for (const end of ends) end();
    healed.resolve();
    await stack.pubsub.idle();
  });

  it.each(each(outages))('is told while it lasts, and then done: %s', async (_, fault) => {
    const { tenant, mode = 'schema', step, code } = fault;
    const { record, state, steps } = during.get(tenant) ?? {};

    expect(record).toMatchObject({ state: 'pending', error: { code, details: { step } } });
    expect(state).toMatchObject({ state: 'bootstrapping', failure: { code, step } });
    expect(steps?.[step]).toMatchObject({ state: 'failed', reason: { code, step } });
    for (const name of others(fault)) expect(steps?.[name], name).toMatchObject({ state: 'done' });

    expect(await chaos.look(tenant)).toEqual(whole(tenant, mode));
    expect(await chaos.outcome(tenant)).toMatchObject({ state: 'succeeded', events: ['succeeded'] });
    for (const [name, found] of Object.entries(await chaos.steps(tenant)))
      expect(found, name).toMatchObject({ state: 'done', reason: null });
  });

  it.each([
    ['an object', 'Storage: objects.insert', unavailable],
    ['a dataset', 'BigQuery: datasets.insert', unavailable],
    ['a secret', 'Secret Manager: CreateSecret', grpc.away],
    ['a record', 'Firestore: step storage done', grpc.away],
  ] as const)('is no mistake where only the answer to making %s is lost', async (what, call, error) => {
    const tenant = what.replace(' ', '_');
    const lost = loseAnswer(call, (about) => isAbout(about, tenant), error);
    await chaos.done(tenant, wholeTenant(tenant, 'schema'));
    expect(lost()).toBe(true);
    expect(await chaos.look(tenant)).toEqual(whole(tenant, 'schema'));
  });

  it('is no mistake where only the answer to an archive’s last object is lost', async () => {
    const lost = loseAnswer(
      'Storage: objects.insert',
      (about) => /an_object.*manifest/.test(about),
      unavailable,
    );
    await chaos.done('remove-an_object', await chaos.removal('an_object'));
    expect(lost()).toBe(true);
    expect(await chaos.look('an_object')).toMatchObject({ ...nothingLeft, state: 'removed' });
  });
});

type Steps = Awaited<ReturnType<TenantChaos['steps']>>;

/**
 * Resolves when an operation was handed back.
 *
 * @param until when it is delivered again
 */
function refusedOnce(id: string, until: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    let isRefused = false;
    watch(chaos.stack, ({ call, phase, about, answer }) => {
      if (call !== 'Pub/Sub: push' || about !== id) return undefined;
      if (phase === 'before') return isRefused ? until : undefined;
      if (Number(answer) >= 300) {
        isRefused = true;
        resolve();
      }
      return undefined;
    });
  });
}

/** @returns whether it was lost */
function loseAnswer(call: string, isMeant: (about: string) => boolean, error: Error): () => boolean {
  let isLost = false;
  const end = watch(chaos.stack, (point) => {
    if (point.call !== call || point.phase !== 'after' || !isMeant(point.about)) return;
    end();
    isLost = true;
    throw error;
  });
  return () => isLost;
}

describe('a tenant whose deliveries are used up', () => {
  it('keeps what is done, and is gone on with by a replay', async () => {
    const { stack } = chaos;
    const setDeliveries = (maxDeliveryAttempts: number) =>
      stack.messaging.subscription('bootstrap-tenant').setMetadata({
        deadLetterPolicy: {
          deadLetterTopic: `projects/${localProject}/topics/dead-letters`,
          maxDeliveryAttempts,
        },
      });
    const fault: Fault = {
      tenant: 'used_up',
      what: '',
      call: 'BigQuery: datasets.insert',
      error: unavailable,
      ...away('dataset'),
    };
    const end = cause(chaos.stack, fault);
    await setDeliveries(5);
    await begin(fault);
    expect(await stack.ended('bootstrap-tenant', 'used_up')).toMatchObject({
      state: 'failed',
      reason: 'exhausted',
    });
    await setDeliveries(100);
    end();
    const before = { ...(await chaos.look('used_up')), oids: await oids('used_up') };
    expect(before).toMatchObject({
      ...whole('used_up', 'schema'),
      state: 'bootstrapping',
      holder: expect.any(String),
      failure: { code: 'GOOGLE_UNAVAILABLE', step: 'dataset' },
      datasets: [],
    });
    const entrance = await chaos.entrance('used_up');
    expect(await chaos.enter(entrance)).toEqual({ login: true, key: 'tenant-not-active' });

    await chaos.replay('used_up');
    await stack.pubsub.idle();

    expect(await chaos.look('used_up')).toEqual(whole('used_up', 'schema'));
    expect(await oids('used_up')).toEqual(before.oids);
    expect(await chaos.entrance('used_up')).toEqual(entrance);
    expect(await chaos.enter(entrance)).toEqual(open);
    expect(await chaos.outcome('used_up')).toMatchObject({ events: ['failed', 'succeeded'] });
  });
});

/** What there is of a tenant, by numbers that nothing else ever has. */
const oids = (tenant: string) =>
  chaos.stack.query(
    'app',
    `SELECT oid::int, nspname::text AS name FROM pg_namespace WHERE nspname = 'tenant_${tenant}' UNION ALL
     SELECT oid::int, rolname FROM pg_roles WHERE rolname ~ 'tenant_${tenant}_' ORDER BY 1`,
  );

describe('a removal', () => {
  it('waits for a bootstrap that is under way, and a late bootstrap undoes nothing of it', async () => {
    const { stack } = chaos;
    const isMeant = (about: string) => isAbout(about, 'halfway');
    const goOn = Promise.withResolvers<void>();
    const end = watch(stack, ({ call, about }) =>
      call === 'BigQuery: datasets.insert' && isMeant(about) ? goOn.promise : undefined,
    );
    const isHeld = reached(stack, 'BigQuery: datasets.insert', 'before', isMeant);
    await chaos.send('halfway', wholeTenant('halfway', 'schema'));
    await isHeld;
    const refused = refusedOnce('remove-halfway', goOn.promise);
    await chaos.send('remove-halfway', await chaos.removal('halfway'));
    await refused;
    expect(await stack.record('bootstrap-tenant', 'remove-halfway')).toMatchObject({
      state: 'pending',
      error: { code: 'TENANT_BUSY' },
    });
    expect(await chaos.tenant('halfway')).toMatchObject({ state: 'bootstrapping' });
    goOn.resolve();
    await stack.pubsub.idle();
    end();
    for (const id of ['halfway', 'remove-halfway'])
      expect(await chaos.outcome(id), id).toMatchObject({ state: 'succeeded', events: ['succeeded'] });
    const removed = { ...nothingLeft, state: 'removed' };
    expect(await chaos.look('halfway')).toMatchObject(removed);

    const asked =
      (await stack.record('bootstrap-tenant', 'halfway'))?.publishedAt.toDate().toISOString() ?? '';
    for (const [id, more] of [
      ['late', {}],
      ['late-again', { reuse: true }],
    ] as const) {
      const attributes = { [attribute.publishedAt]: asked };
      await stack.send('bootstrap-tenant', wholeTenant('halfway', 'schema', more), { id, attributes });
      expect(await stack.ended('bootstrap-tenant', id)).toMatchObject({
        state: 'succeeded',
        changes: [],
        notes: [{ code: 'SUPERSEDED' }],
      });
    }
    expect(await chaos.look('halfway')).toMatchObject(removed);
  });
});
