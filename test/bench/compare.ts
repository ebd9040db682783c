import { type Benchmark, type BenchmarkOptions, type Result, rounded, scaled } from './benchmark.ts';
import { closedLoop, type Timings } from './closed-loop.ts';
import type { Cloud } from './cloud.ts';
import { floorTopic } from './floor/process.ts';
import { captureStatements } from './floor/statements.ts';
import { ask, database, newSchemas, productTopic, type Sides, withSides } from './sides.ts';
import { median, percentile } from './statistics.ts';

interface Case {
  readonly concurrency: number;
  /** How often the two take turns. */
  readonly turns: number;
  /** Operations in a turn of one of them. */
  readonly operations: number;
  /** The limit for the ratio of the medians. */
  readonly atMost: number;
}

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

/** The two take turns, so that the catalog that grows and the machine that tires are the same for both. */
async function compare(
  { cloud, floor }: Sides,
  options: BenchmarkOptions,
  schemasFor: (count: number) => string[],
): Promise<Pick<Result, 'rows' | 'checks'>> {
  const rows: Record<string, string | number>[] = [];
  const checks: Result['checks'][number][] = [];
  for (const { concurrency, operations, atMost, ...one } of cases) {
    const turns = scaled(one.turns, options);
    const measured: Record<'product' | 'floor', Timings[]> = { product: [], floor: [] };
    // The first turn of each warms it up and doesn't count.
    for (let turn = 0; turn <= turns; turn += 1) {
      options.progress(`concurrency ${concurrency}, turn ${turn} of ${turns}`);
      const asked = schemasFor(operations);
      const bare = schemasFor(operations);
      const captured = await captureStatements(cloud.cluster.port, database, bare);
      await floor.tell({ statements: captured.map((texts, index) => [bare[index] ?? '', texts]) });
      const product = () => closedLoop(asked, concurrency, (schema) => ask(cloud, productTopic, schema));
      const calls = () => closedLoop(bare, concurrency, (schema) => ask(cloud, floorTopic, schema));
      // Who comes first changes, too.
      const timings =
        turn % 2 === 0
          ? { product: await product(), floor: await calls() }
          : { floor: await calls(), product: await product() };
      if (turn === 0) continue;
      measured.product.push(timings.product);
      measured.floor.push(timings.floor);
    }
    const figures = { product: summarize(measured.product), floor: summarize(measured.floor) };
    const ratio = rounded(figures.product['P50 ms'] / figures.floor['P50 ms']);
    rows.push(
      { concurrency, side: 'Drover', ...figures.product, ratio },
      { concurrency, side: 'floor', ...figures.floor, ratio: 1 },
    );
    checks.push({ name: `ratio of the medians at concurrency ${concurrency}`, value: ratio, atMost });
  }
  return { rows, checks };
}

function summarize(timings: readonly Timings[]) {
  const latencies = timings.flatMap((turn) => turn.latencies);
  const elapsed = timings.reduce((sum, turn) => sum + turn.elapsed, 0);
  return {
    operations: latencies.length,
    'P50 ms': rounded(median(latencies)),
    'P95 ms': rounded(percentile(latencies, 0.95)),
    'per second': rounded((latencies.length / elapsed) * 1000),
  };
}

/** PostgreSQL gives a transaction a number when it writes for the first time, and only then. */
async function transactionsThatWrote(cloud: Cloud): Promise<number> {
  const [row] = await cloud.query<{ next: string }>(
    'postgres',
    'SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS next',
  );
  return Number(row?.next);
}
