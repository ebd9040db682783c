import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import createSchema from '../../../functions/create-schema/index.ts';
import grantRoles from '../../../functions/grant-roles/index.ts';
import { firestore } from '../../../shared/gcp/firestore.ts';
import { hash } from '../../../shared/operation/canonical.ts';
import { grantsCollection } from '../../../shared/registry/grants/model.ts';
import {
  type OperationRecord,
  operationDocumentId,
  operationsCollection,
} from '../../../shared/registry/operations.ts';
import { push, reachPostgresAt, useWorker } from '../../shared/operation/worker.ts';
import { connected, instance, type PreparedCluster, run, startPrepared } from '../../support/postgres.ts';

let cluster: PreparedCluster;

// Before the worker, which reads where the cluster is.
beforeAll(async () => {
  cluster = await startPrepared();
  await cluster.open('app');
  reachPostgresAt(cluster.port);
});

const rule = {
  functions: ['create-schema', 'grant-roles'],
  targets: [`${instance}/app`],
  levels: ['*'],
  principals: ['*'],
  actions: ['exact', 'offboard'],
};
const worker = useWorker({ DROVER_POLICY: JSON.stringify({ rules: [rule] }) });

afterAll(() => cluster.remove());

const target = { instance, database: 'app' };
const functions = { 'create-schema': createSchema, 'grant-roles': grantRoles };

interface Sent {
  readonly minute: number;
  readonly attributes?: Record<string, string>;
}

let messages = 0;
/** A message that was published at some minute; each time that it comes is one attempt. */
function message(name: keyof typeof functions, content: object, { minute, attributes = {} }: Sent) {
  messages += 1;
  const id = `message-${messages}`;
  const delivery = push(id, { target, ...content }, attributes, minute);
  return {
    comes: () => functions[name](delivery),
    async record(): Promise<OperationRecord> {
      const db = await firestore();
      const dryRun = attributes['dry-run'] === 'true';
      const document = operationDocumentId(name, { operationId: id, dryRun });
      return (await db.collection(operationsCollection).doc(document).get()).data() as OperationRecord;
    },
  };
}

async function outcome(...sent: Parameters<typeof message>): Promise<OperationRecord> {
  const one = message(...sent);
  await one.comes();
  return one.record();
}

/** What is said of the owner, beside what this instance's admin could not pass on. */
const saidOfOwner = ({ notes = [] }: OperationRecord) => notes.filter(({ code }) => code.startsWith('OWNER'));

let schemas = 0;
let schema: string;
const login = (level?: string) => ({ principal: 'alice', kind: 'login', ...(level ? { level } : {}) });
const mayActAsOwner = () =>
  connected(cluster.superuserUrl('app'), async (client) => {
    const { rows } = await client.query(
      'SELECT FROM pg_auth_members WHERE roleid = $1::regrole AND member = $2::regrole',
      [`app__${schema}__owner`, 'alice'],
    );
    return rows.length > 0;
  });

// A schema that was made in the first minute, and alice.
beforeEach(async () => {
  schemas += 1;
  schema = `schema${schemas}`;
  await run(
    cluster.superuserUrl('app'),
    'DROP ROLE IF EXISTS alice',
    'SET ROLE drover_admin_07',
    'CREATE ROLE alice LOGIN',
  );
  expect(await outcome('create-schema', { schema }, { minute: 1 })).toMatchObject({ state: 'succeeded' });
});

const late = (more: Partial<Sent> = {}): Parameters<typeof message> => [
  'create-schema',
  { schema, owner: 'alice' },
  { minute: 2, ...more },
];

