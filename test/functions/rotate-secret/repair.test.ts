import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planRepair } from '../../../functions/rotate-secret/repair.ts';

interface Version {
  readonly number: number;
  readonly login: string;
  readonly password: string;
}

const login = fc.constantFrom('a', 'b');
const password = fc.constantFrom('p', 'q', 'r');
const worlds = fc.record({
  versions: fc.array(fc.record({ login, password }), { maxLength: 6 }).chain((some) =>
    fc
      .shuffledSubarray(
        some.map((_, index) => index + 1),
        { minLength: some.length },
      )
      .map((numbers) => some.map((one, index) => ({ ...one, number: numbers[index] ?? 0 }))),
  ),
  /** Of no use as a credential. */
  rubbish: fc.uniqueArray(fc.integer({ min: 10, max: 15 }), { maxLength: 2 }),
  passwords: fc.record({ a: password, b: password }),
  current: fc.option(fc.integer({ min: 1, max: 15 }), { nil: undefined }),
});

type World = typeof worlds extends fc.Arbitrary<infer T> ? T : never;

const works = ({ passwords }: { readonly passwords: Record<string, string> }, one: Version) =>
  passwords[one.login] === one.password;

function planOf(world: World) {
  const all = world.versions.map(({ number, login, password }) => ({
    number,
    createdAt: new Date(0),
    credential: { username: login, password },
  }));
  const isWorking = ({ number, credential }: (typeof all)[number]) =>
    works(world, { number, login: credential.username, password: credential.password });
  const verified = {
    working: all.filter(isWorking),
    broken: all.filter((one) => !isWorking(one)),
    unusable: world.rubbish.map((number) => ({ number, problem: 'is not JSON' })),
  };
  return planRepair(verified, world.current);
}

/** Checks a plan for any world that has one. */
const whatever = (check: (world: World, plan: NonNullable<ReturnType<typeof planOf>>) => void) =>
  fc.assert(
    fc.property(worlds, (world) => {
      const plan = planOf(world);
      if (plan) check(world, plan);
      else expect(world.versions).toEqual([]);
    }),
    { numRuns: 2000 },
  );

describe('a repair', () => {
  it('leaves enabled only what works afterwards', () => {
    whatever((world, { restore, disable, current }) => {
      const passwords: Record<string, string> = { ...world.passwords };
      for (const { credential } of restore) passwords[credential.username] = credential.password;
      const enabled = world.versions.filter(({ number }) => !disable.includes(number));
      for (const version of enabled) expect(works({ passwords }, version), `${version.number}`).toBe(true);
      expect(disable).toEqual(expect.arrayContaining(world.rubbish));
      expect(enabled.map(({ number }) => number)).toContain(current);
    });
  });

  it('keeps the current version wherever it is a credential, else the newest', () => {
    whatever(({ versions, current: before }, { current }) => {
      const numbers = versions.map(({ number }) => number);
      const isCredential = before !== undefined && numbers.includes(before);
      expect(current).toBe(isCredential ? before : Math.max(...numbers));
    });
  });

  it('keeps a version of every login that one names', () => {
    whatever(({ versions }, { disable }) => {
      const kept = versions.filter(({ number }) => !disable.includes(number));
      expect(new Set(kept.map(({ login }) => login))).toEqual(new Set(versions.map(({ login }) => login)));
    });
  });

  it('changes no password without need, and none twice', () => {
    whatever((world, { restore }) => {
      const logins = restore.map(({ credential }) => credential.username);
      expect(new Set(logins).size).toBe(logins.length);
      for (const { number, credential } of restore) {
        expect(works(world, { number, login: credential.username, password: credential.password })).toBe(
          false,
        );
      }
    });
  });

  it('does nothing where all is well', () => {
    whatever((world, plan) => {
      if (world.rubbish.length > 0 || !world.versions.every((one) => works(world, one))) return;
      expect(plan).toMatchObject({ restore: [], disable: [] });
    });
  });

  it('disables nothing that has the password that its login gets', () => {
    whatever(({ versions }, { restore, disable }) => {
      for (const { credential } of restore) {
        const same = versions.filter(
          ({ login, password }) => login === credential.username && password === credential.password,
        );
        for (const { number } of same) expect(disable).not.toContain(number);
      }
    });
  });
});
