import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GrpcError } from '../../local/grpc/server.ts';
import { localInstance } from '../../local/stack.ts';
import { operationDocumentId } from '../../shared/registry/operations.ts';
import { target } from '../support/stack.ts';
import { quotaOf, tenantRecord, writeTenant } from '../support/tenant-record.ts';
import { nameOf, watch } from './points.ts';
import { type ChaosStack, longSilenceSeconds, startChaosStack } from './stack.ts';
import { catalogOf } from './state.ts';

let stack: ChaosStack;

beforeAll(async () => {
  stack = await startChaosStack({}, ['create-schema', 'reconcile']);
});

afterAll(() => stack.stop());

let tenants = 0;

/** A tenant with a database of its own. */
async function newTenant(limits: Parameters<typeof writeTenant>[2] = {}): Promise<string> {
  tenants += 1;
  const tenant = `tenant_${tenants}`;
  const place = { ...tenantRecord(tenant).place, instance: localInstance };
  await writeTenant(stack.db, tenant, limits, { place });
  return tenant;
}

const refOf = (tenant: string, operationId: string) => {
  const id = operationDocumentId('create-schema', { operationId, dryRun: false, tenant });
  return stack.db.collection('operations').doc(id);
};

async function send(tenant: string, operationId: string): Promise<void> {
  const message = { target: target('app'), schema: `${tenant}_${operationId}`, comment: 'made' };
  await stack.send('create-schema', message, { id: operationId, attributes: { tenant } });
  await stack.pubsub.idle();
}

/** Kills a function when it comes to a point, while something goes on. */
async function killed(point: string, work: () => Promise<void>, name = 'create-schema'): Promise<void> {
  const victim = stack.functions.get(name);
  let restarted: Promise<void> | undefined;
  const end = watch(stack, (met) => {
    if (restarted !== undefined || nameOf(met) !== point) return;
    restarted = victim?.restarted();
    process.kill(victim?.pid() ?? 0, 'SIGKILL');
    // The dead are silent: the lease ends, and so does a transaction that was open.
    stack.firestore.advance(longSilenceSeconds);
    throw new GrpcError(status.UNAVAILABLE, 'the function was killed here');
  });
  await work();
  end();
  expect(restarted, `nothing came to "${point}"`).toBeDefined();
  await restarted;
}

async function stateOf(tenant: string, operationId: string) {
  const record = (await refOf(tenant, operationId).get()).data();
  const { today } = (await quotaOf(stack.db, tenant)) ?? {};
  const catalog = await catalogOf(stack, `${tenant}_${operationId}`);
  const events = stack.results.get(refOf(tenant, operationId).id) ?? [];
  return {
    state: record?.['state'],
    reported: record?.['reported'],
    today,
    events: [...new Set(events.map(({ data }) => data.state))],
    comment: catalog && 'comment' in catalog ? catalog.comment : undefined,
  };
}

const done = { state: 'succeeded', reported: true, today: 1, events: ['succeeded'], comment: 'made' };

describe('a function that is killed at a tenant’s operation', () => {
  it.each([
    'after Firestore: claim',
    'before Firestore: admission',
    'after Firestore: admission',
    'after Firestore: intent',
    'before Firestore: complete',
  ])('%s runs it once and counts it once', async (point) => {
    // There is room for one: who counted it twice, or forgot whose place it has, would never run it.
    const tenant = await newTenant({ operationsPerDay: 1, operationsPerMinute: 1, concurrentOperations: 1 });
    await killed(point, () => send(tenant, 'one'));
    expect(await stateOf(tenant, 'one')).toEqual(done);
  });

  it.each(['before Firestore: deferral', 'after Firestore: deferral'])(
    '%s defers it, and a tick has it run',
    async (point) => {
      const tenant = await newTenant({ operationsPerMinute: 0 });
      await killed(point, () => send(tenant, 'one'));
      expect((await refOf(tenant, 'one').get()).data()).toMatchObject({ state: 'deferred', admitted: false });
      expect(await stateOf(tenant, 'one')).toMatchObject({ today: 0, events: [], comment: undefined });

      await becomesDue(tenant, 'one');
      await tick();
      expect(await stateOf(tenant, 'one')).toEqual(done);
    },
  );
});

/** The tenant has room, and the time of what waits has come. */
async function becomesDue(tenant: string, operationId: string): Promise<void> {
  const place = { ...tenantRecord(tenant).place, instance: localInstance };
  await writeTenant(stack.db, tenant, {}, { place });
  const due = new Date(Date.now() - 60_000);
  await refOf(tenant, operationId).update({ notBefore: due, publishAt: due });
}

let ticks = 0;

async function tick(): Promise<void> {
  ticks += 1;
  await stack.send('reconcile', {}, { id: `tick-${ticks}` });
  await stack.pubsub.idle();
}

describe('a tick that is killed at a deferred operation', () => {
  it('before its message is published only delays it', async () => {
    const tenant = await newTenant({ operationsPerMinute: 0 });
    await send(tenant, 'one');
    await becomesDue(tenant, 'one');
    await killed('after Firestore: write publishAt', tick, 'reconcile');
    expect(await stateOf(tenant, 'one')).toMatchObject({ state: 'deferred', today: 0 });

    await refOf(tenant, 'one').update({ publishAt: new Date(Date.now() - 1000) });
    await tick();
    expect(await stateOf(tenant, 'one')).toEqual(done);
  });
});
