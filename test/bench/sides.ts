import { randomUUID } from 'node:crypto';
import { localInstance } from '../../local/stack.ts';
import { hash } from '../../shared/operation/canonical.ts';
import { operationDocumentId } from '../../shared/registry/operations.ts';
import { type Cloud, startCloud } from './cloud.ts';
import { type Example, type Floor, startFloor } from './floor/process.ts';

export const database = 'bench';
export const productTopic = 'create-schema';

/** Both sides of a comparison, ready to be asked. */
export interface Sides {
  readonly cloud: Cloud;
  readonly floor: Floor;
}

/**
 * Starts both, and stops them when they were measured.
 *
 * @param connections of the floor, warm before it is asked for anything
 */
export async function withSides<T>(connections: number, measure: (sides: Sides) => Promise<T>): Promise<T> {
  const cloud = await startCloud([database]);
  try {
    const floor = await startFloor(cloud);
    try {
      await floor.tell({
        equip: { port: cloud.cluster.port, database, connections, example: await example(cloud) },
      });
      return await measure({ cloud, floor });
    } finally {
      await floor.stop();
    }
  } finally {
    await cloud.stop();
  }
}

/** A real operation, for the floor to write and to publish the same. */
async function example(cloud: Cloud): Promise<Example> {
  const id = randomUUID();
  const [schema = ''] = newSchemas(1);
  const { text } = await cloud.ask(productTopic, id, messageFor(schema));
  return {
    id,
    record: `operations/${operationDocumentId(productTopic, { operationId: id, dryRun: false })}`,
    registered: `schemas/${hash(localInstance, database, schema).slice(0, 40)}`,
    result: text,
  };
}

/** One operation, by whichever side the topic is pushed to: from publishing until its result was received. */
export async function ask(cloud: Cloud, topic: string, schema: string): Promise<void> {
  const { text } = await cloud.ask(topic, randomUUID(), messageFor(schema));
  const { type } = JSON.parse(text) as { type: string };
  if (type !== 'drover.operation.succeeded') throw new Error(`an operation did not succeed: ${text}`);
}

function messageFor(schema: string) {
  return { target: { instance: localInstance, database }, schema };
}

let schemas = 0;

export function newSchemas(count: number): string[] {
  return Array.from({ length: count }, () => {
    schemas += 1;
    return `bench_${schemas}`;
  });
}
