import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ObjectEvent } from '../../../../functions/ingest-object/message.ts';
import { ApiError } from '../../../../local/http/api-error.ts';
import { classify } from '../../../../shared/operation/classify.ts';
import type { OperationContext } from '../../../../shared/operation/definition.ts';
import { OperationError } from '../../../../shared/operation/errors.ts';
import { type Delivery, deleted, failureOf, finalized, image, later, routes, useWorld } from './world.ts';

const world = useWorld();

let count = 0;
let name: string;
beforeEach(() => {
  name = `photos/alice/original/${++count}/a.jpg`;
});

const killed = new OperationError('SHUTTING_DOWN', 'killed', { retryable: true });

/** A process that is killed at the `last` point it comes to: from there on nothing that it asks for is done or heard of. */
function mortal(last: number) {
  const controller = new AbortController();
  let points = 0;
  const isAlive = () => {
    points += 1;
    if (points === last) controller.abort(killed);
    return points < last;
  };
  const point = () => {
    if (!isAlive()) throw killed;
  };
  world.storage.intercept = () => {
    // Of those that the client repeats, one could come to life again later.
    if (!isAlive()) throw new ApiError(403, 'forbidden', 'nobody is there to hear it');
  };
  const as = (operation: OperationContext): OperationContext => ({
    ...operation,
    signal: AbortSignal.any([operation.signal, controller.signal]),
    assertHeld() {
      operation.assertHeld();
      point();
    },
    pools: {
      ...operation.pools,
      async withConnection(target, options, use) {
        point();
        const result = await operation.pools.withConnection(target, options, use);
        point();
        return result;
      },
    },
  });
  return { as, points: () => points };
}

/** What has to be true of an object, whatever happened to those who worked on its events. */
async function expectTruth(isShown?: boolean): Promise<void> {
  const there = await world.live(name);
  const live = (isShown ?? there?.bytes !== 5) ? there : undefined;
  const rows = await world.rows(name);
  expect(rows.map(({ generation }) => generation)).toEqual(live ? [live.generation] : []);
  const named = rows.flatMap(({ previews }) => previews.map(({ object }) => object));
  expect((await world.previewsOf(name)).sort()).toEqual(named.sort());
}

const small = { name: 'small', width: 16, formats: ['jpeg' as const, 'webp' as const], quality: 80 };

/** The fewer previews there are, the fewer are the points to be killed at. */
const route = { ...routes.users, previews: [small] };

const deliver = (event: ObjectEvent, delivery: Delivery = {}) => world.deliver(event, { ...delivery, route });

/** Delivers an event to a process that is killed, and to others until it ends. */
async function survive(event: ObjectEvent, id: string, lives: readonly number[]): Promise<boolean> {
  for (const last of lives) {
    const { as, points } = mortal(last);
    const ended = await deliver(event, { id, as }).then(
      () => undefined,
      (error: unknown) => classify(error),
    );
    world.storage.intercept = undefined;
    if (points() < last) return false;
    expect(ended).toMatchObject({ code: 'SHUTTING_DOWN' });
  }
  await deliver(event, { id }).catch((error: unknown) =>
    expect(error).toMatchObject({ code: 'NOT_AN_IMAGE' }),
  );
  return true;
}

interface Scenario {
  /** @returns what happened to the object last */
  readonly event: () => Promise<ObjectEvent>;
  /** To so many points it comes at least. */
  readonly points: number;
}

const scenarios: Readonly<Record<string, Scenario>> = {
  'a new image': {
    points: 14,
    event: async () => finalized(await world.put(name, await image())),
  },
  'an image in the place of another': {
    points: 20,
    async event() {
      await deliver(finalized(await world.put(name, await image())));
      return finalized(await world.put(name, await image('png')));
    },
  },
  'what is no image in the place of one': {
    points: 20,
    async event() {
      await deliver(finalized(await world.put(name, await image())));
      return finalized(await world.put(name, Buffer.from('hello')));
    },
  },
  'a deletion': {
    points: 10,
    async event() {
      const put = await world.put(name, await image());
      await deliver(finalized(put));
      await world.remove(name);
      return deleted(put);
    },
  },
};

