import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findFreePort } from '../../local/ports.ts';
import { localProject } from '../../local/stack.ts';
import { type OperationRecord, operationDocumentId } from '../../shared/registry/operations.ts';
import { reopenOperation } from '../../shared/registry/replay.ts';
import { type PostgresProxy, startPostgresProxy } from '../support/postgres-proxy.ts';
import { startTestStack, type TestStack, target } from '../support/stack.ts';

let stack: TestStack;
let databasePort: number;
let proxy: PostgresProxy | undefined;

/** Functions look for PostgreSQL at a port where nothing listens until a test says so. */
beforeAll(async () => {
  databasePort = await findFreePort();
  stack = await startTestStack({ proxyFor: async () => databasePort });
  const soon = { nanos: 50_000_000 };
  await stack.messaging.subscription('create-schema').setMetadata({
    retryPolicy: { minimumBackoff: soon, maximumBackoff: soon },
    deadLetterPolicy: {
      deadLetterTopic: `projects/${localProject}/topics/dead-letters`,
      maxDeliveryAttempts: 5,
    },
  });
});

afterAll(async () => {
  await stack.stop();
  await proxy?.close();
});

const idOf = (operationId: string) => operationDocumentId('create-schema', { operationId, dryRun: false });

const message = (schema: string) => ({ target: target('app'), schema });

/** The one record about a message without an id of its own. */
async function recordOf(schema: string): Promise<{ id: string; record: OperationRecord }> {
  const { docs } = await stack.db.collection('operations').where('function', '==', 'create-schema').get();
  const found = docs.filter((document) => {
    const { payload } = document.data() as OperationRecord;
    return payload?.data?.toString().includes(`"${schema}"`);
  });
  expect(found).toHaveLength(1);
  return { id: found[0]?.id ?? '', record: found[0]?.data() as OperationRecord };
}

async function replay(id: string): Promise<OperationRecord> {
  const { topic, data, attributes } = await reopenOperation(stack.db, id);
  await stack.messaging.topic(topic).publishMessage({ data, attributes });
  await stack.pubsub?.idle();
  return (await stack.db.collection('operations').doc(id).get()).data() as OperationRecord;
}

describe('an operation whose deliveries are used up', () => {
  it('is recorded with its message and its last error, and announced', async () => {
    await stack.send('create-schema', message('named'), { id: 'named', attributes: { note: 'kept' } });
    const record = await stack.ended('create-schema', 'named');

    expect(record).toMatchObject({
      state: 'failed',
      reason: 'exhausted',
      error: { code: 'EXHAUSTED', details: { last: { code: 'UNAVAILABLE' } } },
      deadLettered: true,
      payload: {
        attributes: expect.arrayContaining([
          { name: 'operation-id', value: 'named' },
          { name: 'note', value: 'kept' },
        ]),
      },
    });
    expect(record.error?.message).toContain('5 deliveries');
    expect(record.payload?.data?.toString()).toBe(JSON.stringify(message('named')));
    expect(stack.results.get(idOf('named'))).toMatchObject([
      { type: 'drover.operation.failed', data: { reason: 'exhausted', state: 'failed' } },
    ]);
  });

  it('is found by its content where the message names no id', async () => {
    await stack.send('create-schema', message('unnamed'));
    await stack.pubsub?.idle();

    const { id, record } = await recordOf('unnamed');
    expect(record).toMatchObject({ state: 'failed', reason: 'exhausted', epoch: 6, reported: true });
    expect(record.operationId).toBe(record.messageId);
    expect(id).toBe(idOf(record.messageId));
  });

  it('has a record even if its function never wrote one', async () => {
    const pubsub = stack.pubsub;
    if (pubsub === undefined) throw new Error('the test needs the local Pub/Sub');
    pubsub.intercept = ({ method, phase, request }) => {
      const unreachable = String(request['subscription']).endsWith('/create-schema');
      if (method === 'Push' && phase === 'before' && unreachable)
        throw new Error('the function is unreachable');
    };
    await stack.send('create-schema', message('unseen'), { id: 'unseen' });
    const record = await stack.ended('create-schema', 'unseen');
    pubsub.intercept = undefined;

    expect(record).toMatchObject({ state: 'failed', reason: 'exhausted', deadLettered: true });
    expect(record.error?.message).toContain('None of them left a record');
    expect(record.payload?.data?.toString()).toBe(JSON.stringify(message('unseen')));
  });

  it('succeeds when it is replayed and the cause is gone, with the time of its first publishing', async () => {
    proxy = await startPostgresProxy(stack.cluster.port, databasePort);
    const { id: unnamed } = await recordOf('unnamed');

    for (const id of [idOf('named'), unnamed, idOf('unseen')]) {
      const before = (await stack.db.collection('operations').doc(id).get()).data() as OperationRecord;
      const replayed = await replay(id);
      expect(replayed).toMatchObject({
        state: 'succeeded',
        reported: true,
        deadLettered: false,
        error: null,
      });
      expect(replayed.publishedAt).toEqual(before.publishedAt);
      expect(stack.results.get(id)?.map(({ data }) => data.state)).toEqual(['failed', 'succeeded']);
    }
    expect(
      await stack.query(
        'app',
        `SELECT nspname FROM pg_namespace WHERE nspname IN ('named', 'unnamed', 'unseen') ORDER BY 1`,
      ),
    ).toEqual([{ nspname: 'named' }, { nspname: 'unnamed' }, { nspname: 'unseen' }]);
  });

  it('is not replayed twice', async () => {
    await expect(reopenOperation(stack.db, idOf('named'))).rejects.toMatchObject({ code: 'NOT_REPLAYABLE' });
  });
});
