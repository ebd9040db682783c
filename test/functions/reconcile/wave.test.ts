import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseRotations, type Wave } from '../../../functions/reconcile/wave.ts';
import { type Breaker, everywhere } from '../../../shared/registry/secrets/breaker.ts';

const now = new Date('2026-05-01T12:00:00Z');
const instances = ['a', 'b', 'c', null] as const;

interface Due {
  readonly secret: string;
  readonly instance: string | null;
  readonly running: boolean;
}

const breaker = (scope: string, haltedForMs: number | null): Breaker => ({
  scope,
  failures: 5,
  haltedUntil: haltedForMs === null ? null : new Date(now.getTime() + haltedForMs),
  lastCode: 'LOGIN_NOT_FOUND',
  operations: [],
});

const halt = fc.constantFrom(null, -1, 60_000);

const waves: fc.Arbitrary<Wave<Due>> = fc
  .record({
    due: fc.array(fc.record({ instance: fc.constantFrom(...instances), running: fc.boolean() }), {
      maxLength: 30,
    }),
    others: fc.array(fc.constantFrom(...instances), { maxLength: 5 }),
    halts: fc.tuple(halt, halt, halt, halt),
    limits: fc.record({ all: fc.integer({ min: 1, max: 12 }), instance: fc.integer({ min: 1, max: 5 }) }),
  })
  .map(({ due, others, halts, limits }) => {
    const named = due.map((one, index) => ({ secret: `s${index}`, ...one }));
    const scopes = ['a', 'b', 'c', everywhere];
    return {
      due: named,
      running: [...named.filter(({ running }) => running), ...others.map((instance) => ({ instance }))].map(
        (one) => ({ ...one, since: now }),
      ),
      breakers: new Map(scopes.map((scope, index) => [scope, breaker(scope, halts[index] ?? null)])),
      limits,
      now,
    };
  });

const isHalted = (wave: Wave<Due>, scope: string) =>
  (wave.breakers.get(scope)?.haltedUntil?.getTime() ?? 0) > now.getTime();

const countOn = (list: readonly { instance: string | null }[], instance: string) =>
  list.filter((one) => one.instance === instance).length;

describe('a wave of rotations', () => {
  it('never has more under way than allowed, in all and on each instance, but for what already is', () => {
    fc.assert(
      fc.property(waves, (wave) => {
        const { chosen } = chooseRotations(wave);
        const all = wave.running.length + chosen.length;
        expect(all).toBeLessThanOrEqual(Math.max(wave.limits.all, wave.running.length));
        for (const instance of ['a', 'b', 'c']) {
          const before = countOn(wave.running, instance);
          const after = before + countOn(chosen, instance);
          expect(after).toBeLessThanOrEqual(Math.max(wave.limits.instance, before));
        }
      }),
    );
  });

  it('begins nothing that is under way, and nothing where rotations are halted', () => {
    fc.assert(
      fc.property(waves, (wave) => {
        const { chosen } = chooseRotations(wave);
        expect(chosen.filter(({ running }) => running)).toEqual([]);
        if (isHalted(wave, everywhere)) expect(chosen).toEqual([]);
        for (const { instance } of chosen) if (instance) expect(isHalted(wave, instance)).toBe(false);
      }),
    );
  });

  it('leaves nobody out for whom there is room', () => {
    fc.assert(
      fc.property(waves, (wave) => {
        const calm = { ...wave, breakers: new Map<string, Breaker>() };
        const { chosen } = chooseRotations(calm);
        if (calm.running.length + chosen.length >= calm.limits.all) return;
        for (const one of calm.due) {
          if (one.running || chosen.includes(one)) continue;
          expect(one.instance).not.toBeNull();
          const busy = countOn(calm.running, one.instance ?? '') + countOn(chosen, one.instance ?? '');
          expect(busy).toBeGreaterThanOrEqual(calm.limits.instance);
        }
      }),
    );
  });

  it('begins what is due longest first', () => {
    const due = ['first', 'second', 'third'].map((secret) => ({ secret, instance: 'a', running: false }));
    const { chosen } = chooseRotations({
      due,
      running: [],
      breakers: new Map(),
      limits: { all: 10, instance: 2 },
      now,
    });
    expect(chosen.map(({ secret }) => secret)).toEqual(['first', 'second']);
  });

  it('tries one at a time when a halt is over', () => {
    const due = ['first', 'second'].map((secret) => ({ secret, instance: 'a', running: false }));
    const breakers = new Map([['a', breaker('a', -1)]]);
    const { chosen, halted } = chooseRotations({
      due,
      running: [],
      breakers,
      limits: { all: 9, instance: 4 },
      now,
    });
    expect(chosen).toHaveLength(1);
    expect(halted).toEqual([]);
  });

  it('doesn’t wait for those that have hung since before the halt', () => {
    const due = [{ secret: 's', instance: 'a', running: false }];
    const breakers = new Map([['a', breaker('a', -1)]]);
    const hung = Array.from({ length: 4 }, () => ({
      instance: 'a',
      since: new Date(now.getTime() - 60_000),
    }));
    const { chosen } = chooseRotations({
      due,
      running: hung,
      breakers,
      limits: { all: 9, instance: 4 },
      now,
    });
    expect(chosen).toHaveLength(1);
  });

  it('says where rotations are halted', () => {
    const due = [{ secret: 's', instance: 'a', running: false }];
    const breakers = new Map([['a', breaker('a', 1000)]]);
    const { halted } = chooseRotations({ due, running: [], breakers, limits: { all: 9, instance: 4 }, now });
    expect(halted.map(({ scope }) => scope)).toEqual(['a']);
  });
});
