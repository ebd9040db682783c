import { expect, it } from 'vitest';
import type { Cloud } from './cloud.ts';
import { floorTopic } from './floor/process.ts';
import { captureStatements } from './floor/statements.ts';
import { ask, database, newSchemas, productTopic, withSides } from './sides.ts';

it('makes the calls that Drover makes, no more and no fewer', async () => {
  await withSides(1, async ({ cloud, floor }) => {
    const [asked = '', bare = ''] = newSchemas(2);
    const [statements] = await captureStatements(cloud.cluster.port, database, [bare]);
    if (statements === undefined) throw new Error('nothing was captured');
    await floor.tell({ statements: [[bare, statements]] });

    const product = await callsOf(cloud, () => ask(cloud, productTopic, asked));
    const floors = await callsOf(cloud, () => ask(cloud, floorTopic, bare));

    expect(product).toContain('Firestore Commit');
    expect(floors).toEqual(product);
    // The floor's statements make of a schema all that Drover would: it finds nothing left to do.
    expect(await captureStatements(cloud.cluster.port, database, [bare, asked])).toMatchObject([
      { changes: [] },
      { changes: [] },
    ]);
  });
});

/** The calls that the local Firestore and Pub/Sub got while something was done. */
async function callsOf({ stack }: Cloud, work: () => Promise<void>): Promise<string[]> {
  const calls: string[] = [];
  const servers = { Firestore: stack.firestore, 'Pub/Sub': stack.pubsub };
  for (const [name, server] of Object.entries(servers)) {
    if (server === undefined) throw new Error(`${name} is somebody else's`);
    server.intercept = ({ method, phase }) => {
      if (phase === 'before' && isCall(method)) calls.push(`${name} ${method}`);
    };
  }
  await work();
  // The result is published before the record says so; the acknowledgement comes last.
  await stack.pubsub?.idle();
  for (const server of Object.values(servers)) if (server) server.intercept = undefined;
  return calls;
}

/** What a subscriber says to Pub/Sub while it waits has nothing to do with the operation. */
function isCall(method: string): boolean {
  return !['StreamingPull', 'Acknowledge', 'ModifyAckDeadline'].includes(method);
}
