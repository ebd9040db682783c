import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GrpcError } from '../../local/grpc/server.ts';
import { hold, watch } from './points.ts';
import { holdAll, type Kind, type SecretChaos, startSecretChaos } from './secrets.ts';

const secrets: readonly (readonly [Kind, string])[] = [
  ['two-user', 'app-two'],
  ['single-user', 'app-one'],
  ['api-key', 'value-key'],
];

/** The calls by which a rotation changes something in Secret Manager. */
const publication = ['Secret Manager: AddSecretVersion', 'Secret Manager: UpdateSecret'];
const disable = 'Secret Manager: DisableSecretVersion';
const ofPending = (method: string) => `Secret Manager: ${method} of what is pending`;
const writes: Readonly<Record<string, readonly string[]>> = {
  'two-user': [disable, ...publication],
  'single-user': [
    ofPending('CreateSecret'),
    ofPending('AddSecretVersion'),
    ...publication,
    disable,
    ofPending('DeleteSecret'),
  ],
  'api-key': publication,
};
/** A key's calls are among those of two users. */
const ofLogins = secrets.filter(([kind]) => kind !== 'api-key');
const eachWrite = ofLogins.flatMap(([kind, secret]) =>
  (writes[kind] ?? []).map((call) => ({ kind, secret, call, name: call.replace('Secret Manager: ', '') })),
);

/** Calls that an outage breaks: more than one of each kind, so that attempts after the first meet it, too. */
const mostBroken = 5;

let chaos: SecretChaos;

beforeAll(async () => {
  chaos = await startSecretChaos();
  await Promise.all(secrets.map(([kind, secret]) => chaos.create(kind, secret)));
});

afterAll(() => chaos.stop());

/** Something goes wrong while secrets are rotated: each has one credential more in the end, and all of them work. */
async function expectRotated(
  rotations: readonly { kind: Kind; secret: string; id: string }[],
  during: () => unknown,
) {
  const names = rotations.map(({ secret }) => secret);
  await chaos.passGrace(...names);
  const before = await Promise.all(names.map((secret) => chaos.look(secret)));
  await during();
  await chaos.stack.pubsub.idle();
  for (const [index, { kind, secret, id }] of rotations.entries()) {
    const was = before[index];
    const is = await chaos.look(secret);
    expect.soft({ ...is, ...(await chaos.outcome(secret, id)) }, `${secret}: ${id}`).toMatchObject({
      versions: (was?.versions ?? 0) + 1,
      currentVersion: is.versions,
      broken: [],
      isLatest: true,
      previous: kind === 'single-user' ? undefined : true,
      state: 'succeeded',
      reported: true,
      history: 1,
      open: false,
    });
    expect.soft(is.current, `${secret} has another one`).not.toBe(was?.current);
    if (kind === 'two-user') expect.soft(is.login).not.toBe(was?.login);
  }
}

/** Resolves when so many pushes were not acknowledged. */
function refusedPushes(count: number): Promise<void> {
  return new Promise((resolve) => {
    let seen = 0;
    const end = watch(chaos.stack, ({ call, phase, answer }) => {
      if (call !== 'Pub/Sub: push' || phase !== 'after' || Number(answer) < 300) return;
      seen += 1;
      if (seen < count) return;
      end();
      resolve();
    });
  });
}

