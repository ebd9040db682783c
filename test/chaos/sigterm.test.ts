import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { target } from '../support/stack.ts';
import { hold } from './points.ts';
import { type ChaosStack, startChaosStack } from './stack.ts';
import { stateOf } from './state.ts';

const shutdownSeconds = 3;

let stack: ChaosStack;

beforeAll(async () => {
  stack = await startChaosStack({ environment: { DROVER_SHUTDOWN_SECONDS: String(shutdownSeconds) } });
});

afterAll(() => stack.stop());

const send = (schema: string) =>
  stack.send('create-schema', { target: target('app'), schema, comment: 'made' }, { id: schema });

/** Tells the function to end; its successor is started by the stack. */
function terminate() {
  const { createSchema } = stack;
  const started = performance.now();
  const exited = createSchema.exited().then((status) => ({
    status,
    seconds: (performance.now() - started) / 1000,
  }));
  const restarted = createSchema.restarted();
  process.kill(createSchema.pid(), 'SIGTERM');
  return { exited, restarted };
}

/** Sessions of the function, as the server sees them. */
async function sessions(): Promise<number[]> {
  const rows = await stack.query(
    'postgres',
    `SELECT pid FROM pg_stat_activity WHERE application_name = 'drover/create-schema'`,
  );
  return rows.map(({ pid }) => Number(pid));
}

describe('a function that is told to stop', () => {
  it('ends at once when it has nothing to do, and closes its sessions', async () => {
    await send('before_the_end');
    await stack.pubsub.idle();
    const open = await sessions();
    expect(open).not.toEqual([]);

    const { exited, restarted } = terminate();
    const { status, seconds } = await exited;

    expect(status).toBe(0);
    expect(seconds).toBeLessThan(shutdownSeconds / 2);
    expect(stack.logs.get('create-schema')?.filter((line) => line.includes('by force'))).toEqual([]);
    // The server needs a moment to see that they are closed.
    while ((await sessions()).some((pid) => open.includes(pid)));
    await restarted;
  });

  it.each([
    { moment: 'the transaction', call: 'PostgreSQL: BEGIN' },
    { moment: 'the report', call: 'Pub/Sub: publish' },
  ])('finishes what it is at: $moment', async ({ moment, call }) => {
    const schema = moment.replace(' ', '_');
    const held = hold(stack, call, 'after');
    await send(schema);
    await held.met;

    const { exited, restarted } = terminate();
    held.letGo();
    expect((await exited).status).toBe(0);
    await stack.pubsub.idle();
    await restarted;

    expect(await stack.record('create-schema', schema)).toMatchObject({
      epoch: 1,
      owner: expect.any(String),
    });
    expect(await stateOf(stack, schema)).toMatchObject({
      record: { state: 'succeeded', reported: true, error: null },
      registry: { applied: true },
      catalog: { comment: 'made' },
    });
  });

  it('hands back what it can not finish, so that the next process need not wait for the lease', async () => {
    const held = hold(stack, 'PostgreSQL: BEGIN', 'after');
    await send('handed_back');
    await held.met;
    const released = hold(stack, 'Firestore: release', 'after');

    const { exited, restarted } = terminate();
    await released.met;
    expect(await stack.record('create-schema', 'handed_back')).toMatchObject({
      state: 'pending',
      epoch: 1,
      error: { code: 'SHUTTING_DOWN' },
    });
    released.letGo();
    const { status, seconds } = await exited;
    await restarted;
    held.letGo();
    await stack.pubsub.idle();

    expect(status).toBe(0);
    expect(seconds).toBeLessThan(shutdownSeconds);
    expect(await stack.record('create-schema', 'handed_back')).toMatchObject({ epoch: 2 });
    expect(await stateOf(stack, 'handed_back')).toMatchObject({
      record: { state: 'succeeded', reported: true, error: null },
      registry: { applied: true },
      catalog: { comment: 'made' },
    });
  });
});
