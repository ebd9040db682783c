import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GrpcError } from '../../local/grpc/server.ts';
import { target } from '../support/stack.ts';
import { nameOf, type Point, watch } from './points.ts';
import { type ChaosStack, longSilenceSeconds, startChaosStack } from './stack.ts';
import { stateOf } from './state.ts';

/**
 * The numbered steps of shared/operation/life.ts, each by the first and the last point at which it can be interrupted
 * from outside. Steps 2 and 3 call nobody: they lie between the push and the claim.
 */
const steps: readonly { readonly step: string; readonly from: string; readonly to: string }[] = [
  { step: '1 deliver', from: 'before Pub/Sub: push', to: 'before Pub/Sub: push' },
  { step: '2 validate and 3 authorize', from: 'before Firestore: claim', to: 'before Firestore: claim' },
  { step: '4 claim', from: 'after Firestore: claim', to: 'after Firestore: claim' },
  {
    step: '5 run, the intent',
    from: 'before Firestore: database',
    to: 'after Firestore: intent',
  },
  { step: '5 run, the effect', from: 'before PostgreSQL: Startup', to: 'after PostgreSQL: COMMIT' },
  {
    step: '6 complete',
    from: 'before Firestore: read operations and schemas and lock (2)',
    to: 'after Firestore: complete',
  },
  { step: '7 report', from: 'before Pub/Sub: publish', to: 'after Firestore: reported' },
  { step: '8 acknowledge', from: 'after Pub/Sub: push', to: 'after Pub/Sub: push' },
];

let stack: ChaosStack;
let points: Point[];

/**
 * The statements of a change are sent without waiting for each other and none counts before COMMIT: the first, one in
 * the middle and the last stand for all of them.
 */
const isStatement = ({ call }: Point) => /^PostgreSQL: (CREATE|COMMENT|GRANT|ALTER)/.test(call);

function isWorthIt(point: Point): boolean {
  const statements = points.filter(isStatement).filter(({ phase }) => phase === point.phase);
  const [first, last] = [statements.at(0), statements.at(-1)];
  if (isStatement(point)) return [first, last].includes(point) || point.call === 'PostgreSQL: CREATE SCHEMA';
  // Between two calls nothing changes outside: of a call's end and the beginning of the next one, one will do.
  const previous = points[points.indexOf(point) - 1];
  return point.phase === 'after' || previous?.phase !== 'after';
}

/** The points of a run that nothing disturbs, by a process that has just started. */
beforeAll(async () => {
  stack = await startChaosStack();
  const send = (schema: string) =>
    stack.send('create-schema', { target: target('app'), schema }, { id: schema });
  await send('first_of_its_database');
  await stack.pubsub.idle();
  await kill();
  points = [];
  const end = watch(stack, (point) => {
    if (!point.call.includes("test's")) points.push(point);
  });
  await send('undisturbed');
  await stack.pubsub.idle();
  end();
});

afterAll(() => stack.stop());

async function kill(): Promise<void> {
  const restarted = stack.createSchema.restarted();
  process.kill(stack.createSchema.pid(), 'SIGKILL');
  await restarted;
}

/** Sends a message, and kills the function when it comes to a point. */
async function killAt(fatal: Point, schema: string): Promise<void> {
  // A process that has worked before knows the database and is connected already.
  if (/Startup|Password|database/.test(fatal.call)) await kill();
  let restarted: Promise<void> | undefined;
  const end = watch(stack, (point) => {
    if (restarted !== undefined || nameOf(point) !== nameOf(fatal)) return;
    restarted = stack.createSchema.restarted();
    process.kill(stack.createSchema.pid(), 'SIGKILL');
    // The dead are silent: the lease ends, and so does a transaction that was open.
    stack.firestore.advance(longSilenceSeconds);
    throw new GrpcError(status.UNAVAILABLE, 'the function was killed here');
  });
  await stack.send(
    'create-schema',
    { target: target('app'), schema, comment: `of ${schema}` },
    { id: schema },
  );
  await stack.pubsub.idle();
  end();
  expect(restarted, `nothing came to "${nameOf(fatal)}"`).toBeDefined();
  await restarted;
}

function pointsOf({ from, to }: { from: string; to: string }): Point[] {
  const names = points.map(nameOf);
  const [first, last] = [names.indexOf(from), names.indexOf(to)];
  expect(first, `no point "${from}"`).toBeGreaterThanOrEqual(0);
  expect(last, `no point "${to}"`).toBeGreaterThanOrEqual(first);
  return points.slice(first, last + 1);
}

describe('a function that is killed', () => {
  it('has no point of its life outside of the numbered steps', () => {
    expect(steps.flatMap(pointsOf).map(nameOf)).toEqual(points.map(nameOf));
    expect(steps.map(({ step }) => step).join(' ')).toMatch(/1.+2.+3.+4.+5.+6.+7.+8/);
  });

  it.each(steps)(
    'in step $step loses nothing and does nothing twice',
    async ({ step, ...range }) => {
      for (const [index, point] of pointsOf(range).filter(isWorthIt).entries()) {
        const schema = `killed_${step.replaceAll(/\W+/g, '_')}_${index}`.toLowerCase();
        await killAt(point, schema);
        expect.soft(await stateOf(stack, schema), nameOf(point)).toEqual(done(schema));
      }
    },
    120_000,
  );
});

function done(schema: string) {
  return {
    record: { state: 'succeeded', reported: true, error: null },
    events: [expect.stringMatching(/^[0-9a-f]{40}\.\d+\.succeeded$/)],
    registry: { applied: true, comment: `of ${schema}`, undecided: 0 },
    catalog: {
      comment: `of ${schema}`,
      owner: `app__${schema}__owner`,
      roles: ['analyst', 'owner', 'reader', 'writer'].map((level) => `app__${schema}__${level}`),
      epoch: expect.any(Number),
    },
  };
}
