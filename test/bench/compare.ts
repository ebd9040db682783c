import type { Benchmark, BenchmarkOptions, Result } from './benchmark.ts';
import { closedLoop } from './closed-loop.ts';
import type { Cloud } from './cloud.ts';
import { floorTopic } from './floor/process.ts';
import { captureStatements } from './floor/statements.ts';
import { ask, database, newSchemas, productTopic, type Sides, withSides } from './sides.ts';
import { type Case, takeTurns } from './turns.ts';

const cases: readonly Case[] = [
  { concurrency: 1, turns: 20, operations: 10, atMost: 1.5 },
  { concurrency: 16, turns: 10, operations: 80, atMost: 1.3 },
];

const mostConcurrent = Math.max(...cases.map(({ concurrency }) => concurrency));

export const createSchema: Benchmark = {
  name: 'create-schema',
  description: 'a message until its result event, each a new schema, against the same calls made bare',
  run: (options) =>
    withSides(mostConcurrent, async (sides) => {
      const compared = await compare(sides, options, (count) => newSchemas(count));
      return { benchmark: 'create-schema', ...compared, notes: [] };
    }),
};

export const noOp: Benchmark = {
  name: 'no-op',
  description: 'the same for schemas that are as they should be: nothing may be written to PostgreSQL',
  run: (options) =>
    withSides(mostConcurrent, async (sides) => {
      const { cloud } = sides;
      const existing = newSchemas(80);
      await closedLoop(existing, 8, (schema) => ask(cloud, productTopic, schema));
      // It writes on its own account, whenever it likes.
      await cloud.query('postgres', 'ALTER SYSTEM SET autovacuum = off');
      await cloud.query('postgres', 'SELECT pg_reload_conf()');
      const before = await transactionsThatWrote(cloud);
      const compared = await compare(sides, options, (count) =>
        Array.from({ length: count }, (_, index) => existing[index % existing.length] ?? ''),
      );
      const wrote = (await transactionsThatWrote(cloud)) - before;
      const writing = { name: 'transactions that wrote anything to PostgreSQL', value: wrote, atMost: 0 };
      return { benchmark: 'no-op', ...compared, checks: [...compared.checks, writing], notes: [] };
    }),
};

/** The floor is told beforehand what to say to PostgreSQL. */
function compare(
  { cloud, floor }: Sides,
  options: BenchmarkOptions,
  schemasFor: (count: number) => string[],
): Promise<Pick<Result, 'rows' | 'checks'>> {
  return takeTurns<string>(options, {
    cases,
    product: (schema) => ask(cloud, productTopic, schema),
    floor: (schema) => ask(cloud, floorTopic, schema),
    async deal(count) {
      const asked = schemasFor(count);
      const bare = schemasFor(count);
      const captured = await captureStatements(cloud.cluster.port, database, bare);
      await floor.tell({ statements: captured.map((texts, index) => [bare[index] ?? '', texts]) });
      return { product: asked, floor: bare };
    },
  });
}

/** PostgreSQL gives a transaction a number when it writes for the first time, and only then. */
async function transactionsThatWrote(cloud: Cloud): Promise<number> {
  const [row] = await cloud.query<{ next: string }>(
    'postgres',
    'SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS next',
  );
  return Number(row?.next);
}