describe('a process that is killed anywhere', () => {
  it.each(Object.entries(scenarios))(
    'at %s leaves nothing behind after redelivery',
    async (_, { event, points: least }) => {
      // Whatever happens once in a process has happened.
      await deliver(finalized(await world.put(name, await image())));
      for (let last = 1; ; last += 1) {
        name = `photos/alice/original/${++count}/a.jpg`;
        const told = await event();
        const isKilled = await survive(told, `killed-${count}`, [last]);
        await expectTruth();
        if (isKilled) continue;
        expect(last).toBeGreaterThan(least);
        return;
      }
    },
  );

  it('and again, at whatever happens to an object, told in whichever order, leaves what is true', async () => {
    const step = fc.constantFrom('image', 'text', 'removal');
    const lives = fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 2 });
    const told = fc.array(fc.record({ lives, place: fc.double({ noNaN: true }) }), {
      minLength: 8,
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 4 }), told, async (steps, telling) => {
        name = `photos/alice/original/${++count}/a.jpg`;
        const events: ObjectEvent[] = [];
        for (const what of steps) {
          const before = await world.live(name);
          if (what === 'removal') await world.remove(name);
          else
            events.push(
              finalized(await world.put(name, what === 'image' ? await image() : Buffer.from('text'))),
            );
          // Of one that is overwritten it is told, too.
          if (before) events.push(deleted(before));
        }
        const inOrder = events
          .map((event, index) => ({ event, ...telling[index] }))
          .sort((a, b) => (a.place ?? 0) - (b.place ?? 0));
        for (const [index, one] of inOrder.entries())
          await survive(one.event, `told-${count}-${index}`, one.lives ?? []);
        await expectTruth(steps.at(-1) === 'image');
      }),
      { numRuns: 20 },
    );
  });
});

describe('an upload that fails', () => {
  it('is tried again with the next delivery', async () => {
    const put = await world.put(name, await image());
    let uploads = 0;
    world.storage.intercept = ({ method, phase }) => {
      if (method === 'objects.insert' && phase === 'before' && ++uploads > 1)
        throw new ApiError(401, 'authError', 'not now');
    };

    const error = await failureOf(world.deliver(finalized(put), { id: 'again' }));
    expect(error).toMatchObject({ code: 'GOOGLE_UNAUTHENTICATED', retryable: true });
    expect(await world.rows(name)).toEqual([]);

    world.storage.intercept = undefined;
    await world.deliver(finalized(put), { id: 'again' });
    await expectTruth();
  });

  it('for good leaves what was before, and what was uploaded to who comes next', async () => {
    const first = await world.put(name, await image());
    await world.deliver(finalized(first));
    const before = (await world.previews()).sort();
    const second = await world.put(name, await image());
    world.storage.intercept = ({ method, phase, request }) => {
      if (method === 'objects.insert' && phase === 'before' && String(request['name']).endsWith('.png'))
        throw new ApiError(403, 'forbidden', 'never');
    };

    const error = await failureOf(world.deliver(finalized(second)));

    expect(error).toMatchObject({ code: 'GOOGLE_PERMISSION_DENIED', retryable: false });
    expect(await world.rows(name)).toMatchObject([{ generation: first.generation }]);
    expect(await world.previews()).toEqual(expect.arrayContaining(before));

    world.storage.intercept = undefined;
    await world.deliver(finalized(second));
    await expectTruth();
  });

  it('leaves none under way', async () => {
    const put = await world.put(name, await image());
    const underWay = new Set<unknown>();
    world.storage.intercept = async ({ method, phase, request }) => {
      if (method !== 'objects.insert') return;
      if (phase === 'before') underWay.add(request['name']);
      if (String(request['name']).endsWith('.png')) throw new ApiError(403, 'forbidden', 'never');
      if (phase === 'after') underWay.delete(request['name']);
    };

    await failureOf(world.deliver(finalized(put)));

    expect([...underWay].map(String)).toEqual([expect.stringMatching(/\.png$/)]);
    world.storage.intercept = undefined;
    await world.deliver(finalized(put));
    await expectTruth();
  });
});

it('a worker that lost its lease writes no row', async () => {
  const put = await world.put(name, await image());
  const lost = new OperationError('LEASE_LOST', 'another has it', { retryable: true });
  let isLost = false;
  world.storage.intercept = ({ method, phase }) => {
    if (method === 'objects.insert' && phase === 'after') isLost = true;
  };
  const as = (operation: OperationContext): OperationContext => ({
    ...operation,
    assertHeld() {
      if (isLost) throw lost;
    },
  });

  expect(await failureOf(world.deliver(finalized(put), { as }))).toBe(lost);
  expect(await world.rows(name)).toEqual([]);

  world.storage.intercept = undefined;
  await world.deliver(finalized(put));
  await expectTruth();
});

it('previews of a recipe that was given up half way go', async () => {
  const put = await world.put(name, await image());
  await world.deliver(finalized(put));
  const { as } = mortal(14);
  expect(await failureOf(deliver(finalized(put), { as }))).toMatchObject({ code: 'SHUTTING_DOWN' });
  world.storage.intercept = undefined;

  await later(() => world.deliver(finalized(put)));

  await expectTruth();
});
