import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { target } from '../support/stack.ts';
import { hold, reached, watch } from './points.ts';
import { type ChaosStack, startChaosStack } from './stack.ts';
import { catalogOf, registryOf, stateOf } from './state.ts';

let stack: ChaosStack;

beforeAll(async () => {
  stack = await startChaosStack();
});

afterAll(() => stack.stop());

interface Sent {
  readonly schema: string;
  readonly comment: string;
  readonly adopt?: boolean;
}

const send = (id: string, message: Sent, attributes: Record<string, string> = {}) =>
  stack.send('create-schema', { target: target('app'), ...message }, { id, attributes });

describe('a message sent 20 times at once', () => {
  it('runs once and is acknowledged 20 times', async () => {
    const calls = new Map<string, number>();
    let acknowledged = 0;
    const end = watch(stack, ({ call, phase, answer }) => {
      if (phase === 'after') calls.set(call, (calls.get(call) ?? 0) + 1);
      if (answer === 204) acknowledged += 1;
    });

    await Promise.all(
      Array.from({ length: 20 }, () => send('twenty', { schema: 'twenty', comment: 'once' })),
    );
    await stack.pubsub.idle();
    end();

    expect(acknowledged).toBe(20);
    expect(await stack.record('create-schema', 'twenty')).toMatchObject({
      state: 'succeeded',
      epoch: 1,
      reported: true,
    });
    expect(Object.fromEntries(calls)).toMatchObject({
      'Firestore: intent': 1,
      'PostgreSQL: BEGIN': 1,
      'PostgreSQL: COMMIT': 1,
      'Firestore: complete': 1,
    });
    expect(calls.has('Firestore: take over')).toBe(false);
    // Deliveries that come between the record's end and its mark report too: with the same id.
    expect((await stateOf(stack, 'twenty')).events).toHaveLength(1);
  });
});

describe('messages about one schema', () => {
  it('end superseded where they arrive after a newer one', async () => {
    const older = hold(stack, 'Pub/Sub: push');
    await send('older', { schema: 'ordered', comment: 'old' });
    await older.met;
    await send('newer', { schema: 'ordered', comment: 'new' });
    expect(await stack.ended('create-schema', 'newer')).toMatchObject({ state: 'succeeded' });

    older.letGo();
    await stack.pubsub.idle();

    expect(await stack.record('create-schema', 'older')).toMatchObject({
      state: 'succeeded',
      changes: [],
      notes: [{ code: 'SUPERSEDED' }],
    });
    expect(await catalogOf(stack, 'ordered')).toMatchObject({ comment: 'new' });
    expect(await registryOf(stack, 'ordered')).toMatchObject({ comment: 'new', applied: true });
  });

  it('are ordered by revision where they have one, whenever they were published', async () => {
    await send('rev-2', { schema: 'revised', comment: 'second' }, { revision: '2' });
    await stack.ended('create-schema', 'rev-2');
    await send('rev-1', { schema: 'revised', comment: 'first' }, { revision: '1' });

    expect(await stack.ended('create-schema', 'rev-1')).toMatchObject({
      state: 'succeeded',
      notes: [{ code: 'SUPERSEDED' }],
    });
    expect(await catalogOf(stack, 'revised')).toMatchObject({ comment: 'second' });
  });

  it('are done although a newer one failed for good before', async () => {
    await stack.query('app', `CREATE SCHEMA taken; ALTER SCHEMA taken OWNER TO drover_admin`);
    const older = hold(stack, 'Pub/Sub: push');
    await send('adopting', { schema: 'taken', comment: 'adopted', adopt: true });
    await older.met;
    await send('refused', { schema: 'taken', comment: 'never' });
    expect(await stack.ended('create-schema', 'refused')).toMatchObject({
      state: 'failed',
      error: { code: 'SCHEMA_NOT_MANAGED' },
    });

    older.letGo();
    await stack.pubsub.idle();

    expect(await stack.record('create-schema', 'adopting')).toMatchObject({ state: 'succeeded' });
    expect(await catalogOf(stack, 'taken')).toMatchObject({ comment: 'adopted', owner: 'app__taken__owner' });
    expect(await registryOf(stack, 'taken')).toMatchObject({ comment: 'adopted', applied: true });
  });

  it('are done although a newer one, which was under way when they came, fails for good', async () => {
    await stack.query('app', `CREATE SCHEMA disputed; ALTER SCHEMA disputed OWNER TO drover_admin`);
    const older = hold(stack, 'Pub/Sub: push');
    await send('patient', { schema: 'disputed', comment: 'adopted', adopt: true });
    await older.met;
    const newer = hold(stack, 'PostgreSQL: BEGIN');
    await send('hopeless', { schema: 'disputed', comment: 'never' });
    await newer.met;

    const answered = reached(stack, 'Pub/Sub: push', 'after');
    older.letGo();
    await answered;
    newer.letGo();
    await stack.pubsub.idle();

    expect(await stack.record('create-schema', 'hopeless')).toMatchObject({ state: 'failed' });
    expect(await stack.record('create-schema', 'patient')).toMatchObject({ state: 'succeeded' });
    expect(await catalogOf(stack, 'disputed')).toMatchObject({ comment: 'adopted' });
  });

  it('keep the time at which they were first asked for, also where a duplicate goes on with them', async () => {
    // The worker of the first delivery dies between its intent and its effect.
    const dying = hold(stack, 'PostgreSQL: BEGIN');
    await send('asked-twice', { schema: 'repeated', comment: 'old' });
    await dying.met;
    const first = hold(stack, 'Pub/Sub: push');
    const restarted = stack.createSchema.restarted();
    process.kill(stack.createSchema.pid(), 'SIGKILL');
    dying.letGo();
    await restarted;
    stack.firestore.advance(61);
    await first.met;
    await send('in-between', { schema: 'repeated', comment: 'new' });
    await stack.ended('create-schema', 'in-between');
    await send('asked-twice', { schema: 'repeated', comment: 'old' });
    await stack.ended('create-schema', 'asked-twice');

    first.letGo();
    await stack.pubsub.idle();

    expect(await stack.record('create-schema', 'asked-twice')).toMatchObject({
      notes: [{ code: 'SUPERSEDED' }],
    });
    expect(await catalogOf(stack, 'repeated')).toMatchObject({ comment: 'new' });
  });
});
