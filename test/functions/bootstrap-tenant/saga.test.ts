import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { isTakenBack } from '../../../functions/bootstrap-tenant/saga/books.ts';
import { compensate, runSteps } from '../../../functions/bootstrap-tenant/saga/run.ts';
import type { Made, Saga, Step } from '../../../functions/bootstrap-tenant/saga/step.ts';
import { GrpcError } from '../../../local/grpc/server.ts';
import { OperationError } from '../../../shared/operation/errors.ts';
import { releaseOperation } from '../../../shared/registry/completion.ts';
import type { StepRecord, TenantState } from '../../../shared/registry/tenants/model.ts';
import { stepRef } from '../../../shared/registry/tenants/store.ts';
import { fakeStep, permanent, ref, transient, useSaga } from './saga-fixture.ts';

const world = useSaga();

const begin = async (id?: string) => world.begin(await world.claim(id));

/** Steps that tell when they are made and taken back. */
function told(events: string[]) {
  return (name: string, given: Partial<Step> = {}): Step =>
    fakeStep(name, {
      ...given,
      make: async (saga, begun) => {
        events.push(`${name} begins`);
        const made = (await given.make?.(saga, begun)) ?? { changes: [] };
        events.push(name);
        return made;
      },
      undo: async (saga) => {
        events.push(`not ${name}`);
        return (await given.undo?.(saga)) ?? [];
      },
    });
}

const failing = (error: unknown) => async () => {
  throw error;
};

/** The promise, and what resolves it. */
const gate = () => Promise.withResolvers<void>();

describe('steps', () => {
  it('are made each after those that it needs, and tell in their own order what came of them', async () => {
    const events: string[] = [];
    const step = told(events);
    const change = (name: string) => ({ changes: [{ action: 'create', kind: 'thing', name } as const] });
    const steps = [
      step('database', { make: async () => change('database') }),
      step('schema', { needs: ['database'], make: async () => change('schema') }),
      step('login', { needs: ['schema', 'restore'], make: async () => change('login') }),
    ];
    const made = await runSteps(await begin(), steps);
    expect(events.filter((event) => !event.includes(' '))).toEqual(['database', 'schema', 'login']);
    expect(events.indexOf('schema begins')).toBeGreaterThan(events.indexOf('database'));
    expect(made.flatMap(({ changes }) => changes.map(({ name }) => name))).toEqual([
      'database',
      'schema',
      'login',
    ]);
  });

  it('that don’t need each other run together', async () => {
    const { promise: both, resolve } = gate();
    let waiting = 0;
    const meet = async () => {
      waiting += 1;
      if (waiting === 3) resolve();
      await both;
      return { changes: [] };
    };
    const steps = [
      fakeStep('schema', { make: meet }),
      fakeStep('dataset', { make: meet }),
      fakeStep('storage', { make: meet }),
      fakeStep('login', { needs: ['schema'] }),
    ];
    // They would wait for each other for ever if one had to come to its end first.
    await runSteps(await begin(), steps);
    expect(waiting).toBe(3);
  }, 10_000);

  it('don’t wait for what they don’t need', async () => {
    const { promise: later, resolve } = gate();
    const steps = [
      fakeStep('slow', {
        make: async () => {
          await later;
          return { changes: [] };
        },
      }),
      fakeStep('schema'),
      fakeStep('login', {
        needs: ['schema'],
        make: async () => {
          resolve();
          return { changes: [] };
        },
      }),
    ];
    await runSteps(await begin(), steps);
    expect(await world.steps()).toMatchObject({ slow: { state: 'done' }, login: { state: 'done' } });
  }, 10_000);

  it('are recorded before they are begun and after they are done', async () => {
    const seen: (StepRecord | undefined)[] = [];
    const step = fakeStep('schema', {
      make: async () => {
        seen.push((await world.steps())['schema']);
        return { changes: [] };
      },
    });
    await runSteps(await begin(), [step]);
    expect(seen).toMatchObject([
      { state: 'running', attempts: 1, found: 'absent', operation: 'one', finishedAt: null },
    ]);
    const { schema } = await world.steps();
    expect(schema).toMatchObject({ state: 'done', attempts: 1, reason: null, position: step.position });
    expect(schema?.startedAt).toBeInstanceOf(Date);
    expect(schema?.finishedAt?.getTime()).toBeGreaterThanOrEqual(schema?.startedAt?.getTime() ?? 0);
  });

  it('have the registry know what they made, in the transaction that says so', async () => {
    const document = world.registry.db.collection('things').doc('schema');
    await document.set({ count: 1 });
    const settle: NonNullable<Made['settle']> = {
      refs: [document],
      write(transaction, [snapshot]) {
        transaction.update(document, { count: snapshot?.get('count') + 1 });
      },
    };
    await runSteps(await begin(), [fakeStep('schema', { make: async () => ({ changes: [], settle }) })]);
    expect((await document.get()).get('count')).toBe(2);
    const refusing = () => {
      throw permanent;
    };
    const step = fakeStep('login', {
      make: async () => ({ changes: [], settle: { ...settle, write: refusing } }),
    });
    await expect(runSteps(await begin('two'), [step])).rejects.toMatchObject({ code: 'IMPOSSIBLE' });
    expect((await world.steps())['login']).toMatchObject({ state: 'failed' });
    expect((await document.get()).get('count')).toBe(2);
  });

  it('are told what was there before them', async () => {
    const found: unknown[] = [];
    const looking = (name: string, there: 'absent' | 'present') =>
      fakeStep(name, {
        look: async () => there,
        make: async (_, begun) => {
          found.push([name, begun]);
          return { changes: [] };
        },
      });
    await runSteps(await begin(), [looking('schema', 'absent'), looking('dataset', 'present')]);
    expect(found.sort()).toEqual([
      ['dataset', false],
      ['schema', true],
    ]);
    expect(await world.steps()).toMatchObject({ schema: { found: 'absent' }, dataset: { found: 'present' } });
  });
});

