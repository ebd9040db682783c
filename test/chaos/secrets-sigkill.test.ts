import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GrpcError } from '../../local/grpc/server.ts';
import { pendingId } from '../../shared/secrets/pending.ts';
import { watch } from './points.ts';
import {
  type Held,
  holdAll,
  type Kind,
  labels,
  type SecretChaos,
  type SecretState,
  startSecretChaos,
} from './secrets.ts';
import { longSilenceSeconds } from './stack.ts';

/**
 * What a rotation does that others could see, in order. What comes before and after is the life of any message:
 * ./sigkill.test.ts has that.
 */
const [begin, commit] = ['PostgreSQL: BEGIN', 'PostgreSQL: COMMIT'];
const change = ['PostgreSQL: ALTER ROLE', 'PostgreSQL: COMMENT ON'];
const set = [begin, ...change, commit];
/** Whether the login is in use, before its version is disabled. */
const lookedAndSet = (disabling: string) => [
  begin,
  commit,
  disabling,
  `${begin} (2)`,
  ...change,
  `${commit} (2)`,
];
const proof = ['Startup', 'Password', 'Password (2)', 'SELECT'].map((step) => `proof: ${step}`);
const begun = ['Firestore: secret'];
const settled = ['Firestore: secret (2)'];
const add = 'Secret Manager: AddSecretVersion';
const disable = 'Secret Manager: DisableSecretVersion';
const move = 'Secret Manager: UpdateSecret';
const steps: Readonly<Record<Kind, readonly string[]>> = {
  'two-user': [...begun, ...lookedAndSet(disable), ...proof, add, move, ...settled],
  'single-user': [
    ...begun,
    'Secret Manager: CreateSecret of what is pending',
    `${add} of what is pending`,
    ...set,
    ...proof,
    add,
    move,
    disable,
    'Secret Manager: DeleteSecret of what is pending',
    ...settled,
  ],
  'api-key': [...begun, add, move, ...settled],
};

const names = (count: number, kind: string) => Array.from({ length: count }, (_, n) => `${kind}-${n}`);

/** Killed together: many rotations, each at another point of its life. */
const fleet: Readonly<Record<Kind, readonly string[]>> = {
  'two-user': names(5, 'app-two'),
  'single-user': names(5, 'app-one'),
  'api-key': names(2, 'value-key'),
};

let chaos: SecretChaos;

beforeAll(async () => {
  // Who is held keeps its connection.
  chaos = await startSecretChaos({ environment: { DROVER_CONNECTIONS_PER_INSTANCE: '60' } });
  await Promise.all(Object.entries(fleet).map(([kind, secrets]) => chaos.create(kind as Kind, ...secrets)));
});

afterAll(() => chaos.stop());

const each = Object.entries(fleet) as [Kind, readonly string[]][];
const all = each.flatMap(([, secrets]) => secrets);

/** Of two points between which nothing happens that others could see, one. */
function pointsOf(kind: Kind): string[] {
  return steps[kind].flatMap((step) => {
    // Before it, the transaction holds a lock in the registry.
    if (step.startsWith('Firestore: ')) return [`before ${step}`, `after ${step}`];
    // The statements of a change are sent without waiting for each other's answers, and none counts before COMMIT.
    if (step === 'PostgreSQL: ALTER ROLE') return [`before ${step}`];
    return [`after ${step}`];
  });
}

interface Victim extends Held {
  readonly kind: Kind;
}

/** Lets each come to its point, and kills the process that has them all. */
async function killTogether(victims: readonly Victim[]): Promise<{ goOn(): Promise<void> }> {
  const { stack } = chaos;
  const dead = Promise.withResolvers<void>();
  await holdAll(chaos, victims, dead.promise);
  const opened = Promise.withResolvers<void>();
  const endGate = watch(stack, ({ call, phase }) =>
    call === 'Pub/Sub: push' && phase === 'before' ? opened.promise : undefined,
  );
  const [exited, restarted] = [stack.worker.exited(), stack.worker.restarted()];
  process.kill(stack.worker.pid(), 'SIGKILL');
  await exited;
  dead.reject(new GrpcError(status.UNAVAILABLE, 'the function was killed here'));
  return {
    async goOn() {
      await restarted;
      // The dead are silent: the lease ends, and so does a transaction that was open.
      stack.firestore.advance(longSilenceSeconds);
      endGate();
      opened.resolve();
      await stack.pubsub.idle();
    },
  };
}