describe('a rotation', () => {
  it.each(eachWrite)('of kind $kind goes on after Secret Manager was away from $name on', async (one) => {
    const id = `away-${one.kind}-${one.name.replaceAll(/\W/g, '')}`;
    await expectRotated([{ ...one, id }], async () => {
      let broken = 0;
      const end = watch(chaos.stack, ({ call, phase }) => {
        if (phase !== 'before' || !call.startsWith('Secret Manager: ')) return;
        if (broken === 0 && call !== one.call) return;
        broken += 1;
        if (broken === mostBroken) end();
        throw new GrpcError(status.UNAVAILABLE, 'Secret Manager is away');
      });
      await chaos.rotate(one.secret, id);
      await chaos.stack.pubsub.idle();
      expect(broken).toBe(mostBroken);
    });
  });

  it.each(eachWrite)('of kind $kind adds nothing twice where the answer to $name is lost', async (one) => {
    const id = `lost-${one.kind}-${one.name.replaceAll(/\W/g, '')}`;
    await expectRotated([{ ...one, id }], async () => {
      const lost = Promise.withResolvers<void>();
      const end = watch(chaos.stack, ({ call, phase }) => {
        if (call !== one.call || phase !== 'after') return;
        end();
        lost.resolve();
        throw new GrpcError(status.UNAVAILABLE, 'the answer was lost');
      });
      await chaos.rotate(one.secret, id);
      await lost.promise;
    });
  });

  it('waits for a quota within one delivery, where that is soon enough', async () => {
    const rotations = secrets.map(([kind, secret]) => ({ kind, secret, id: `quota-${kind}` }));
    const refused = new Map<string, number>();
    await expectRotated(rotations, async () => {
      const end = watch(chaos.stack, ({ call, phase }) => {
        if (phase !== 'before' || !Object.values(writes).flat().includes(call)) return;
        const times = (refused.get(call) ?? 0) + 1;
        refused.set(call, times);
        if (times <= 2) throw new GrpcError(status.RESOURCE_EXHAUSTED, 'too many writes');
      });
      for (const { secret, id } of rotations) await chaos.rotate(secret, id);
      await chaos.stack.pubsub.idle();
      end();
    });
    expect(Math.min(...refused.values())).toBeGreaterThan(2);
    for (const { id } of rotations)
      expect((await chaos.stack.record('rotate-secret', id))?.epoch, id).toBe(1);
  });

  it('comes again where a quota is used up for longer', async () => {
    const rotations = secrets.map(([kind, secret]) => ({ kind, secret, id: `long-quota-${kind}` }));
    await expectRotated(rotations, async () => {
      const end = watch(chaos.stack, ({ call, phase }) => {
        if (phase === 'before' && /: (Add|Update)/.test(call))
          throw new GrpcError(status.RESOURCE_EXHAUSTED, 'too many writes');
      });
      const refused = refusedPushes(rotations.length);
      for (const { secret, id } of rotations) await chaos.rotate(secret, id);
      await refused;
      end();
    });
    for (const { id } of rotations)
      expect((await chaos.stack.record('rotate-secret', id))?.epoch, id).toBeGreaterThan(1);
  });

  it.each([
    {
      moment: 'between the change of the password and its proof',
      at: ['before proof: Startup', 'before proof: Startup'],
      lost: false,
    },
    {
      moment: 'while it answers the COMMIT',
      at: ['after PostgreSQL: COMMIT (2)', 'after PostgreSQL: COMMIT'],
      lost: true,
    },
  ])('goes on after PostgreSQL was down $moment', async ({ at, lost }) => {
    const { cluster } = chaos.stack;
    const rotations = secrets
      .filter(([kind]) => kind !== 'api-key')
      .map(([kind, secret], index) => ({ kind, secret, at: at[index] ?? '', id: `down-${lost}-${kind}` }));
    await expectRotated(rotations, async () => {
      const goOn = Promise.withResolvers<void>();
      await holdAll(chaos, rotations, goOn.promise);
      const refused = refusedPushes(rotations.length);
      await cluster.stop('immediate');
      if (lost) goOn.reject(new Error('the connection broke'));
      else goOn.resolve();
      await refused;
      await cluster.start();
    });
  });
});

describe('rotations of one secret', () => {
  it.each(secrets)('of kind %s: of ten at once, one is done', async (kind, secret) => {
    const { stack } = chaos;
    const before = await chaos.look(secret);
    await chaos.passGrace(secret);
    const ids = Array.from({ length: 10 }, (_, index) => `at-once-${kind}-${index}`);
    await Promise.all(ids.map((id) => chaos.rotate(secret, id)));
    await stack.pubsub.idle();
    const records = await Promise.all(ids.map((id) => stack.record('rotate-secret', id)));
    const ends = records.map((record) => record?.error?.code ?? record?.state);
    expect(ends.filter((end) => end === 'succeeded')).toHaveLength(1);
    expect(ends.filter((end) => end === 'ROTATION_UNDER_WAY' || end === 'GRACE_PERIOD')).toHaveLength(9);
    expect(await chaos.look(secret)).toMatchObject({
      versions: before.versions + 1,
      broken: [],
      isLatest: true,
      previous: kind === 'single-user' ? undefined : true,
    });
  });

  const looked = ofLogins.map(([kind, secret]) => ({ kind, secret, force: kind === 'two-user' }));

  it.each(looked)(
    'of kind $kind: one that looked before another was done breaks nothing (force: $force)',
    async ({ kind, secret, force }) => {
      const { stack } = chaos;
      const id = `looked-${force}-${kind}`;
      const before = await chaos.look(secret);
      await chaos.passGrace(secret);
      const looking = hold(stack, 'Secret Manager: GetSecret', 'after');
      await chaos.rotate(secret, id, { force });
      await looking.met;
      await chaos.rotated(secret, `${id}-other`);
      looking.letGo();
      const record = await stack.ended('rotate-secret', id);
      expect(record.error?.code ?? record.state).toBe(force ? 'succeeded' : 'GRACE_PERIOD');
      expect(await chaos.look(secret)).toMatchObject({
        versions: before.versions + (force ? 2 : 1),
        broken: [],
        isLatest: true,
        previous: kind === 'single-user' ? undefined : true,
      });
    },
  );
});
