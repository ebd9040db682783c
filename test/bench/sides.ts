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
export function withSides<T>(connections: number, measure: (sides: Sides) => Promise<T>): Promise<T> {
  return withBoth([productTopic], async (sides) => {
    const { cloud, floor } = sides;
    await floor.tell({
      equip: { port: cloud.cluster.port, database, connections, example: await example(cloud) },
    });
    return measure(sides);
  });
}

/** Starts a cloud with some functions and a floor that has yet to be equipped, and stops them. */
export async function withBoth<T>(
  functions: readonly string[],
  use: (sides: Sides) => Promise<T>,
): Promise<T> {
  const cloud = await startCloud([database], functions);
  try {
    const floor = await startFloor(cloud);
    try {
      return await use({ cloud, floor });
    } finally {
      await floor.stop();
    }
  } finally {
    await cloud.stop();
  }
}

/** A real operation, for the floor to write and to publish the same. */
async function example(cloud: Cloud): Promise<Example & { readonly registered: string }> {
  const [schema = ''] = newSchemas(1);
  return {
    ...(await exampleOf(cloud, productTopic, messageFor(schema))),
    registered: `schemas/${hash(localInstance, database, schema).slice(0, 40)}`,
  };
}

/** The same of any message. */
export async function exampleOf(cloud: Cloud, functionName: string, data: unknown): Promise<Example> {
  const id = randomUUID();
  const result = await askFor(cloud, functionName, data, id);
  const record = `operations/${operationDocumentId(functionName, { operationId: id, dryRun: false })}`;
  return { id, record, result };
}

/** One operation, by whichever side the topic is pushed to: from publishing until its result was received. */
export async function ask(cloud: Cloud, topic: string, schema: string): Promise<void> {
  await askFor(cloud, topic, messageFor(schema));
}

/** The same of any message. @returns the result event */
export async function askFor(
  cloud: Pick<Cloud, 'ask'>,
  topic: string,
  data: unknown,
  id: string = randomUUID(),
): Promise<string> {
  const { text } = await cloud.ask(topic, id, data);
  const { type } = JSON.parse(text) as { type: string };
  if (type !== 'drover.operation.succeeded') throw new Error(`an operation did not succeed: ${text}`);
  return text;
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