/**
 * What holds at a point, and goes on to hold while nobody works on the secret.
 *
 * @param order of the rotation's points, as far as they matter
 */
async function expectUsable(
  { secret, kind, at }: Victim,
  was: SecretState,
  is: SecretState,
  order: string[],
) {
  const what = `${secret}, ${at}`;
  if (kind !== 'single-user') {
    expect.soft(is.broken, what).toEqual([]);
    return;
  }
  const isPast = (point: string) => order.includes(point) && order.indexOf(at) >= order.indexOf(point);
  const isSet = isPast(`after ${commit}`);
  const isMoved = isPast(`after ${move}`);
  expect.soft(is.broken.includes('current'), `current of ${what}`).toBe(isSet && !isMoved);
  expect.soft(is.broken.includes('latest'), `latest of ${what}`).toBe(isSet && !isPast(`after ${add}`));
  // Until it is published, the password is to be found where the next attempt looks.
  if (isSet && !isMoved) {
    const pending = await chaos.secrets.value(pendingId(secret), 'latest');
    expect.soft(await chaos.logsIn(was.login ?? '', pending), `pending of ${what}`).toBe(true);
  }
}

const look = async (victims: readonly Victim[]) =>
  new Map(await Promise.all(victims.map(async ({ secret }) => [secret, await chaos.look(secret)] as const)));

const batches = Array.from({ length: Math.max(...each.map(batchesOf)) }, (_, batch): Victim[] =>
  each.flatMap(([kind, secrets]) =>
    secrets.flatMap((secret, index) => {
      const at = pointsOf(kind)[batch * secrets.length + index];
      return at === undefined ? [] : [{ secret, kind, at, id: `killed-${batch}-${secret}` }];
    }),
  ),
);

function batchesOf([kind, secrets]: [Kind, readonly string[]]): number {
  return Math.ceil(pointsOf(kind).length / secrets.length);
}

describe('a rotation', () => {
  it.each(each)(
    'of kind %s has these steps, and its credentials work all along',
    async (kind, [secret = '']) => {
      const met: string[] = [];
      const before = await chaos.look(secret);
      const label = labels();
      const end = watch(chaos.stack, async (point) => {
        const at = label(point);
        if (at === undefined) return;
        met.push(at);
        await expectUsable({ secret, kind, at, id: 'undisturbed' }, before, await chaos.look(secret), met);
      });
      await chaos.rotated(secret, `undisturbed-${secret}`);
      await chaos.stack.pubsub.idle();
      end();
      const begun = met.filter((at) => at.startsWith('before ')).map((at) => at.replace('before ', ''));
      expect(begun).toEqual(steps[kind]);
    },
  );

  it.each(batches.map((victims, batch) => ({ batch, victims })))(
    'goes on after a SIGKILL where it was (batch $batch)',
    async ({ victims }) => {
      await chaos.passGrace(...all);
      const before = await look(victims);
      const { goOn } = await killTogether(victims);
      const killed = await look(victims);
      for (const victim of victims) {
        const [was, is] = [before, killed].map((states) => states.get(victim.secret) as SecretState);
        if (was && is) await expectUsable(victim, was, is, pointsOf(victim.kind));
      }
      await goOn();

      const after = await look(victims);
      for (const { secret, kind, id, at } of victims) {
        const [was, is] = [before.get(secret), after.get(secret)] as [SecretState, SecretState];
        const versions = was.versions + 1;
        expect.soft({ ...is, ...(await chaos.outcome(secret, id)) }, `${secret}, ${at}`).toEqual({
          versions,
          current: expect.any(String),
          login: kind === 'two-user' ? expect.not.stringMatching(was.login ?? '') : was.login,
          broken: [],
          // With one login, what was current doesn't work any more.
          previous: kind === 'single-user' ? undefined : true,
          isLatest: true,
          state: 'succeeded',
          code: undefined,
          reported: true,
          history: 1,
          open: false,
          currentVersion: versions,
        });
        expect.soft(is.current, `of ${secret} is another one: ${at}`).not.toBe(was.current);
      }
    },
  );
});
