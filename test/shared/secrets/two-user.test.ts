import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextStep } from '../../../shared/secrets/two-user.ts';
import { Attempt, must, World } from './two-user.world.ts';

type Event = 'step' | 'crash' | 'sleep' | 'arrive' | 'touch' | 'retire';

/** What happens during a rotation, until it is left alone and ends. */
const rotations = (...others: readonly Event[]) =>
  fc.array(fc.array(fc.constantFrom<Event>('step', 'step', 'step', ...others), { maxLength: 20 }), {
    minLength: 1,
    maxLength: 6,
  });

/** Plays a rotation. @param check called after everything that happens */
function play(world: World, rotation: string, events: readonly Event[], check: () => void): void {
  let attempt = new Attempt(world, rotation);
  for (const event of events) {
    if (event === 'step' && !attempt.step()) attempt = new Attempt(world, rotation);
    if (event === 'crash') attempt = new Attempt(world, rotation);
    if (event === 'sleep') {
      attempt.sleep();
      attempt = new Attempt(world, rotation);
    }
    if (event === 'arrive') world.underWay.shift()?.();
    if (event === 'touch') world.touch();
    check();
  }
  finish(world, rotation, check);
}

function finish(world: World, rotation: string, check: () => void): void {
  let attempt = new Attempt(world, rotation);
  for (let refused = 0; world.secret.movedBy !== rotation || attempt.next().do !== 'nothing'; ) {
    if (!attempt.step()) {
      attempt = new Attempt(world, rotation);
      refused += 1;
      expect(refused).toBeLessThan(5);
    }
    check();
  }
}

describe('a rotation of two logins that is broken off between any two steps', () => {
  it('leaves every enabled version working at every moment, and ends with the other login', () => {
    fc.assert(
      fc.property(rotations('crash', 'touch'), fc.array(fc.boolean()), (all, retired) => {
        const world = new World();
        const check = () => {
          for (const version of world.enabled) must(world.works(version), `version ${version.number} works`);
          must(world.secret.current === undefined || world.current, 'current is enabled');
          must(world.latest === undefined || world.latest.enabled, 'latest is enabled');
        };
        all.forEach((events, index) => {
          const before = world.current;
          play(world, `r${index}`, events, check);
          expect(world.current?.login).not.toBe(before?.login);
          expect(world.secret.previous).toBe(before?.number);
          expect(world.latest).toBe(world.current);
          expect(new Attempt(world, `r${index}`).next()).toEqual({ do: 'nothing' });
          if (retired[index]) {
            world.retire();
            check();
          }
        });
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a request to Secret Manager that arrives when its attempt was given up long ago', () => {
  /** A version that came late may be broken: nothing fences adding one. No other is, and never the current one. */
  const checkOf = (world: World) => () => {
    must(world.secret.current === undefined || world.current, 'current is enabled');
    for (const version of world.enabled) {
      const { number, late } = version;
      if (!late || number === world.secret.current) must(world.works(version), `version ${number} works`);
    }
  };

  it('breaks neither the current version nor any that was added in time', () => {
    fc.assert(
      fc.property(rotations('crash', 'sleep', 'sleep', 'arrive'), (all) => {
        const world = new World();
        for (const [index, events] of all.entries()) play(world, `r${index}`, events, checkOf(world));
      }),
      { numRuns: 1000 },
    );
  });

  it('leaves nothing behind that two rotations after it don’t put in order', () => {
    fc.assert(
      fc.property(rotations('crash', 'sleep', 'sleep', 'arrive'), (all) => {
        const world = new World();
        for (const [index, events] of all.entries()) play(world, `r${index}`, events, checkOf(world));
        for (const arrive of world.underWay.splice(0)) arrive();
        for (const rotation of ['next', 'the one after']) finish(world, rotation, checkOf(world));
        for (const version of world.enabled) expect(world.works(version), `${version.number}`).toBe(true);
        expect(world.latest?.enabled, 'latest').toBe(true);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a rotation whose newest version was disabled afterwards', () => {
  const ended = {
    enabled: [{ number: 2, login: 'a', key: 'p' }],
    current: 2,
    movedBy: 'r',
    logins: ['a', 'b'] as const,
    trust: new Map(),
    fresh: 'none' as const,
  };

  it('adds the current credential once more, so that latest leads to it', () => {
    expect(nextStep('r', { ...ended, latest: 3 })).toEqual({ do: 'copy-current' });
    const copied = { ...ended, enabled: [...ended.enabled, { number: 4, login: 'a', key: 'p' }], latest: 4 };
    expect(nextStep('r', copied)).toEqual({ do: 'nothing' });
  });

  it('is followed by one that knows the copy for what it is', () => {
    const enabled = [...ended.enabled, { number: 4, login: 'a', key: 'p' }];
    expect(nextStep('s', { ...ended, enabled, latest: 4 })).toMatchObject({ do: 'set-password', login: 'b' });
  });
});

describe('of several versions that were added and not published', () => {
  it('the newest is tried first; where it doesn’t work it goes, but not before `latest` leads elsewhere', () => {
    const observed = {
      enabled: [
        { number: 2, login: 'a', key: 'p' },
        { number: 3, login: 'b', key: 'q' },
        { number: 4, login: 'b', key: 'r' },
      ],
      latest: 4,
      current: 2,
      movedBy: 'r',
      logins: ['a', 'b'] as const,
      fresh: 'none' as const,
    };
    expect(nextStep('s', { ...observed, trust: new Map() })).toEqual({ do: 'try-version', version: 4 });
    const tried = { ...observed, trust: new Map([[4, 'broken' as const]]) };
    expect(nextStep('s', tried)).toEqual({ do: 'copy-current' });
    const copied = { ...tried, latest: 5 };
    expect(nextStep('s', copied)).toEqual({ do: 'disable-version', version: 4, breaks: false });
  });

  it('the others go where the newest works', () => {
    const observed = {
      enabled: [
        { number: 2, login: 'a', key: 'p' },
        { number: 3, login: 'b', key: 'q' },
        { number: 4, login: 'b', key: 'r' },
      ],
      latest: 4,
      current: 2,
      movedBy: 'r',
      logins: ['a', 'b'] as const,
      fresh: 'none' as const,
      trust: new Map([[4, 'works' as const]]),
    };
    expect(nextStep('s', observed)).toEqual({ do: 'disable-version', version: 3, breaks: false });
  });
});
