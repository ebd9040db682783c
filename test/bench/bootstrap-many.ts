import { type Isolation, isolations } from '../../shared/registry/tenants/model.ts';
import { type Benchmark, type BenchmarkOptions, type Result, rounded, scaled } from './benchmark.ts';
import { bootstrapByDrover } from './bootstrap.ts';
import { closedLoop } from './closed-loop.ts';
import { type Cloud, startCloud } from './cloud.ts';
import { operationOf } from './floor/tenants.ts';
import { mean, median, percentile } from './statistics.ts';
import { newTenants, sharedDatabase, tenantsTopic } from './tenants.ts';
import { endings, peakMemoryMib, settled } from './watch.ts';

interface Crowd {
  readonly tenants: number;
  /** The first so many are compared with the last so many. */
  readonly window: number;
  /** Not counted: made before, by a function that has only just started. */
  readonly before: number;
}

const crowds: Readonly<Record<Isolation, Crowd>> = {
  schema: { tenants: 1000, window: 100, before: 100 },
  // Ten, for that is a tenth, too, would be hardly more than are under way at a time.
  database: { tenants: 100, window: 25, before: 16 },
};

/** As many as the function takes at a time. */
const concurrency = 8;

export const bootstrapMany: Benchmark = {
  name: 'bootstrap-1000',
  description: '1,000 tenants in one database and 100 with databases of their own, 8 at a time',
  async run(options) {
    const results: Omit<Result, 'benchmark'>[] = [];
    for (const isolation of isolations) {
      const cloud = await startCloud([sharedDatabase], [tenantsTopic]);
      try {
        results.push(await measure(cloud, isolation, options));
      } finally {
        await cloud.stop();
      }
    }
    return {
      benchmark: 'bootstrap-1000',
      rows: results.flatMap(({ rows }) => rows),
      checks: results.flatMap(({ checks }) => checks),
      notes: results.flatMap(({ notes }) => notes),
    };
  },
};

async function measure(
  cloud: Cloud,
  isolation: Isolation,
  options: BenchmarkOptions,
): Promise<Omit<Result, 'benchmark'>> {
  const { tenants: count, ...crowd } = crowds[isolation];
  const running = cloud.functions.get(tenantsTopic);
  const make = (tenant: string) => bootstrapByDrover(cloud, tenant, isolation);
  await closedLoop(newTenants(scaled(crowd.before, options)), concurrency, make);
  const tenants = newTenants(scaled(count, options));
  const durations: number[] = [];
  const { elapsed } = await closedLoop([...tenants.entries()], concurrency, async ([index, tenant]) => {
    const askedAt = performance.now();
    await make(tenant);
    durations[index] = performance.now() - askedAt;
    if ((index + 1) % 50 === 0) options.progress(`${isolation}: ${index + 1} of ${tenants.length}`);
  });
  await settled(cloud);
  const window = scaled(crowd.window, options);
  const first = mean(durations.slice(0, window));
  const last = mean(durations.slice(-window));
  const ratio = rounded(last / first);
  const row = {
    isolation,
    tenants: tenants.length,
    'per second': rounded((tenants.length / elapsed) * 1000),
    'P50 ms': rounded(median(durations)),
    'P95 ms': rounded(percentile(durations, 0.95)),
    'first ms': rounded(first),
    'last ms': rounded(last),
    ratio,
    'peak MiB': peakMemoryMib(running?.pid() ?? 0),
  };
  const ends = endings(cloud, tenants.map(operationOf));
  const check = (name: string, value: number, atMost: number, unit = '') => ({
    name: `${isolation}: ${name}`,
    value,
    atMost,
    unit,
  });
  return {
    rows: [row],
    checks: [
      check(`mean of the last ${window} to that of the first`, ratio, 1.3),
      check('peak memory of the function', row['peak MiB'], 512, ' MiB'),
      check('bootstraps that did not end as succeeded', ends.notSucceeded, 0),
      check('bootstraps with more than one result', ends.repeated, 0),
      check('tenants whose schema or database is missing', await missing(cloud, isolation, tenants), 0),
      check('restarts of the function', (running?.starts() ?? 0) - 1, 0),
    ],
    notes: [`${isolation}, after the first attempt: ${ends.later} bootstraps`],
  };
}

async function missing(cloud: Cloud, isolation: Isolation, tenants: readonly string[]): Promise<number> {
  const found = await cloud.query<{ name: string }>(
    sharedDatabase,
    isolation === 'schema'
      ? 'SELECT nspname AS name FROM pg_namespace'
      : 'SELECT datname AS name FROM pg_database',
  );
  const names = new Set(found.map(({ name }) => name));
  return tenants.filter((tenant) => !names.has(`tenant_${tenant}`)).length;
}
