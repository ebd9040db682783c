import { hash } from '../../shared/operation/canonical.ts';
import type { TestSecrets } from '../support/secrets.ts';
import type { Benchmark, BenchmarkOptions, Result } from './benchmark.ts';
import { callsOf, countCalls, differingCalls } from './calls.ts';
import type { Cloud } from './cloud.ts';
import { floorTopic } from './floor/process.ts';
import { captureRotations } from './floor/rotation-statements.ts';
import { createSecrets, loginsOf, rotateTopic, secretsSchema, withSecrets } from './secrets.ts';
import { askFor, database, exampleOf, type Sides, withBoth } from './sides.ts';
import { type Case, takeTurns } from './turns.ts';

const cases: readonly Case[] = [
  { concurrency: 1, turns: 20, operations: 10, atMost: 1.3 },
  { concurrency: 8, turns: 10, operations: 40 },
];

const mostConcurrent = Math.max(...cases.map(({ concurrency }) => concurrency));

export const rotate: Benchmark = {
  name: 'rotate',
  description:
    'a message until its result event, each a rotation of two users, against the same calls made bare',
  run: (options) => withRotatingSides(mostConcurrent, (sides) => compare(sides, options)),
};

/** Both sides, with secrets of their own that were rotated before. */
export interface RotatingSides extends Sides {
  readonly product: readonly string[];
  readonly bare: readonly string[];
}

/** @param concurrency rotations of a side at a time, each of another secret */
export function withRotatingSides<T>(
  concurrency: number,
  measure: (sides: RotatingSides) => Promise<T>,
): Promise<T> {
  return withBoth(['create-schema', rotateTopic], async (sides) => {
    const { cloud, floor } = sides;
    const names = (side: string) => Array.from({ length: 2 * concurrency }, (_, index) => `${side}-${index}`);
    const product = names('drover');
    const bare = names('floor');
    const all = [...product, ...bare];
    await createSecrets(
      cloud,
      all.map((secret) => ({ secret, database })),
      1,
    );
    for (const secret of all) await rotateByDrover(cloud, secret);
    const example = await exampleOf(cloud, rotateTopic, messageFor(product[0] ?? ''));
    const { port } = cloud.cluster;
    await floor.tell({
      equipForSecrets: { port, database, connections: concurrency, example },
      secrets: await withSecrets(cloud, (secrets) => prepare(cloud, secrets, bare)),
    });
    return measure({ ...sides, product, bare });
  });
}

async function prepare(cloud: Cloud, secrets: TestSecrets, names: readonly string[]) {
  const records = await Promise.all(names.map((secret) => secrets.record(secret)));
  const captured = await captureRotations(
    cloud.cluster.port,
    database,
    names.map((secret, index) => ({
      secret,
      schema: secretsSchema,
      logins: loginsOf(secret),
      epoch: records[index]?.epoch ?? 0,
    })),
  );
  return names.map((secret, index) => ({
    secret,
    registered: `secrets/${hash(secret).slice(0, 40)}`,
    logins: captured[index] ?? [],
  }));
}

async function compare({ cloud, product, bare }: RotatingSides, options: BenchmarkOptions): Promise<Result> {
  const [idle, bareIdle] = [[...product], [...bare]];
  const rotations = {
    product: () => withOne(idle, (secret) => rotateByDrover(cloud, secret)),
    floor: () => withOne(bareIdle, (secret) => rotateByFloor(cloud, secret)),
  };
  const compared = await takeTurns(options, {
    cases,
    deal: async (count) => ({ product: Array(count).fill(undefined), floor: Array(count).fill(undefined) }),
    ...rotations,
  });
  const calls = {
    Drover: await callsOf(cloud, rotations.product),
    floor: await callsOf(cloud, rotations.floor),
  };
  const differing = differingCalls(calls.Drover, calls.floor);
  return {
    benchmark: 'rotate',
    ...compared,
    checks: [...compared.checks, { name: 'calls that only one side makes', value: differing, atMost: 0 }],
    notes: Object.entries(calls).map(([side, made]) => `calls of one rotation, ${side}: ${countCalls(made)}`),
  };
}

/** One rotation of a secret at a time. */
async function withOne(idle: string[], use: (secret: string) => Promise<void>): Promise<void> {
  const secret = idle.shift();
  if (secret === undefined) throw new Error('more rotations at a time than secrets');
  await use(secret);
  idle.push(secret);
}

/** Whatever the grace period says: it would be over only after a day. */
function messageFor(secret: string) {
  return { secret, force: true };
}

export async function rotateByDrover(cloud: Cloud, secret: string): Promise<void> {
  await askFor(cloud, rotateTopic, messageFor(secret));
}

export async function rotateByFloor(cloud: Cloud, secret: string): Promise<void> {
  await askFor(cloud, floorTopic, messageFor(secret));
}
