import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { localInstance } from '../../local/stack.ts';
import { type OperationRecord, operationDocumentId } from '../../shared/registry/operations.ts';
import { tenantDocumentId } from '../../shared/registry/tenants/document-id.ts';
import { grantFunctions, startTestStack, type TestStack, target } from '../support/stack.ts';
import { quotaOf, tenantRecord, writeTenant } from '../support/tenant-record.ts';

let stack: TestStack;

beforeAll(async () => {
  stack = await startTestStack({ only: grantFunctions });
  await tenant();
});

afterAll(() => stack.stop());

/** A tenant with a schema in the database that all share. */
async function tenant(limits: Parameters<typeof writeTenant>[2] = {}): Promise<void> {
  const place = { ...tenantRecord('acme').place, instance: localInstance, schema: 'tenant_acme' };
  await writeTenant(stack.db, 'acme', limits, { isolation: 'schema', place });
}

const refOf = (id: string, functionName = 'create-schema') => {
  const name = operationDocumentId(functionName, { operationId: id, dryRun: false, tenant: 'acme' });
  return stack.db.collection('operations').doc(name);
};

const eventsOf = (id: string) => stack.results.get(refOf(id).id) ?? [];

const schema = { target: target('app'), schema: 'tenant_acme' };

/** Sends a message of the tenant; resolves with its record when it was dealt with. */
async function send(id: string, message: object = schema, functionName = 'create-schema') {
  await stack.send(functionName, message, { id, attributes: { tenant: 'acme' } });
  await stack.pubsub?.idle();
  return (await refOf(id, functionName).get()).data() as OperationRecord;
}

let ticks = 0;

/** A tick, and all that comes of it. */
async function tick(dryRun = false): Promise<OperationRecord> {
  ticks += 1;
  await stack.send('reconcile', {}, { id: `tick-${ticks}`, dryRun });
  const record = await stack.ended('reconcile', `tick-${ticks}`, dryRun);
  await stack.pubsub?.idle();
  return record;
}

const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000);

describe('a tenant’s message', () => {
  it('is deferred over its tenant’s rate, and published again by a tick when its time has come', async () => {
    await tenant({ operationsPerMinute: 1 });
    expect(await send('first')).toMatchObject({ state: 'succeeded' });
    expect(await send('second')).toMatchObject({ state: 'deferred', error: { code: 'RATE_LIMITED' } });
    expect((await tick()).summary).toMatchObject({ deferred: 0 });

    await tenant();
    const due = minutesAgo(1);
    await refOf('second').update({ notBefore: due, publishAt: due });
    expect(await tick(true)).toMatchObject({ state: 'planned', summary: { deferred: 1 } });
    expect((await refOf('second').get()).get('state')).toBe('deferred');

    const record = await tick();
    expect(record).toMatchObject({ state: 'succeeded', notes: [], summary: { deferred: 1 } });
    expect(record.changes).toContainEqual({
      action: 'create',
      kind: 'message',
      name: 'create-schema second',
      detail: 'deferred, of tenant acme',
    });
    expect((await refOf('second').get()).data()).toMatchObject({ state: 'succeeded', counted: true });
    expect(eventsOf('second')).toMatchObject([{ data: { state: 'succeeded', tenant: 'acme' } }]);
    expect((await tick()).summary).toMatchObject({ deferred: 0 });
    expect(await quotaOf(stack.db, 'acme')).toMatchObject({ today: 2 });
  });

  it('is run where it is about what is its own', async () => {
    await stack.query('postgres', 'CREATE ROLE bob LOGIN');
    const grants = [{ principal: 'bob', kind: 'login', level: 'reader' }];
    expect(await send('grant', { ...schema, mode: 'add', grants }, 'grant-roles')).toMatchObject({
      state: 'succeeded',
    });
  });

  it.each<[string, string, object]>([
    ['another’s schema', 'create-schema', { ...schema, schema: 'tenant_other' }],
    ['the whole database', 'create-schema', { ...schema, lockDatabase: true }],
    [
      'the whole instance',
      'grant-roles',
      { target: target('app'), mode: 'offboard', grants: [{ principal: 'bob', kind: 'login' }] },
    ],
    [
      'the database’s own roles',
      'grant-roles',
      { target: target('app'), mode: 'add', grants: [{ principal: 'bob', kind: 'login', level: 'monitor' }] },
    ],
    [
      'what all of the instance do',
      'grant-roles',
      { ...schema, mode: 'add', grants: [{ principal: 'bob', kind: 'login', level: 'analyst' }] },
    ],
    ['what is nobody’s', 'reconcile', {}],
  ])('is refused where it is about %s', async (what, functionName, message) => {
    const record = await send(what.replaceAll(/[^a-z]/g, '-'), message, functionName);
    expect(record).toMatchObject({ state: 'failed', reason: 'rejected', error: { code: 'NOT_ALLOWED' } });
  });
});

