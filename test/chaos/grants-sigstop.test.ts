import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FunctionProcess, startFunction } from '../../local/functions.ts';
import { findFreePort } from '../../local/ports.ts';
import { functionSettings, localProject } from '../../local/stack.ts';
import { operationDocumentId } from '../../shared/registry/operations.ts';
import { isSettled, membersOf, presentIn, registryOf } from '../e2e/members.ts';
import { permissivePolicy, target } from '../support/stack.ts';
import { hold, watch } from './points.ts';
import { type ChaosStack, longSilenceSeconds, startChaosStack } from './stack.ts';

const schema = 'billing';

let stack: ChaosStack;
let successor: FunctionProcess;

/** Two processes of one function, each with a subscription: the second gets a copy of every message. */
beforeAll(async () => {
  // PostgreSQL ends sessions that idle in a transaction after half a lease.
  const environment = { DROVER_LEASE_SECONDS: '1' };
  stack = await startChaosStack({ environment }, ['grant-roles']);
  successor = await startFunction({
    name: 'grant-roles',
    port: await findFreePort(),
    environment: {
      ...stack.environment,
      ...functionSettings('grant-roles', stack.cluster.port, permissivePolicy),
      ...environment,
    },
  });
  await stack.messaging.topic('grant-roles').createSubscription('successor', {
    pushEndpoint: `${successor.url}/projects/${localProject}/topics/grant-roles`,
    ackDeadlineSeconds: 600,
    retryPolicy: { minimumBackoff: { nanos: 100_000_000 }, maximumBackoff: { nanos: 100_000_000 } },
  });
  await stack.query('postgres', 'CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE carol LOGIN');
  await stack.send('create-schema', { target: target('app'), schema }, { id: schema });
  await stack.ended('create-schema', schema);
});

afterAll(async () => {
  await successor.stop();
  await stack.stop();
});

const send = (id: string, ...principals: string[]) =>
  stack.send(
    'grant-roles',
    {
      target: target('app'),
      schema,
      mode: 'exact',
      grants: principals.map((principal) => ({ principal, kind: 'login', level: 'reader' })),
    },
    { id },
  );

/** All that is known, down to the last write of the records. */
async function everything(...ids: string[]) {
  const records = await Promise.all(
    ids.map((operationId) => {
      const id = operationDocumentId('grant-roles', { operationId, dryRun: false });
      return stack.db.collection('operations').doc(id).get();
    }),
  );
  return {
    members: await membersOf(stack, 'app', schema),
    set: await registryOf(stack, 'app', schema),
    records: records.map((record) => ({ written: record.updateTime?.toDate(), ...record.data() })),
    rows: await stack.query(
      'app',
      `SELECT oid FROM pg_auth_members WHERE roleid = 'app__billing__reader'::regrole`,
    ),
  };
}

/** Resolves when so many records have been marked as reported. */
function marks(count: number): Promise<void> {
  return new Promise((resolve) => {
    const end = watch(stack, ({ call, phase, nth }) => {
      if (call !== 'Firestore: reported' || phase !== 'after' || nth !== count) return;
      end();
      resolve();
    });
  });
}

const moments = [
  { moment: 'when its wish is in the registry', call: 'Firestore: grants', phase: 'after', nth: 1 },
  { moment: 'in its transaction, holding the lock', call: 'PostgreSQL: BEGIN', phase: 'after', nth: 1 },
  { moment: 'before it commits', call: 'PostgreSQL: COMMIT', phase: 'before', nth: 1 },
  {
    moment: 'before it says in the registry that it is so',
    call: 'Firestore: grants',
    phase: 'before',
    nth: 2,
  },
] as const;

describe('a worker that is frozen past its lease', () => {
  it.each(moments)('$moment overwrites nothing', async ({ call, phase, nth }) => {
    const id = `frozen-${moments.findIndex((one) => one.call === call && one.phase === phase)}`;
    const copy = hold(stack, 'Pub/Sub: push to successor');
    await send(`${id}-before`, 'carol');
    copy.letGo();
    await stack.ended('grant-roles', `${id}-before`);
    await stack.pubsub.idle();

    const pid = stack.worker.pid();
    const taking = hold(stack, 'Pub/Sub: push to successor');
    const frozen = Promise.withResolvers<void>();
    const thawed = Promise.withResolvers<void>();
    const end = watch(stack, async (point) => {
      if (point.call !== call || point.phase !== phase || point.nth !== nth) return;
      end();
      process.kill(pid, 'SIGSTOP');
      frozen.resolve();
      await thawed.promise;
    });
    await send(`${id}-first`, 'alice');
    await Promise.all([frozen.promise, taking.met]);
    const reported = marks(2);
    stack.firestore.advance(longSilenceSeconds);
    taking.letGo();
    const taken = await stack.ended('grant-roles', `${id}-first`);
    expect(taken).toMatchObject({ state: 'succeeded' });
    expect(taken.epoch, 'by the successor').toBeGreaterThan(1);
    await send(`${id}-newer`, 'bob');
    expect(await stack.ended('grant-roles', `${id}-newer`)).toMatchObject({ state: 'succeeded' });
    await reported;
    const before = await everything(`${id}-first`, `${id}-newer`);
    expect(before.members).toEqual(['reader bob']);

    process.kill(pid, 'SIGCONT');
    thawed.resolve();
    await stack.pubsub.idle();

    const after = await everything(`${id}-first`, `${id}-newer`);
    expect(after).toEqual(before);
    expect(presentIn(after.set)).toEqual(['reader bob']);
    expect(isSettled(after.set)).toBe(true);
    expect(stack.worker.starts(), 'the frozen process survived').toBe(1);
  });
});
