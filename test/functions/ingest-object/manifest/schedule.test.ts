import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isOver,
  type ScheduledStep,
  type StepState,
  schedule,
} from '../../../../functions/ingest-object/manifest/schedule.ts';

const names = Array.from({ length: 12 }, (_, index) => `s${index}`);

/** Steps in any order, each after some; cycles too. */
const anySteps: fc.Arbitrary<ScheduledStep[]> = fc
  .tuple(
    ...names.map((id) =>
      fc.subarray([...names, 'elsewhere'], { maxLength: 3 }).map((after) => ({ id, after })),
    ),
  )
  .map((steps) => steps.filter(({ id }, at) => at % 5 !== 4 || id === 's0'));

/** Runs them to the end, of which some fail; and tells in which order they were sent. */
function run(steps: readonly ScheduledStep[], failing: ReadonlySet<string>, most: number) {
  const states = new Map<string, StepState>(steps.map(({ id }) => [id, 'waiting']));
  const sent: string[] = [];
  const because = new Map<string, string>();
  let busiest = 0;
  for (let turn = 0; !isOver(states); turn += 1) {
    if (turn > 100) throw new Error('it never ends');
    const next = schedule(steps, states, most);
    for (const one of next.skip) {
      states.set(one.id, 'skipped');
      because.set(one.id, one.because);
    }
    for (const id of next.send) states.set(id, 'under way');
    sent.push(...next.send);
    const underWay = steps.filter(({ id }) => states.get(id) === 'under way');
    busiest = Math.max(busiest, underWay.length);
    // One ends at a time.
    const [first] = underWay;
    if (first) states.set(first.id, failing.has(first.id) ? 'failed' : 'done');
  }
  return { states, sent, because, busiest };
}

describe('the schedule of a manifest’s operations', () => {
  it('ends, sends nothing twice, and nothing before what it comes after is done', () => {
    fc.assert(
      fc.property(anySteps, fc.subarray(names), fc.integer({ min: 1, max: 4 }), (steps, failing, most) => {
        const { states, sent, busiest } = run(steps, new Set(failing), most);
        expect(new Set(sent).size).toBe(sent.length);
        expect(busiest).toBeLessThanOrEqual(most);
        const known = new Map(steps.map((step) => [step.id, step]));
        for (const id of sent) {
          for (const before of known.get(id)?.after ?? []) {
            if (known.has(before)) expect(states.get(before)).toBe('done');
          }
        }
      }),
    );
  });

  it('skips what comes after a failure or a circle, and nothing else', () => {
    fc.assert(
      fc.property(anySteps, fc.subarray(names), (steps, failing) => {
        const { states, sent, because } = run(steps, new Set(failing), 50);
        const known = new Map(steps.map((step) => [step.id, step]));
        for (const { id, after } of steps) {
          if (states.get(id) !== 'skipped') {
            expect(sent).toContain(id);
            continue;
          }
          const reason = because.get(id) ?? '';
          expect(after.filter((one) => known.has(one))).toContain(reason);
          expect(['failed', 'skipped']).toContain(states.get(reason));
        }
      }),
    );
  });

  it('skips all that can’t be done any more at once, while others are under way', () => {
    const steps = [
      { id: 'c', after: ['b'] },
      { id: 'b', after: ['a'] },
      { id: 'd', after: ['e'] },
    ];
    const states = new Map<string, StepState>([
      ...[...'bcd'].map((id) => [id, 'waiting'] as const),
      ['a', 'failed'],
      ['e', 'under way'],
    ]);
    expect(schedule([...steps, { id: 'e', after: [] }], states, 50)).toEqual({
      send: [],
      skip: [
        { id: 'b', because: 'a' },
        { id: 'c', because: 'b' },
      ],
    });
  });

  it('takes what is there already for done', () => {
    const steps = [{ id: 'b', after: ['a'] }];
    const states = (a: StepState) =>
      new Map<string, StepState>([
        ['a', a],
        ['b', 'waiting'],
      ]);
    expect(schedule(steps, states('unchanged'), 50).send).toEqual(['b']);
    expect(schedule(steps, states('failed'), 50)).toEqual({ send: [], skip: [{ id: 'b', because: 'a' }] });
    expect(schedule([...steps, { id: 'a', after: [] }], states('under way'), 50)).toEqual({
      send: [],
      skip: [],
    });
  });
});
