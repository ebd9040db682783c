import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GrpcError } from '../../local/grpc/server.ts';
import { operationDocumentId } from '../../shared/registry/operations.ts';
import { target } from '../support/stack.ts';
import { type Point, watch } from './points.ts';
import { type ChaosStack, longSilenceSeconds, startChaosStack } from './stack.ts';
import { stateOf } from './state.ts';

let stack: ChaosStack;

beforeAll(async () => {
  stack = await startChaosStack();
});

afterAll(() => stack.stop());

const send = (schema: string) =>
  stack.send('create-schema', { target: target('app'), schema, comment: 'made' }, { id: schema });

const done = {
  record: { state: 'succeeded', reported: true, error: null },
  events: [expect.stringMatching(/\.1\.succeeded$/)],
  registry: { applied: true, comment: 'made' },
  catalog: { comment: 'made' },
};

/** Breaks the first calls of a kind. */
function breakCalls(fault: { call: string; phase: Point['phase']; code: status; count: number }) {
  let broken = 0;
  watch(stack, ({ call, phase }) => {
    if (!call.startsWith(fault.call) || phase !== fault.phase || broken === fault.count) return;
    broken += 1;
    // A transaction that began, and whose client never learned of it, locks what it read until it expires.
    if (call === read) stack.firestore.advance(longSilenceSeconds);
    throw new GrpcError(fault.code, 'broken by the test');
  });
  return { broken: () => broken };
}

const read = 'Firestore: read operations and schemas and lock';

describe('an operation', () => {
  it.each([
    { what: 'claim', call: 'Firestore: claim' },
    { what: 'intent', call: 'Firestore: intent' },
    { what: 'read', call: read },
    { what: 'completion', call: 'Firestore: complete' },
    { what: 'mark', call: 'Firestore: reported' },
  ])('runs once although the answer to its $what is lost', async ({ what, call }) => {
    const faults = breakCalls({ call, phase: 'after', code: status.UNAVAILABLE, count: 1 });
    await send(`lost_${what}`);
    await stack.pubsub.idle();

    expect(faults.broken()).toBe(1);
    expect(await stateOf(stack, `lost_${what}`)).toMatchObject(done);
  });

  it('is announced by events of one id where the answer to a publish is lost', async () => {
    const schema = 'lost_publish';
    const faults = breakCalls({
      call: 'Pub/Sub: publish',
      phase: 'after',
      code: status.UNAVAILABLE,
      count: 1,
    });
    await send(schema);
    await stack.pubsub.idle();

    expect(faults.broken()).toBe(1);
    expect(await stateOf(stack, schema)).toMatchObject(done);
    const id = operationDocumentId('create-schema', { operationId: schema, dryRun: false });
    expect(stack.results.get(id)).toHaveLength(2);
  });

  it('is announced by the next delivery where publishing failed, and does not run again', async () => {
    const faults = breakCalls({
      call: 'Pub/Sub: publish',
      phase: 'before',
      code: status.PERMISSION_DENIED,
      count: 2,
    });
    let transactions = 0;
    const end = watch(stack, ({ call, phase }) => {
      if (call === 'PostgreSQL: BEGIN' && phase === 'before') transactions += 1;
    });
    await send('unannounced');
    await stack.pubsub.idle();
    end();

    expect(faults.broken()).toBe(2);
    expect(transactions).toBe(1);
    expect(await stateOf(stack, 'unannounced')).toMatchObject(done);
  });

  it('succeeds after Firestore was down for a while', async () => {
    const faults = breakCalls({ call: 'Firestore: ', phase: 'before', code: status.UNAVAILABLE, count: 30 });
    const schemas = Array.from({ length: 5 }, (_, index) => `outage_${index}`);
    await Promise.all(schemas.map(send));
    await stack.pubsub.idle();

    expect(faults.broken()).toBe(30);
    for (const schema of schemas) expect(await stateOf(stack, schema)).toMatchObject(done);
  });
});
