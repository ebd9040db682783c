import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Attempt, World } from './single-user.world.ts';

type Event = 'step' | 'crash' | 'touch';

const event = fc.constantFrom<Event>('step', 'step', 'step', 'crash', 'touch');

/** Whether a rotation is left to its end, or given up for good where its events end. */
const rotation = fc.record({ events: fc.array(event, { maxLength: 20 }), ends: fc.boolean() });

const rotations = fc.array(rotation, { minLength: 1, maxLength: 6 });

/** Holds at every moment. */
function check(world: World): void {
  const { current, latest, password, pending, secret } = world;
  if (secret.versions.length === 0) return;
  if (secret.current !== undefined && current === undefined) expect.fail('current is not enabled');
  if (!latest?.enabled) expect.fail('latest is not enabled');
  const works = [current, latest].map((version) => version === undefined || version.password === password);
  // Whoever comes next finds the password that closes the moment.
  if (works.includes(false) && pending !== password) expect.fail('nobody has the password');
}

function play(world: World, name: string, events: readonly Event[]): void {
  let attempt = new Attempt(world, name);
  for (const one of events) {
    if (one === 'crash') attempt = new Attempt(world, name);
    else if (one === 'touch') world.touch();
    else if (!attempt.step()) attempt = new Attempt(world, name);
    check(world);
  }
}

function finish(world: World, name: string): void {
  const attempt = new Attempt(world, name);
  while (attempt.step()) check(world);
}

describe('a rotation of one login that is broken off between any two steps', () => {
  it('is ended by the next attempt, and meanwhile the pending secret has the password that works', () => {
    fc.assert(
      fc.property(rotations, (all) => {
        const world = new World();
        for (const [index, { events, ends }] of all.entries()) {
          const before = world.current?.password;
          play(world, `r${index}`, events);
          if (!ends) continue;
          finish(world, `r${index}`);
          expect(world.password, 'another password').not.toBe(before);
          expect(world.current?.password).toBe(world.password);
          expect(world.enabled).toEqual([world.current]);
          expect(world.latest).toBe(world.current);
          expect(world.pending).toBeUndefined();
          expect(new Attempt(world, `r${index}`).next()).toEqual({ do: 'nothing' });
        }
      }),
      { numRuns: 500 },
    );
  });
});
