import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Asking, decideAdmission } from '../../../../shared/registry/quotas/decide.ts';
import { type OperationLimits, type Usage, usageAt } from '../../../../shared/registry/quotas/model.ts';

const noon = new Date('2026-03-01T12:00:00.250Z');
const later = (seconds: number, from = noon) => new Date(from.getTime() + seconds * 1000);

const limits: OperationLimits = { operationsPerMinute: 3, operationsPerDay: 5, concurrentOperations: 2 };

const dayOf = (time: Date) => time.toISOString().slice(0, 10);

const decide = (asking: Partial<Asking> = {}) =>
  decideAdmission({ limits, usage: undefined, counted: false, running: 0, ahead: 0, now: noon, ...asking });

/** What is used after operations that were admitted at some times. */
function usedAt(...times: readonly Date[]): Usage | undefined {
  return times.reduce<Usage | undefined>((usage, now) => {
    const generous = { operationsPerMinute: 1000, operationsPerDay: 1000, concurrentOperations: 1 };
    const admission = decide({ limits: generous, usage, now });
    if (admission.kind !== 'admit') throw new Error('not admitted');
    return admission.usage;
  }, undefined);
}

describe('an operation within all limits', () => {
  it('is admitted, and counted for the day and the minute', () => {
    expect(decide()).toEqual({
      kind: 'admit',
      usage: { day: '2026-03-01', today: 1, recent: [{ second: noon.getTime() / 1000 - 0.25, count: 1 }] },
    });
    expect(decide({ usage: usedAt(noon), now: later(0.5) })).toMatchObject({
      usage: { today: 2, recent: [{ count: 2 }] },
    });
    expect(decide({ usage: usedAt(noon), now: later(1) })).toMatchObject({
      usage: { today: 2, recent: [{ count: 1 }, { count: 1 }] },
    });
  });

  it('is admitted on another day whatever yesterday was', () => {
    const usage = { day: '2026-02-28', today: 5, recent: [] };
    expect(decide({ usage })).toMatchObject({ kind: 'admit', usage: { day: '2026-03-01', today: 1 } });
  });
});

describe('over the limit of a day', () => {
  const usage = { day: '2026-03-01', today: 5, recent: [] };

  it('is refused until the next day begins in UTC', () => {
    const resetsAt = new Date('2026-03-02T00:00:00Z');
    expect(decide({ usage })).toEqual({ kind: 'refuse', limit: 'operationsPerDay', resetsAt });
    const lastMoment = new Date('2026-12-31T23:59:59.999Z');
    expect(decide({ usage: { ...usage, day: '2026-12-31' }, now: lastMoment })).toMatchObject({
      resetsAt: new Date('2027-01-01T00:00:00Z'),
    });
  });

  it('is refused rather than deferred', () => {
    expect(
      decide({ usage: { ...usage, recent: [{ second: noon.getTime() / 1000, count: 9 }] } }),
    ).toMatchObject({ kind: 'refuse' });
  });

  it('an operation that was counted before is run all the same, and not counted again', () => {
    expect(decide({ usage, counted: true })).toEqual({ kind: 'admit', usage });
  });
});

describe('over the rate of a minute', () => {
  const usage = usedAt(noon, later(10), later(20));

  it('is deferred until the minute has room for it', () => {
    const now = later(30);
    expect(decide({ usage, now })).toEqual({
      kind: 'defer',
      limit: 'operationsPerMinute',
      notBefore: new Date('2026-03-01T12:01:01Z'),
    });
    expect(decide({ usage, now: new Date('2026-03-01T12:01:00.999Z') }).kind).toBe('defer');
    expect(decide({ usage, now: new Date('2026-03-01T12:01:01Z') }).kind).toBe('admit');
  });

  it('waits the longer the more wait before it', () => {
    const waits = [0, 1, 2, 3].map((ahead) => {
      const decision = decide({
        usage,
        now: later(30),
        ahead,
        limits: { ...limits, concurrentOperations: 9 },
      });
      return decision.kind === 'defer' ? decision.notBefore.toISOString().slice(11, 19) : decision.kind;
    });
    expect(waits).toEqual(['12:01:01', '12:01:11', '12:01:21', '12:02:22']);
  });

  it('is not before those that wait, even where there is room for one', () => {
    const now = later(30);
    expect(decide({ usage: usedAt(noon, later(10)), now })).toMatchObject({ kind: 'admit' });
    expect(decide({ usage: usedAt(noon, later(10)), now, ahead: 1 })).toMatchObject({ kind: 'defer' });
  });

  it('never waits for longer than ten minutes without asking again', () => {
    expect(decide({ usage, ahead: 10_000 })).toMatchObject({ notBefore: later(600) });
  });
});