describe('a step that fails', () => {
  it('ends the run: what is under way comes to its end, and nothing more is begun', async () => {
    const events: string[] = [];
    const step = told(events);
    const { promise: failed, resolve } = gate();
    const steps = [
      step('schema', {
        make: async () => {
          resolve();
          throw transient;
        },
      }),
      step('dataset', {
        make: async () => {
          await failed;
          await world.registry.db.collection('things').doc('slow').set({});
          return { changes: [] };
        },
      }),
      step('login', { needs: ['schema'] }),
      step('grants', { needs: ['login'] }),
      step('report', { needs: ['dataset'] }),
    ];
    await expect(runSteps(await begin(), steps)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(events).toContain('dataset');
    expect(events.join()).not.toMatch(/login|grants|report/);
    expect(Object.keys(await world.steps()).sort()).toEqual(['dataset', 'schema']);
  }, 10_000);

  it('says so in its record and the tenant’s, with the code, the message and its name', async () => {
    const saga = await begin();
    const error = new OperationError('SCHEMA_EXISTS', 'it is bob’s', { details: { schema: 'x' } });
    await expect(runSteps(saga, [fakeStep('schema', { make: failing(error) })])).rejects.toMatchObject({
      code: 'SCHEMA_EXISTS',
      message: 'schema: it is bob’s',
      retryable: false,
      details: { schema: 'x', step: 'schema' },
      cause: error,
    });
    const reason = { code: 'SCHEMA_EXISTS', message: 'it is bob’s', step: 'schema' };
    expect((await world.steps())['schema']).toMatchObject({ state: 'failed', attempts: 1, reason });
    expect(await world.tenant()).toMatchObject({ failure: reason });
  });

  it('says so too where it fails in looking', async () => {
    const step = fakeStep('schema', { look: failing(transient) });
    await expect(runSteps(await begin(), [step])).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect((await world.steps())['schema']).toMatchObject({
      state: 'failed',
      reason: { code: 'UNAVAILABLE', step: 'schema' },
      found: null,
    });
  });

  it('is of an unknown kind: it may pass, and is told as what it is', async () => {
    const step = fakeStep('schema', { make: failing(new TypeError('x is undefined')) });
    await expect(runSteps(await begin(), [step])).rejects.toMatchObject({
      code: 'INTERNAL',
      retryable: true,
    });
  });

  it('has no secret in what is recorded of it', async () => {
    const error = new OperationError('REFUSED', 'postgresql://a:hunter2@host/app refused');
    await runSteps(await begin(), [fakeStep('schema', { make: failing(error) })]).catch(() => undefined);
    expect(JSON.stringify([await world.steps(), await world.tenant()])).not.toContain('hunter2');
  });

  it.each([
    [[transient, permanent], 'IMPOSSIBLE'],
    [[permanent, transient], 'IMPOSSIBLE'],
    [[transient, new OperationError('OTHER', 'later', { retryable: true })], 'UNAVAILABLE'],
  ])('for good counts more than one that may pass (%#)', async (errors, code) => {
    const { promise: both, resolve } = gate();
    let begun = 0;
    const steps = errors.map((error, index) =>
      fakeStep(`step-${index}`, {
        make: async () => {
          begun += 1;
          if (begun === errors.length) resolve();
          await both;
          throw error;
        },
      }),
    );
    await expect(runSteps(await begin(), steps)).rejects.toMatchObject({ code });
    expect(await world.steps()).toMatchObject({
      'step-0': { state: 'failed' },
      'step-1': { state: 'failed' },
    });
  });

  it('isn’t recorded where the work was cut off: the reason of that is told', async () => {
    const saga = await begin();
    const reason = new OperationError('SHUTTING_DOWN', 'another takes over', { retryable: true });
    const steps = [
      fakeStep('schema', {
        make: async () => {
          saga.process.abort(reason);
          throw permanent;
        },
      }),
      fakeStep('login', { needs: ['schema'] }),
    ];
    await expect(runSteps(saga, steps)).rejects.toMatchObject({ code: 'SHUTTING_DOWN' });
    expect((await world.steps())['schema']).toMatchObject({ state: 'running', reason: null });
    expect((await world.tenant())?.failure).toBeNull();
  });

  it('is not recorded by a worker that lost the operation', async () => {
    const first = await begin();
    world.registry.server.advance(61);
    await world.claim();
    await expect(runSteps(first, [fakeStep('schema')])).rejects.toMatchObject({ code: 'LEASE_LOST' });
    expect(await world.steps()).toEqual({});
    expect((await world.tenant())?.failure).toBeNull();
  });
});

describe('another attempt of the operation', () => {
  it('makes again what may not be done, with what was known of it before', async () => {
    const claim = await world.claim();
    const made: unknown[] = [];
    let there: 'absent' | 'present' = 'absent';
    let fails = true;
    const step = fakeStep('schema', {
      look: async () => there,
      make: async (_, begun) => {
        made.push(begun);
        there = 'present';
        if (fails) throw transient;
        return { changes: [] };
      },
    });
    await expect(runSteps(await world.begin(claim), [step])).rejects.toThrow();
    await releaseOperation(claim, transient);
    fails = false;
    await runSteps(await begin(), [step]);
    expect(made).toEqual([true, true]);
    expect((await world.steps())['schema']).toMatchObject({
      state: 'done',
      attempts: 2,
      found: 'absent',
      reason: null,
    });
  });

  it.each([
    ['active', 'present'],
    ['bootstrapping', 'absent'],
  ] as const)(
    'of another one finds what the first has made, and counts its own attempts (%s)',
    async (state, found) => {
      await runSteps(await begin('one'), [fakeStep('schema')]);
      await ref(world).update({ state });
      const begun: boolean[] = [];
      const step = fakeStep('schema', {
        look: async () => 'present',
        make: async (_, isBegun) => {
          begun.push(isBegun);
          if (begun.length < 2) throw transient;
          return { changes: [] };
        },
      });
      const saga = await begin('two');
      for (const attempts of [1, 2]) {
        await runSteps(saga, [step]).catch(() => undefined);
        const { schema } = await world.steps();
        expect(schema).toMatchObject({ operation: 'two', attempts, found });
      }
      expect(begun).toEqual([found === 'absent', found === 'absent']);
    },
  );

  it.each([
    ['operation', 'one', 1],
    ['operation', 'two', 2],
    ['tenant', 'one', 1],
    ['tenant', 'two', 1],
  ] as const)('doesn’t do again what is done once in the life of the %s (%s)', async (once, id, times) => {
    let made = 0;
    const count = async () => {
      made += 1;
      return { changes: [{ action: 'create', kind: 'thing', name: 'x' } as const] };
    };
    const step = fakeStep('restore', { once, make: count, look: async () => (made ? 'present' : 'absent') });
    const claim = await world.claim('one');
    await runSteps(await world.begin(claim), [step]);
    await releaseOperation(claim, transient);
    const [again] = await runSteps(await begin(id), [step]);
    expect(made).toBe(times);
    expect(again?.changes).toHaveLength(times - 1);
  });

  it('does again what was to be done once and failed', async () => {
    let made = 0;
    const step = fakeStep('restore', {
      once: 'tenant',
      make: async () => {
        made += 1;
        if (made === 1) throw transient;
        return { changes: [] };
      },
    });
    const claim = await world.claim();
    await expect(runSteps(await world.begin(claim), [step])).rejects.toThrow();
    await releaseOperation(claim, transient);
    await runSteps(await begin(), [step]);
    expect(made).toBe(2);
  });
});

describe('what is done once and was', () => {
  const once = (make: Step['make']) => fakeStep('restore', { once: 'tenant', make });

  it('stays done where that could not be read', async () => {
    await runSteps(await begin('one'), [once(async () => ({ changes: [] }))]);
    world.registry.server.intercept = ({ method, phase, request }) => {
      const documents = JSON.stringify(request['documents'] ?? '');
      if (method !== 'BatchGetDocuments' || phase !== 'before') return;
      if (!documents.includes('/steps/restore') || request['transaction'] || request['newTransaction'])
        return;
      throw new GrpcError(status.PERMISSION_DENIED, 'not now');
    };
    let made = 0;
    const again = once(async () => {
      made += 1;
      return { changes: [] };
    });
    const saga = await begin('two');
    await expect(runSteps(saga, [again])).rejects.toMatchObject({ details: { step: 'restore' } });
    world.registry.server.intercept = undefined;
    expect((await world.steps())['restore']).toMatchObject({ state: 'done', operation: 'one' });
    await runSteps(saga, [again]);
    expect(made).toBe(0);
  });
});

describe('what is taken back', () => {
  const record = (more: Partial<StepRecord>): StepRecord => ({
    step: 'schema',
    position: 1,
    state: 'done',
    attempts: 1,
    operation: 'one',
    found: 'absent',
    startedAt: null,
    finishedAt: null,
    reason: null,
    ...more,
  });
  const isTaken = (state: TenantState, more: Partial<StepRecord>) =>
    isTakenBack({ operation: { id: 'one' }, record: { state } } as Saga, record(more));

  it.each([
    [true, { state: 'done' }],
    [true, { state: 'running' }],
    [true, { state: 'failed' }],
    [false, { found: 'present' }],
    [false, { state: 'failed', found: null }],
    [false, { state: 'pending' }],
    [false, { state: 'skipped' }],
    [false, { state: 'compensated' }],
  ] as const)('is what was absent and has been begun (%s: %j)', (taken, more) => {
    expect(isTaken('bootstrapping', more)).toBe(taken);
    expect(isTaken('active', more)).toBe(taken);
  });

  it('is what another operation began only where the tenant never was active', () => {
    expect(isTaken('bootstrapping', { operation: 'other' })).toBe(true);
    expect(isTaken('compensating', { operation: 'other' })).toBe(true);
    expect(isTaken('active', { operation: 'other' })).toBe(false);
  });

  it('is that, the last first, each recorded', async () => {
    const events: string[] = [];
    const step = told(events);
    const taken = (name: string) => ({
      undo: async () => [{ action: 'revoke', kind: 'thing', name } as const],
    });
    const steps = [
      step('database', taken('database')),
      step('schema', { ...taken('schema'), needs: ['database'] }),
      step('dataset', { ...taken('dataset'), look: async () => 'present' }),
      step('login', { ...taken('login'), needs: ['schema'], make: failing(permanent) }),
      step('quota', { ...taken('quota'), needs: ['login'] }),
    ];
    const saga = await begin();
    await expect(runSteps(saga, steps)).rejects.toMatchObject({ code: 'IMPOSSIBLE' });
    const { changes, left } = await compensate(saga, steps);
    expect(events.filter((event) => event.startsWith('not'))).toEqual([
      'not login',
      'not schema',
      'not database',
    ]);
    expect(changes.map(({ name }) => name)).toEqual(['login', 'schema', 'database']);
    expect(left).toEqual([]);
    expect(await world.steps()).toMatchObject({
      database: { state: 'compensated' },
      schema: { state: 'compensated' },
      login: { state: 'compensated', reason: { code: 'IMPOSSIBLE' } },
      dataset: { state: 'done' },
    });
  });

  it('is gone on with where it was cut off, and nothing twice', async () => {
    const events: string[] = [];
    const step = told(events);
    let fails = true;
    const steps = [
      step('database'),
      step('schema', {
        needs: ['database'],
        undo: async () => {
          if (fails) throw transient;
          return [];
        },
      }),
      step('login', { needs: ['schema'] }),
    ];
    const saga = await begin();
    await runSteps(saga, steps);
    await expect(compensate(saga, steps)).rejects.toMatchObject({ code: 'UNAVAILABLE', retryable: true });
    fails = false;
    await compensate(saga, steps);
    await compensate(saga, steps);
    const undone = events.filter((event) => event.startsWith('not'));
    expect(undone).toEqual(['not login', 'not schema', 'not schema', 'not database']);
  });

  it('leaves what can’t be, says so, and takes the rest', async () => {
    const events: string[] = [];
    const step = told(events);
    const steps = [step('database'), step('schema', { undo: failing(permanent) })];
    const saga = await begin();
    await runSteps(saga, steps);
    const { left } = await compensate(saga, steps);
    expect(left).toEqual([{ code: 'IMPOSSIBLE', message: 'it never will be', step: 'schema' }]);
    expect(events).toContain('not database');
    expect(await world.steps()).toMatchObject({
      database: { state: 'compensated' },
      schema: { state: 'done' },
    });
  });

  it('is nothing of a worker that lost the operation, or was told to stop', async () => {
    const events: string[] = [];
    const steps = [told(events)('schema')];
    const first = await begin();
    await runSteps(first, steps);
    first.process.abort(transient);
    await expect(compensate(first, steps)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(events.join()).not.toContain('not');
    expect((await world.steps())['schema']).toMatchObject({ state: 'done' });
  });

  it('is nothing that an active tenant has by an earlier operation', async () => {
    const events: string[] = [];
    const step = told(events);
    await runSteps(await begin('one'), [step('schema')]);
    await ref(world).update({ state: 'active' });
    const saga = await begin('two');
    const again = [
      step('schema', { look: async () => 'present' }),
      step('login', { needs: ['schema'], make: failing(permanent) }),
    ];
    await expect(runSteps(saga, again)).rejects.toThrow();
    await compensate(saga, again);
    expect(events.filter((event) => event.startsWith('not'))).toEqual(['not login']);
    expect((await stepRef(ref(world), 'schema').get()).get('state')).toBe('done');
  });
});