describe('a tick', () => {
  it('publishes the others where one of the deferred has lost its message, and says so', async () => {
    await tenant({ operationsPerMinute: 1 });
    for (const id of ['lost', 'kept']) expect(await send(id)).toMatchObject({ state: 'deferred' });
    await tenant();
    const due = { notBefore: minutesAgo(1), publishAt: minutesAgo(1) };
    await refOf('lost').update({ ...due, payload: null });
    await refOf('kept').update(due);
    const { notes, summary } = await tick();
    expect(summary).toMatchObject({ deferred: 1 });
    expect(notes).toMatchObject([{ code: 'NOT_PUBLISHED' }]);
    expect((await refOf('kept').get()).get('state')).toBe('succeeded');
    await refOf('lost').delete();
  });

  it('tells what a crash left untold, as it would have been told', async () => {
    await refOf('first').update({ reported: false, finishedAt: minutesAgo(4) });
    expect((await tick()).summary).toMatchObject({ reported: 0 });
    await refOf('first').update({ finishedAt: minutesAgo(6) });
    expect((await tick()).summary).toMatchObject({ reported: 1 });
    expect((await refOf('first').get()).get('reported')).toBe(true);
    await expect.poll(() => eventsOf('first').map(({ id }) => id)).toHaveLength(2);
    expect(new Set(eventsOf('first').map(({ id }) => id)).size).toBe(1);
    expect((await tick()).summary).toMatchObject({ reported: 0 });
  });

  it('tells of the others where one can’t be told of, and says so', async () => {
    const untold = { reported: false, finishedAt: minutesAgo(7) };
    const { publishedAt } = (await refOf('grant', 'grant-roles').get()).data() as OperationRecord;
    await refOf('grant', 'grant-roles').update({ ...untold, publishedAt: null });
    await refOf('first').update({ ...untold, finishedAt: minutesAgo(6) });
    const { notes, summary } = await tick();
    expect(summary).toMatchObject({ reported: 1 });
    expect(notes).toMatchObject([{ code: 'NOT_REPORTED' }]);
    expect((await refOf('first').get()).get('reported')).toBe(true);
    await refOf('grant', 'grant-roles').update({ reported: true, publishedAt });
  });

  it('begins the day of a tenant that asks for nothing', async () => {
    const quota = stack.db.collection('quotas').doc(tenantDocumentId('acme'));
    await quota.update({ day: '2026-03-01', today: 5 });
    await tick();
    expect(await quotaOf(stack.db, 'acme')).toMatchObject({
      day: new Date().toISOString().slice(0, 10),
      today: 0,
    });
  });

  it('ends what nothing was heard of for an hour; it is run if its message comes after all', async () => {
    const message = { ...schema, comment: 'late' };
    expect(await send('late', message)).toMatchObject({ state: 'succeeded' });
    const running = { state: 'running', reported: false, renewedAt: minutesAgo(61) };
    await refOf('late').update(running);
    expect((await tick()).summary).toMatchObject({ stuck: 0 });
    stack.firestore?.advance(3601);
    expect((await tick()).summary).toMatchObject({ stuck: 1 });
    expect((await refOf('late').get()).data()).toMatchObject({
      state: 'failed',
      reason: 'exhausted',
      reported: true,
      error: { code: 'STUCK' },
    });
    await expect.poll(() => eventsOf('late').map(({ data }) => data.state)).toEqual(['succeeded', 'failed']);

    expect(await send('late', message)).toMatchObject({ state: 'succeeded', reported: true });
    await expect.poll(() => eventsOf('late').at(-1)).toMatchObject({ data: { state: 'succeeded' } });
  });
});