describe('with no place among those that run', () => {
  it('is deferred for a while', () => {
    expect(decide({ running: 1 }).kind).toBe('admit');
    expect(decide({ running: 2 })).toEqual({
      kind: 'defer',
      limit: 'concurrentOperations',
      notBefore: later(30),
    });
    expect(decide({ running: 2, ahead: 2 })).toMatchObject({ notBefore: later(60) });
  });

  it('an operation that was counted before waits, too, but for nobody who was not', () => {
    expect(decide({ running: 2, counted: true })).toMatchObject({ kind: 'defer' });
    expect(decide({ running: 1, ahead: 5, counted: true })).toMatchObject({ kind: 'admit' });
  });
});

const anyLimits = fc.record({
  operationsPerMinute: fc.integer({ min: 1, max: 6 }),
  operationsPerDay: fc.integer({ min: 1, max: 40 }),
  concurrentOperations: fc.integer({ min: 1, max: 4 }),
});

/** Operations that come so many milliseconds after each other, and how many of them end before that. */
const arrivals = fc.array(fc.record({ pauseMs: fc.integer({ min: 0, max: 40_000 }), ended: fc.nat(3) }), {
  minLength: 1,
  maxLength: 60,
});

describe('whatever comes', () => {
  it('no minute, no day and no moment has more than its limit', () => {
    fc.assert(
      fc.property(anyLimits, arrivals, fc.integer({ min: 0, max: 86_400 }), (given, coming, from) => {
        let now = later(from);
        let running = 0;
        let usage: Usage | undefined;
        const admitted: Date[] = [];
        for (const { pauseMs, ended } of coming) {
          now = later(pauseMs / 1000, now);
          running = Math.max(0, running - ended);
          const decision = decideAdmission({ limits: given, usage, counted: false, running, ahead: 0, now });
          if (decision.kind !== 'admit') continue;
          usage = decision.usage;
          running += 1;
          admitted.push(now);
          expect(running).toBeLessThanOrEqual(given.concurrentOperations);
        }
        for (const last of admitted) {
          const minute = admitted.filter((one) => one <= last && one.getTime() > last.getTime() - 60_000);
          expect(minute.length).toBeLessThanOrEqual(given.operationsPerMinute);
          const day = admitted.filter((one) => dayOf(one) === dayOf(last));
          expect(day.length).toBeLessThanOrEqual(given.operationsPerDay);
        }
      }),
    );
  });

  it('who waits is let in at the time that it was told, if nobody else came', () => {
    fc.assert(
      fc.property(
        anyLimits,
        fc.array(fc.integer({ min: 0, max: 59_000 }), { maxLength: 6 }),
        (given, times) => {
          const counted = times.sort((a, b) => a - b).map((ms) => later(ms / 1000));
          const usage = usedAt(...counted);
          const plentiful = { ...given, operationsPerDay: 1000 };
          const asking = { limits: plentiful, usage, counted: false, running: 0, ahead: 0 };
          const first = decideAdmission({ ...asking, now: later(60) });
          if (first.kind === 'admit') return;
          if (first.kind === 'refuse') throw new Error('refused');
          expect(first.notBefore > later(60)).toBe(true);
          expect(decideAdmission({ ...asking, now: first.notBefore }).kind).toBe('admit');
        },
      ),
    );
  });

  it('what is counted is never forgotten within its minute, nor kept for longer than it', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 10_000 }), { maxLength: 200 }), (pauses) => {
        let now = noon;
        const times = pauses.map((ms) => {
          now = later(ms / 1000, now);
          return now;
        });
        const { recent } = usageAt(usedAt(...times), now);
        const counted = recent.reduce((sum, { count }) => sum + count, 0);
        const within = (seconds: number) => times.filter((one) => later(seconds, one) > now).length;
        expect(counted).toBeGreaterThanOrEqual(within(60));
        expect(counted).toBeLessThanOrEqual(within(61));
        expect(recent.length).toBeLessThanOrEqual(61);
      }),
    );
  });
});
