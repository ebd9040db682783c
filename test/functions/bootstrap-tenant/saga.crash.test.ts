import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { bootstrapTenantMessage, type TenantMessage } from '../../../functions/bootstrap-tenant/message.ts';
import type { Step } from '../../../functions/bootstrap-tenant/saga/step.ts';
import { bootstrapTenant } from '../../../functions/bootstrap-tenant/tenant.ts';
import { classify } from '../../../shared/operation/classify.ts';
import type { OperationError } from '../../../shared/operation/errors.ts';
import type { Outcome } from '../../../shared/operation/outcome.ts';
import { completeOperation, releaseOperation } from '../../../shared/registry/completion.ts';
import { Superseded } from '../../../shared/registry/intents.ts';
import { wanted } from '../../shared/registry/fixture.ts';
import {
  fakeStep,
  instance,
  type Process,
  permanent,
  startProcess,
  transient,
  useSaga,
} from './saga-fixture.ts';

const fake = vi.hoisted(() => ({ steps: [] as Step[] }));
vi.mock('../../../functions/bootstrap-tenant/steps/all.ts', () => ({ tenantSteps: fake.steps }));

const world = useSaga();

const message = bootstrapTenantMessage.parse({
  scope: 'tenant',
  tenant: 'acme',
  displayName: 'Acme Ltd.',
  contact: 'it@acme.example',
  plan: 'STARTER',
  target: { instance, database: 'app' },
}) as TenantMessage;

const shape = { a: [], b: ['a'], c: [], d: ['b', 'c'] } as const;
type Name = keyof typeof shape;
const names = Object.keys(shape) as Name[];

/** What a step meets when it is made for the nth time, from the first. */
interface Fault {
  readonly step: Name;
  readonly time: number;
  readonly kind: 'transient' | 'permanent';
  /** It fails after it took effect. */
  readonly late: boolean;
}

interface Case {
  readonly present: readonly Name[];
  readonly faults: readonly Fault[];
  /** How often taking back a step fails, for a while. */
  readonly undoing: Partial<Record<Name, number>>;
  /** How far each process comes that is killed. */
  readonly lives: readonly number[];
}

/** A tenant's things, and how making them goes. */
class Stage {
  readonly things: Map<Name, string>;
  readonly problems: string[] = [];
  readonly given: Case;
  process: Process | undefined;
  #made: Partial<Record<Name, number>> = {};
  #undone: Partial<Record<Name, number>> = {};

  constructor(given: Case) {
    this.given = given;
    this.things = new Map(given.present.map((name) => [name, 'present']));
    fake.steps.splice(0, fake.steps.length, ...names.map((name) => this.#step(name)));
  }

  #effect<T>(happen: () => T): Promise<T> {
    if (this.process === undefined) throw new Error('nobody is working');
    return this.process.effect(happen);
  }

  #step(name: Name): Step {
    return fakeStep(name, {
      position: names.indexOf(name) + 1,
      needs: shape[name],
      look: async () => (this.things.has(name) ? 'present' : 'absent'),
      make: async (_, begun) => {
        const time = (this.#made[name] ?? 0) + 1;
        this.#made[name] = time;
        const missing = shape[name].filter((need) => !this.things.has(need));
        if (missing.length > 0) this.problems.push(`${name} was made without ${missing}`);
        if (this.things.get(name) !== 'present' && !begun)
          this.problems.push(`${name} was forgotten to be ours`);
        const fault = this.given.faults.find((one) => one.step === name && one.time === time);
        const error = fault?.kind === 'permanent' ? permanent : transient;
        if (fault && !fault.late) throw error;
        const isThere = this.things.has(name);
        await this.#effect(() => {
          if (!isThere) this.things.set(name, 'made');
        });
        if (fault) throw error;
        return { changes: isThere ? [] : [{ action: 'create', kind: 'thing', name }] };
      },
      undo: async () => {
        if (this.things.get(name) === 'present') this.problems.push(`${name} was there before`);
        const users = names.filter((other) => shape[other].some((need) => need === name));
        const used = users.filter((other) => this.things.get(other) === 'made');
        if (used.length > 0) this.problems.push(`${name} was taken from under ${used}`);
        const time = (this.#undone[name] ?? 0) + 1;
        this.#undone[name] = time;
        if (time <= (this.given.undoing[name] ?? 0)) throw transient;
        await this.#effect(() => this.things.delete(name));
        return [{ action: 'revoke', kind: 'thing', name }];
      },
    });
  }
}

