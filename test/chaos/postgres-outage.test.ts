import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { target } from '../support/stack.ts';
import { watch } from './points.ts';
import { type ChaosStack, startChaosStack } from './stack.ts';
import { stateOf } from './state.ts';

const outageMs = 10_000;

let stack: ChaosStack;

beforeAll(async () => {
  stack = await startChaosStack();
  // The delivery limit is 100: over an outage, messages come back a little less often than in the other tests.
  await stack.messaging.subscription('create-schema').setMetadata({
    retryPolicy: { minimumBackoff: { nanos: 200_000_000 }, maximumBackoff: { seconds: 1 } },
  });
});

afterAll(() => stack.stop());

/** Resolves when so many changes were committed. */
function committed(count: number): Promise<void> {
  return new Promise((resolve) => {
    let seen = 0;
    const end = watch(stack, ({ call, phase }) => {
      if (call !== 'PostgreSQL: COMMIT' || phase !== 'after') return;
      seen += 1;
      if (seen < count) return;
      end();
      resolve();
    });
  });
}

describe('a burst of messages', () => {
  it.each(['fast', 'immediate'] as const)('loses nothing when PostgreSQL stops (%s)', async (mode) => {
    const schemas = Array.from({ length: 20 }, (_, index) => `${mode}_${index}`);
    const messages = [1, 2, 3, 4, 5].flatMap((revision) => schemas.map((schema) => ({ schema, revision })));
    const underWay = committed(20);
    await Promise.all(
      messages.map(({ schema, revision }) =>
        stack.send(
          'create-schema',
          { target: target('app'), schema, comment: `revision ${revision}` },
          { id: `${schema}-${revision}`, attributes: { revision: String(revision) } },
        ),
      ),
    );
    await underWay;
    await stack.cluster.stop(mode);
    await delay(outageMs);
    await stack.cluster.start();
    await stack.pubsub.idle();

    const states = await Promise.all(
      messages.map(({ schema, revision }) => stateOf(stack, schema, `${schema}-${revision}`)),
    );
    for (const state of states) {
      expect(state).toMatchObject({
        record: { state: 'succeeded', reported: true, error: null },
        events: [expect.stringMatching(/\.succeeded$/)],
        registry: { applied: true, comment: 'revision 5' },
        catalog: { comment: 'revision 5' },
      });
    }
    expect(stack.createSchema.starts(), 'the function survived').toBe(1);
  });
});
