import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FunctionProcess, startFunction } from '../../local/functions.ts';
import { findFreePort } from '../../local/ports.ts';
import { functionSettings, localProject } from '../../local/stack.ts';
import { permissivePolicy } from '../support/stack.ts';
import { watch } from './points.ts';
import {
  type Held,
  holdAll,
  type Kind,
  type SecretChaos,
  type SecretState,
  startSecretChaos,
} from './secrets.ts';
import { longSilenceSeconds } from './stack.ts';

const leaseSeconds = 2;

let chaos: SecretChaos;
let successor: FunctionProcess;

/** Two processes of the function, each with a subscription: the second gets a copy of every message. */
beforeAll(async () => {
  const environment = {
    DROVER_LEASE_SECONDS: String(leaseSeconds),
    // Who is held keeps its connection.
    DROVER_CONNECTIONS_PER_INSTANCE: '60',
  };
  chaos = await startSecretChaos({ environment });
  const { stack } = chaos;
  successor = await startFunction({
    name: 'rotate-secret',
    port: await findFreePort(),
    environment: {
      ...stack.environment,
      ...functionSettings('rotate-secret', stack.cluster.port, permissivePolicy),
      ...environment,
    },
  });
  await stack.messaging.topic('rotate-secret').createSubscription('successor', {
    pushEndpoint: `${successor.url}/projects/${localProject}/topics/rotate-secret`,
    ackDeadlineSeconds: 600,
    retryPolicy: { minimumBackoff: { nanos: 100_000_000 }, maximumBackoff: { nanos: 100_000_000 } },
  });
  await Promise.all(moments.map(([kind, points]) => chaos.create(kind, ...secretsFor(kind, points))));
});

afterAll(async () => {
  await successor.stop();
  await chaos.stop();
});

const add = 'Secret Manager: AddSecretVersion';
const proven = 'after proof: SELECT';
const publication = [`before ${add}`, `after ${add}`, 'before Secret Manager: UpdateSecret'];
const disabling = 'before Secret Manager: DisableSecretVersion';

/**
 * A call that has been sent takes effect when the worker goes on: nothing that the worker looks at can keep it. With two
 * users, the first transaction looks and the second one sets the password. What is in a transaction comes last:
 * PostgreSQL ends a session that idles in one after half a lease.
 */
const moments: readonly (readonly [Kind, readonly string[]])[] = [
  [
    'two-user',
    [
      disabling,
      'before PostgreSQL: BEGIN',
      'before PostgreSQL: BEGIN (2)',
      proven,
      ...publication,
      'before PostgreSQL: COMMIT (2)',
    ],
  ],
  [
    'single-user',
    [
      `before ${add} of what is pending`,
      'before PostgreSQL: BEGIN',
      proven,
      ...publication,
      disabling,
      'before Secret Manager: DeleteSecret of what is pending',
      'before PostgreSQL: COMMIT',
    ],
  ],
  ['api-key', publication],
];

const prefixes: Readonly<Record<Kind, string>> = {
  'two-user': 'app-two',
  'single-user': 'app-one',
  'api-key': 'value-key',
};

const secretsFor = (kind: Kind, points: readonly string[]) =>
  points.map((_, index) => `${prefixes[kind]}-${index}`);

/** Freezes the first process while it is at many rotations, has the second one finish them, and lets the first go on. */
async function freezeAt(rotations: readonly Held[], meanwhile: () => Promise<void>): Promise<void> {
  const { stack } = chaos;
  const pid = stack.worker.pid();
  const opened = Promise.withResolvers<void>();
  const endGate = watch(stack, ({ call, phase }) =>
    call === 'Pub/Sub: push to successor' && phase === 'before' ? opened.promise : undefined,
  );
  const thawed = Promise.withResolvers<void>();
  try {
    await holdAll(chaos, rotations, thawed.promise);
    process.kill(pid, 'SIGSTOP');
    const leaseOver = delay(leaseSeconds * 1000);
    stack.firestore.advance(longSilenceSeconds);
    opened.resolve();
    for (const { id } of rotations) {
      const taken = await stack.ended('rotate-secret', id);
      expect.soft(taken.error ?? null, id).toBe(null);
      expect.soft(taken.epoch, `${id}, by the successor`).toBeGreaterThan(1);
    }
    await meanwhile();
    // By the clock of the process itself, which can't be moved.
    await leaseOver;
  } finally {
    endGate();
    opened.resolve();
    process.kill(pid, 'SIGCONT');
    thawed.resolve();
  }
  await stack.pubsub.idle();
  expect(stack.worker.starts(), 'the frozen process survived').toBe(1);
}

/** Once more where there is a window, and where a login's turn comes again. */
const cases = [false, true].flatMap((newer) =>
  moments
    .filter(([kind]) => !newer || kind === 'two-user')
    .map(([kind, points]) => ({ kind, points, newer, when: newer ? 'and somebody rotated once more' : '' })),
);

describe('a worker that is frozen past its lease in a rotation', () => {
  it.each(cases)(
    'breaks nothing after its successor published ($kind) $when',
    async ({ kind, points, newer }) => {
      const secrets = secretsFor(kind, points);
      const rotations = points.map((at, index) => {
        const secret = secrets[index] ?? '';
        return { secret, at, id: `frozen-${newer}-${secret}` };
      });
      await chaos.passGrace(...secrets);

      const taken = new Map<string, SecretState>();
      await freezeAt(rotations, async () => {
        if (newer) {
          await chaos.passGrace(...secrets);
          await Promise.all(secrets.map((secret) => chaos.rotated(secret, `newer-${secret}`)));
        }
        for (const secret of secrets) taken.set(secret, await chaos.look(secret));
      });

      for (const { secret, id, at } of rotations) {
        const state = await chaos.look(secret);
        const settled = taken.get(secret);
        expect.soft(state, `${secret}, frozen ${at}`).toMatchObject({
          broken: [],
          isLatest: true,
          previous: kind === 'single-user' ? undefined : true,
          current: settled?.current,
        });
        // A version that was on its way arrives; what doesn't work of it is taken back.
        if (at !== `before ${add}`) expect.soft(state, `${secret}, frozen ${at}`).toEqual(settled);
        expect.soft(await chaos.outcome(secret, id), `${secret}, frozen ${at}`).toMatchObject({
          history: 1,
          open: false,
          state: 'succeeded',
          reported: true,
        });
      }
    },
  );
});