type End = { readonly outcome: Outcome } | { readonly error: OperationError };

/** Delivers a message until the operation ends: processes that are killed, and then one that isn't. */
async function deliver(stage: Stage, id = 'one', minute = 0): Promise<End> {
  const { lives } = stage.given;
  for (let delivery = 0; delivery < 30; delivery += 1) {
    const claim = await world.claim(id, minute);
    const before = await world.tenant();
    const givesUp = before?.state === 'compensating' && before.holder === id;
    const given = lives[delivery];
    const process = startProcess(world.registry, claim, given === undefined ? {} : { lives: given });
    stage.process = process;
    const end = await bootstrapTenant(message, process.operation).then(
      (outcome): End => ({ outcome }),
      (error: unknown): End => {
        if (error instanceof Superseded) throw error;
        return { error: classify(error) };
      },
    );
    if (process.isKilled()) {
      world.registry.server.advance(61);
      continue;
    }
    if ('outcome' in end) {
      if (givesUp) stage.problems.push('it went on with what was being taken back');
      await completeOperation(world.registry.db, claim, { state: 'succeeded', outcome: end.outcome });
      return end;
    }
    if (!end.error.retryable) {
      const { delivery } = wanted();
      await completeOperation(world.registry.db, claim, {
        state: 'failed',
        error: end.error,
        reason: 'permanent',
        delivery,
      });
      return end;
    }
    await releaseOperation(claim, end.error);
  }
  throw new Error('the operation came to no end');
}

/** Everything is there, or nothing but what was before; and the records say so. */
async function check(stage: Stage, end: End, present = stage.given.present): Promise<void> {
  expect(stage.problems).toEqual([]);
  const tenant = await world.tenant();
  const steps = await world.steps();
  const states = names.map((name) => steps[name]?.state);
  if ('outcome' in end) {
    expect([...stage.things.keys()].sort()).toEqual(names);
    expect(tenant).toMatchObject({ state: 'active', holder: null, failure: null });
    expect(states).toEqual(names.map(() => 'done'));
    expect(steps['announce']).toMatchObject({ state: 'done' });
    for (const name of names) {
      expect(steps[name]?.found).toBe(present.includes(name) ? 'present' : 'absent');
    }
    return;
  }
  expect(end.error).toMatchObject({ code: 'IMPOSSIBLE' });
  expect([...stage.things.keys()].sort()).toEqual([...present].sort());
  expect(tenant).toMatchObject({ state: 'failed', holder: null, failure: { code: 'IMPOSSIBLE' } });
  expect(String(tenant?.failure?.step)).toMatch(/^[a-d]$/);
  expect(steps['announce']).toMatchObject({ state: 'pending' });
  for (const name of names) {
    const state = steps[name]?.state;
    if (steps[name]?.found === 'absent') expect(state).toBe('compensated');
  }
}

async function run(given: Partial<Case>): Promise<Stage> {
  const stage = new Stage({ present: [], faults: [], undoing: {}, lives: [], ...given });
  const end = await deliver(stage);
  await check(stage, end);
  return stage;
}

afterEach(() => world.registry.server.clear());

const forGood: Fault = { step: 'd', time: 1, kind: 'permanent', late: true };