describe('an owner that create-schema names', () => {
  it.each([
    ['was offboarded since', { mode: 'offboard', grants: [login()] }],
    ['lost that role since', { mode: 'revoke', grants: [login('owner')] }],
    ['is not among all that have a role since', { mode: 'exact', grants: [], allowEmpty: true }],
  ])('and that %s does not come back by a message that comes late', async (_, { mode, ...content }) => {
    const scope = mode === 'offboard' ? {} : { schema };
    const newer = await outcome('grant-roles', { ...scope, mode, ...content }, { minute: 3 });
    expect(newer).toMatchObject({ state: 'succeeded' });
    if (mode === 'offboard') await run(cluster.superuserUrl('app'), 'CREATE ROLE alice LOGIN');

    for (const attributes of [{ 'dry-run': 'true' }, {}, { revision: '9' }]) {
      const record = await outcome(...late({ attributes }));

      expect(record).toMatchObject({ error: null, changes: [] });
      const { operationId } = newer;
      const by = operationDocumentId('grant-roles', { operationId, dryRun: false });
      expect(saidOfOwner(record)).toEqual([
        { code: 'OWNER_SUPERSEDED', message: expect.stringMatching(`alice .*${by}`) },
      ]);
      expect(await mayActAsOwner()).toBe(false);
    }

    expect(saidOfOwner(await outcome(...late({ minute: 4 }))), 'unlike by a newer one').toEqual([]);
    expect(await mayActAsOwner()).toBe(true);
  });

  it('is left to what grant-roles said of it since', async () => {
    await outcome('grant-roles', { schema, mode: 'add', grants: [login('owner')] }, { minute: 3 });

    const record = await outcome(...late());

    expect(record).toMatchObject({ state: 'succeeded', changes: [] });
    expect(saidOfOwner(record)).toHaveLength(1);
    expect(await mayActAsOwner()).toBe(true);
  });

  it('waits for a newer message that is under way, until that has ended', async () => {
    const db = await firestore();
    const id = hash(instance, 'app', schema).slice(0, 40);
    const at = (minute: number) => new Date(Date.UTC(2026, 2, 1, 10, minute));
    const value = { present: false, operation: 'other', publishedAt: at(3) };
    const grants = { 'owner:alice': { ...login(), role: 'owner', value, undecided: true } };
    const exact = { value: { operation: 'another', publishedAt: at(3) }, undecided: true };
    await db
      .collection(grantsCollection)
      .doc(id)
      .set({ ...target, schema, epoch: 2, appliedEpoch: 0, exact, grants, customRoles: {}, history: [] });
    const operations = db.collection(operationsCollection);
    await operations.doc('another').set({ state: 'running' });
    await operations.doc('other').set({ state: 'running' });
    const sent = message(...late());

    await expect(sent.comes()).rejects.toThrow('NEWER_UNDECIDED');
    await operations.doc('another').set({ state: 'failed' });
    await expect(sent.comes()).rejects.toThrow('NEWER_UNDECIDED');
    expect(await mayActAsOwner()).toBe(false);
    await operations.doc('other').set({ state: 'failed' });
    await sent.comes();

    const record = await sent.record();
    expect(record).toMatchObject({ state: 'succeeded' });
    expect(saidOfOwner(record)).toEqual([]);
    expect(await mayActAsOwner()).toBe(true);
  });

  it.each([
    ['drover_tester', { state: 'failed', error: { code: 'PRINCIPAL_NOT_ALLOWED' } }],
    ['drover_tester@acme.com', { state: 'succeeded' }],
    ['cloudsql-team@acme.com', { state: 'succeeded' }],
  ])('and that is called %s is allowed or not as grant-roles has it', async (owner, expected) => {
    await run(cluster.superuserUrl('app'), `CREATE ROLE "${owner}" LOGIN`);

    expect(await outcome('create-schema', { schema, owner }, { minute: 2 })).toMatchObject(expected);
  });

  it('costs one call, and a schema without an owner none', async () => {
    const calls: string[] = [];
    worker.firestore.intercept = async ({ method, phase }) => {
      if (phase === 'before') calls.push(method);
    };
    const callsOf = async (content: object, minute: number) => {
      calls.length = 0;
      await outcome('create-schema', { schema, ...content }, { minute });
      return calls.toSorted();
    };

    const without = await callsOf({}, 5);
    expect(await callsOf({ owner: 'alice' }, 6)).toEqual([...without, 'BatchGetDocuments'].toSorted());
  });
});
