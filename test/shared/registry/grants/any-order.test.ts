import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GrantSetWish } from '../../../../shared/registry/grants/merge.ts';
import { grantKey } from '../../../../shared/registry/grants/model.ts';
import { isOlder } from '../../../../shared/registry/intents.ts';
import { minute, World } from './world.ts';

const grant = fc.record(
  {
    principal: fc.constantFrom('alice', 'bob', 'carol'),
    kind: fc.constant('login' as const),
    role: fc.constantFrom('reader', 'writer'),
    expiresAt: fc.integer({ min: 1, max: 40 }).map(minute),
  },
  { requiredKeys: ['principal', 'kind', 'role'] },
);
const lasting = grant.map(({ expiresAt: _, ...rest }) => rest);

interface Message {
  readonly wish: GrantSetWish;
  readonly impossible: boolean;
}

/** Messages in an order of their own, by time or by revision. */
const messagesOf = (grants: typeof lasting | typeof grant): fc.Arbitrary<Message[]> =>
  fc
    .record({
      said: fc.array(
        fc.record({
          mode: fc.constantFrom('add' as const, 'add' as const, 'exact' as const, 'revoke' as const),
          grants: fc.uniqueArray(grants, { minLength: 1, maxLength: 3, selector: grantKey }),
          impossible: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
        }),
        { minLength: 1, maxLength: 6 },
      ),
      times: fc.shuffledSubarray([1, 2, 3, 4, 5, 6], { minLength: 6 }),
      revisions: fc.option(fc.shuffledSubarray([1, 2, 3, 4, 5, 6], { minLength: 6 }), { nil: undefined }),
    })
    .map(({ said, times, revisions }) =>
      said.map(({ mode, grants, impossible }, index) => ({
        impossible,
        wish: {
          mode,
          grants,
          customRoles: [],
          author: {
            operation: `m${index}`,
            publishedAt: minute(times[index] ?? 0),
            ...(revisions ? { revision: revisions[index] ?? 0 } : {}),
          },
        },
      })),
    );

/** What happens to which of them: steps are the most of it. */
const scheduleOf = (others: readonly string[]) =>
  fc.array(
    fc.record({
      who: fc.nat({ max: 7 }),
      what: fc.constantFrom('step', 'step', 'step', 'step', 'step', 'crash', ...others),
    }),
    { maxLength: 40 },
  );

async function play(
  world: World,
  messages: readonly Message[],
  schedule: readonly { who: number; what: string }[],
): Promise<void> {
  for (const { wish, impossible } of messages) world.ask(wish, impossible);
  for (const { who, what } of schedule) {
    if (what === 'expire') world.askExpiry(`x${world.workers.size}`);
    if (what === 'tick') world.tick(7);
    const operation = [...world.workers.keys()][who];
    if (operation === undefined) continue;
    if (what === 'step') await world.step(operation);
    if (what === 'crash') world.crash(operation);
    if (what === 'give up') world.giveUp(operation);
  }
  await world.finish();
  world.undoAbandoned();
}

/** What those that succeeded come to, one after the other. */
function fold(world: World, messages: readonly Message[]): Map<string, Date | undefined> {
  const done = messages
    .map(({ wish }) => wish)
    .filter(({ author }) => world.worker(author.operation).ending === 'succeeded')
    .sort((one, other) => (isOlder(one.author, other.author) ? -1 : 1));
  const there = new Map<string, Date | undefined>();
  for (const { mode, grants } of done) {
    if (mode === 'exact') there.clear();
    for (const one of grants) {
      if (mode === 'revoke') there.delete(grantKey(one));
      else there.set(grantKey(one), one.expiresAt);
    }
  }
  return there;
}

const sorted = (grants: Iterable<readonly [string, Date | undefined]>) =>
  [...grants].sort(([one], [other]) => (one < other ? -1 : 1));

describe('messages in any order, repeated, failing and broken off between any two steps', () => {
  it('end as those that succeeded would one after the other, in the registry and in the catalog', async () => {
    await fc.assert(
      fc.asyncProperty(messagesOf(lasting), scheduleOf(['give up']), async (messages, schedule) => {
        const world = new World();
        await play(world, messages, schedule);

        const expected = sorted(fold(world, messages));
        expect(sorted(world.present())).toEqual(expected);
        expect([...world.catalog].sort()).toEqual(expected.map(([key]) => key));
        expect(Object.values(world.set.grants).filter(isOpenOf(world, 'succeeded'))).toEqual([]);
      }),
      { numRuns: 2000 },
    );
  });

  it('fail only where they are impossible', async () => {
    await fc.assert(
      fc.asyncProperty(messagesOf(lasting), scheduleOf([]), async (messages, schedule) => {
        const world = new World();
        await play(world, messages, schedule);
        for (const { wish, impossible } of messages) {
          if (!impossible) expect(world.worker(wish.author.operation).ending).toBe('succeeded');
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('expiry among them', () => {
  it('takes back what is over and was not renewed, and nothing else, in both or in neither', async () => {
    await fc.assert(
      fc.asyncProperty(
        messagesOf(grant),
        scheduleOf(['tick', 'tick', 'expire', 'expire', 'give up']),
        async (messages, schedule) => {
          const world = new World();
          await play(world, messages, schedule);
          world.askExpiry('the last');
          await world.finish();

          const over = minute(world.now);
          const stay = [...fold(world, messages)].filter(([, end]) => end === undefined || end > over);
          expect(sorted(world.present())).toEqual(sorted(stay));
          expect([...world.catalog].sort()).toEqual(sorted(stay).map(([key]) => key));
        },
      ),
      { numRuns: 2000 },
    );
  });
});

function isOpenOf(world: World, ending: string) {
  return ({ value, undecided }: { value: { operation: string }; undecided?: boolean }) =>
    undecided && world.worker(value.operation).ending === ending;
}