describe('a bootstrap', () => {
  it('makes everything, and says in one transaction that it did', async () => {
    await run({ present: ['c'] });
    expect((await world.steps())['reserve']).toMatchObject({ state: 'done', attempts: 1, found: 'absent' });
  });

  it('that fails for good leaves nothing but what was there before', async () => {
    await run({ present: ['c'], faults: [forGood] });
  });

  it('that fails for good names in its error what was taken back', async () => {
    const stage = new Stage({ present: ['c'], faults: [forGood], undoing: {}, lives: [] });
    const end = await deliver(stage);
    const { error } = end as { error: OperationError };
    const compensated = error.details?.['compensated'] as { name: string }[];
    const taken = compensated.map(({ name }) => name);
    expect(taken).toEqual(expect.arrayContaining(['d', 'b', 'a']));
    expect(taken).not.toContain('c');
  });

  // After each of its effects and writes, which is before the next: while it makes, and while it takes back.
  it('that is killed anywhere is completed, or taken back, by the next delivery', async () => {
    for (const faults of [[forGood], []]) {
      // What comes before the end is the same, whichever it is.
      for (let lives = faults.length > 0 ? 1 : 21; ; lives += 2) {
        world.registry.server.clear();
        await run({ lives: [lives], faults });
        const records = await world.registry.db.collection('operations').get();
        if (records.docs[0]?.get('epoch') > 1) continue;
        // It came to its end without being killed: there are no more places.
        expect(lives).toBeGreaterThan(24);
        break;
      }
    }
  }, 120_000);

  it('is completed or taken back, wherever it fails and is killed', async () => {
    const fault = fc.record({
      step: fc.constantFrom(...names),
      time: fc.integer({ min: 1, max: 3 }),
      kind: fc.constantFrom('transient' as const, 'permanent' as const),
      late: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          present: fc.subarray(names),
          faults: fc.array(fault, { maxLength: 3 }),
          undoing: fc.dictionary(fc.constantFrom(...names), fc.integer({ min: 1, max: 2 }), { maxKeys: 2 }),
          lives: fc.array(fc.integer({ min: 0, max: 45 }), { maxLength: 4 }),
        }),
        async (given) => {
          world.registry.server.clear();
          await run(given);
        },
      ),
      { numRuns: 6 },
    );
  }, 120_000);
});

describe('after a bootstrap that came to a halt and was given up', () => {
  /** Ends the operation as the dead letters do. */
  async function exhaust(given: Partial<Case>): Promise<Stage> {
    const stage = new Stage({ present: [], faults: [], undoing: {}, lives: [], ...given });
    const claim = await world.claim('one');
    const process = startProcess(world.registry, claim);
    stage.process = process;
    await expect(bootstrapTenant(message, process.operation)).rejects.toMatchObject({ retryable: true });
    await claim.ref.update({ state: 'failed', reason: 'exhausted' });
    return stage;
  }
  const forNow: Fault = { step: 'b', time: 1, kind: 'transient', late: true };

  it('the next one completes what there is', async () => {
    const stage = await exhaust({ present: ['c'], faults: [forNow] });
    await check(stage, await deliver(stage, 'two', 1));
  });

  it('the next one that fails for good takes back what the first made, too', async () => {
    const stage = await exhaust({ present: ['c'], faults: [forNow, { ...forGood, step: 'a', time: 2 }] });
    expect([...stage.things.keys()].sort()).toEqual(['a', 'b', 'c']);
    await check(stage, await deliver(stage, 'two', 1));
  });

  it('the next one goes on, where it was taking back', async () => {
    const stage = await exhaust({ faults: [forGood], undoing: { b: 1 } });
    expect(await world.tenant()).toMatchObject({ state: 'compensating' });
    const end = await deliver(stage, 'two', 1);
    expect('outcome' in end).toBe(true);
    await check(stage, end);
  });
});

describe('after a bootstrap that ended', () => {
  it('the same message makes nothing again', async () => {
    const stage = await run({});
    for (const name of names) stage.things.set(name, 'present');
    const end = await deliver(stage, 'two', 1);
    await check(stage, end, names);
    expect(end).toMatchObject({ outcome: { changes: [] } });
  });

  it('the next one begins anew, where it had failed', async () => {
    const stage = await run({ faults: [forGood] });
    const end = await deliver(stage, 'two', 1);
    expect('outcome' in end).toBe(true);
    await check(stage, end);
  });

  it('another that fails for good takes back only what it made itself: the tenant goes on', async () => {
    await run({ present: [] });
    const there = new Stage({
      present: ['a', 'b', 'd'],
      faults: [{ ...forGood, step: 'd' }],
      undoing: {},
      lives: [],
    });
    const end = await deliver(there, 'two', 1);
    expect(end).toMatchObject({ error: { code: 'IMPOSSIBLE' } });
    expect(there.problems).toEqual([]);
    expect([...there.things.keys()].sort()).toEqual(['a', 'b', 'd']);
    expect(await world.tenant()).toMatchObject({
      state: 'active',
      holder: null,
      failure: { code: 'IMPOSSIBLE', step: 'd' },
    });
  });
});
