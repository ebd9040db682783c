import { type BenchmarkOptions, type Result, rounded, scaled } from './benchmark.ts';
import { closedLoop, type Timings } from './closed-loop.ts';
import { median, percentile } from './statistics.ts';

export interface Case {
  readonly concurrency: number;
  /** How often the two take turns. */
  readonly turns: number;
  /** Operations in a turn of one of them. */
  readonly operations: number;
  /** The limit for the ratio of the medians, where there is one. */
  readonly atMost?: number;
}

/** The same operations by both sides. */
export interface Contest<T> {
  readonly cases: readonly Case[];
  /** What the two have to do in a turn. */
  deal(count: number): Promise<{ readonly product: readonly T[]; readonly floor: readonly T[] }>;
  product(item: T): Promise<void>;
  floor(item: T): Promise<void>;
}

/** The two take turns, so that the catalog that grows and the machine that tires are the same for both. */
export async function takeTurns<T>(
  options: BenchmarkOptions,
  { cases, deal, ...sides }: Contest<T>,
): Promise<Pick<Result, 'rows' | 'checks'>> {
  const rows: Record<string, string | number>[] = [];
  const checks: Result['checks'][number][] = [];
  for (const { concurrency, operations, atMost, ...one } of cases) {
    const turns = scaled(one.turns, options);
    const measured: Record<'product' | 'floor', Timings[]> = { product: [], floor: [] };
    // The first turn of each warms it up and doesn't count.
    for (let turn = 0; turn <= turns; turn += 1) {
      options.progress(`concurrency ${concurrency}, turn ${turn} of ${turns}`);
      const items = await deal(operations);
      const product = () => closedLoop(items.product, concurrency, sides.product);
      const floor = () => closedLoop(items.floor, concurrency, sides.floor);
      // Who comes first changes, too.
      const timings =
        turn % 2 === 0
          ? { product: await product(), floor: await floor() }
          : { floor: await floor(), product: await product() };
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
    if (atMost !== undefined)
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
