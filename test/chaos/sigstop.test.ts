import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FunctionProcess, startFunction } from '../../local/functions.ts';
import { findFreePort } from '../../local/ports.ts';
import { functionSettings, localProject } from '../../local/stack.ts';
import { operationDocumentId } from '../../shared/registry/operations.ts';
import { permissivePolicy, target } from '../support/stack.ts';
import { hold, type Point, watch } from './points.ts';
import { type ChaosStack, longSilenceSeconds, startChaosStack } from './stack.ts';
import { catalogOf, stateOf } from './state.ts';

let stack: ChaosStack;
let successor: FunctionProcess;

/** Two processes of one function, each with a subscription: the second gets a copy of every message. */
beforeAll(async () => {
  // PostgreSQL ends sessions that idle in a transaction after half a lease.
  const environment = { DROVER_LEASE_SECONDS: '1' };
  stack = await startChaosStack({ environment });
  successor = await startFunction({
    name: 'create-schema',
    port: await findFreePort(),
    environment: {
      ...stack.environment,
      ...functionSettings('create-schema', stack.cluster.port, permissivePolicy),
      ...environment,
    },
  });
  const topic = stack.messaging.topic('create-schema');
  await topic.createSubscription('successor', {
    pushEndpoint: `${successor.url}/projects/${localProject}/topics/create-schema`,
    ackDeadlineSeconds: 600,
    retryPolicy: { minimumBackoff: { nanos: 100_000_000 }, maximumBackoff: { nanos: 100_000_000 } },
  });
});

afterAll(async () => {
  await successor.stop();
  await stack.stop();
});

const send = (id: string, schema: string, comment: string) =>
  stack.send('create-schema', { target: target('app'), schema, comment }, { id });

/** Stops the first process when it comes to a point; the call is held until it goes on. */
function freezeAt(call: string, phase: Point['phase'], nth = 1) {
  const frozen = Promise.withResolvers<void>();
  const thawed = Promise.withResolvers<void>();
  const pid = stack.createSchema.pid();
  const end = watch(stack, async (point) => {
    if (point.call !== call || point.phase !== phase || point.nth !== nth) return;
    end();
    process.kill(pid, 'SIGSTOP');
    frozen.resolve();
    await thawed.promise;
  });
  return {
    frozen: frozen.promise,
    thaw() {
      process.kill(pid, 'SIGCONT');
      thawed.resolve();
    },
  };
}

const intentRead = 'Firestore: read operations and schemas and lock';

const moments = [
  { moment: 'before it learns that it has the claim', call: 'Firestore: claim', phase: 'after' },
  { moment: 'before it begins its transaction', call: 'PostgreSQL: BEGIN', phase: 'before' },
  { moment: 'in its transaction, holding the lock', call: 'PostgreSQL: BEGIN', phase: 'after' },
  { moment: 'before it commits', call: 'PostgreSQL: COMMIT', phase: 'before' },
  { moment: 'before it completes', call: intentRead, phase: 'before', nth: 2 },
  { moment: 'while it completes', call: 'Firestore: complete', phase: 'before' },
] as const;

describe('a worker that is frozen past its lease', () => {
  it.each(moments)('$moment overwrites neither record nor effect', async ({ call, phase, ...rest }) => {
    const schema = `frozen_${moments.findIndex((one) => one.call === call && one.phase === phase)}`;
    const copy = hold(stack, 'Pub/Sub: push to successor');
    const worker = freezeAt(call, phase, 'nth' in rest ? rest.nth : 1);
    await send(schema, schema, 'of the first message');
    await worker.frozen;
    await copy.met;

    stack.firestore.advance(longSilenceSeconds);
    copy.letGo();
    const taken = await stack.ended('create-schema', schema);
    await send(`${schema}-newer`, schema, 'of a newer message');
    await stack.ended('create-schema', `${schema}-newer`);
    // The event comes before the record says that it did.
    while (!(await stack.record('create-schema', `${schema}-newer`))?.reported);
    const before = await everything(schema);
    worker.thaw();
    await stack.pubsub.idle();

    expect(taken).toMatchObject({ state: 'succeeded' });
    expect(taken?.epoch).toBeGreaterThan(1);
    expect(await everything(schema)).toEqual(before);
    expect(before.newer).toMatchObject({
      record: { state: 'succeeded', reported: true },
      registry: { applied: true, comment: 'of a newer message' },
      catalog: { comment: 'of a newer message' },
    });
    expect(before.first.events).toHaveLength(1);
    expect(stack.createSchema.starts(), 'the frozen process survived').toBe(1);
  });
});

describe('a worker that is frozen before its change', () => {
  it('is kept from it by a newer message that found nothing to change', async () => {
    await send('calm', 'calm', 'as it was');
    await stack.ended('create-schema', 'calm');
    await stack.pubsub.idle();
    const copy = hold(stack, 'Pub/Sub: push to successor');
    const worker = freezeAt('PostgreSQL: BEGIN', 'before');
    await send('calm-changing', 'calm', 'changed');
    await worker.frozen;
    await copy.met;
    await send('calm-again', 'calm', 'as it was');
    expect(await stack.ended('create-schema', 'calm-again')).toMatchObject({ changes: [] });

    worker.thaw();
    copy.letGo();
    await stack.pubsub.idle();

    expect(await catalogOf(stack, 'calm')).toMatchObject({ comment: 'as it was' });
    expect(await stack.record('create-schema', 'calm-changing')).toMatchObject({
      state: 'succeeded',
      notes: [{ code: 'SUPERSEDED' }],
    });
  });
});

/** All that is known of both operations, down to the last write of their records. */
async function everything(schema: string) {
  const written = (operationId: string) =>
    stack.db
      .collection('operations')
      .doc(operationDocumentId('create-schema', { operationId, dryRun: false }))
      .get()
      .then(({ updateTime }) => updateTime?.toDate());
  const { docs } = await stack.db.collection('schemas').where('schema', '==', schema).get();
  return {
    first: await stateOf(stack, schema),
    newer: await stateOf(stack, schema, `${schema}-newer`),
    catalog: await catalogOf(stack, schema),
    written: [await written(schema), await written(`${schema}-newer`)],
    registry: docs[0]?.data(),
  };
}
