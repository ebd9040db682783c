import { type Isolation, isolations } from '../../shared/registry/tenants/model.ts';
import { type Benchmark, type BenchmarkOptions, type Result, scaled } from './benchmark.ts';
import { callsOf, countCalls, differingCalls } from './calls.ts';
import { closedLoop } from './closed-loop.ts';
import { type Cloud, startCloud } from './cloud.ts';
import { type Floor, floorTopic, startFloor } from './floor/process.ts';
import { StatementLog } from './floor/recording.ts';
import { operationOf, recordTenant, type TenantTemplate, tenantLike } from './floor/tenants.ts';
import { askFor } from './sides.ts';
import { newTenants, sharedDatabase, tenantMessage, tenantsTopic } from './tenants.ts';
import { type Case, takeTurns } from './turns.ts';

const cases: Readonly<Record<Isolation, Case>> = {
  schema: { concurrency: 1, turns: 12, operations: 6, atMost: 1.3 },
  database: { concurrency: 1, turns: 8, operations: 4, atMost: 1.3 },
};

/** Tenants of a side before anything counts: a bootstrap is much code, which is compiled when it has run some times. */
const warmUp: Readonly<Record<Isolation, number>> = { schema: 40, database: 10 };

export const bootstrap: Benchmark = {
  name: 'bootstrap',
  description: 'a message until its result event, each a whole tenant, against the same calls made bare',
  run: (options) =>
    withBootstrappingSides(async (sides) => {
      const results: Omit<Result, 'benchmark'>[] = [];
      for (const isolation of isolations) results.push(await compare(sides, isolation, options));
      return {
        benchmark: 'bootstrap',
        rows: results.flatMap(({ rows }) => rows),
        checks: results.flatMap(({ checks }) => checks),
        notes: results.flatMap(({ notes }) => notes),
      };
    }),
};

/** Both sides, and what the floor makes of each tenant. */
export interface BootstrappingSides {
  readonly cloud: Cloud;
  readonly floor: Floor;
  readonly templates: Readonly<Record<Isolation, TenantTemplate>>;
}

export async function withBootstrappingSides<T>(
  measure: (sides: BootstrappingSides) => Promise<T>,
): Promise<T> {
  const log = new StatementLog();
  const cloud = await startCloud([sharedDatabase], [tenantsTopic], log.read);
  try {
    // What is done once for a process or a database isn't part of what each tenant takes.
    for (const isolation of isolations) await bootstrapByDrover(cloud, newTenants(1)[0] ?? '', isolation);
    const templates = {
      schema: await recordTenant(cloud, log, 'schema'),
      database: await recordTenant(cloud, log, 'database'),
    };
    const floor = await startFloor(cloud);
    try {
      const { port } = cloud.cluster;
      await floor.tell({ equipForTenants: { port, database: sharedDatabase, connections: 1 } });
      return await measure({ cloud, floor, templates });
    } finally {
      await floor.stop();
    }
  } finally {
    await cloud.stop();
  }
}

async function compare(
  { cloud, floor, templates }: BootstrappingSides,
  isolation: Isolation,
  { scale, progress }: BenchmarkOptions,
): Promise<Omit<Result, 'benchmark'>> {
  const sides = {
    product: (tenant: string) => bootstrapByDrover(cloud, tenant, isolation),
    floor: (tenant: string) => bootstrapByFloor(cloud, tenant, isolation),
  };
  const deal = async (count: number) => {
    const bare = newTenants(count);
    await floor.tell({ tenants: bare.map((tenant) => tenantLike(templates[isolation], tenant)) });
    return { product: newTenants(count), floor: bare };
  };
  progress(`${isolation}, warming up`);
  const early = await deal(scaled(warmUp[isolation], { scale, progress }));
  await closedLoop(early.product, 1, sides.product);
  await closedLoop(early.floor, 1, sides.floor);
  const { rows, checks } = await takeTurns<string>(
    { scale, progress: (what) => progress(`${isolation}, ${what}`) },
    { cases: [cases[isolation]], deal, ...sides },
  );
  const last = await deal(1);
  const calls = {
    Drover: await callsOf(cloud, () => sides.product(last.product[0] ?? '')),
    floor: await callsOf(cloud, () => sides.floor(last.floor[0] ?? '')),
  };
  const differing = differingCalls(calls.Drover, calls.floor);
  return {
    rows: rows.map((row) => ({ isolation, ...row })),
    checks: [
      ...checks.map((check) => ({ ...check, name: `${isolation}: ${check.name}` })),
      { name: `${isolation}: calls that only one side makes`, value: differing, atMost: 0 },
    ],
    notes: Object.entries(calls).map(
      ([side, made]) => `calls of one bootstrap, ${isolation}, ${side}: ${countCalls(made)}`,
    ),
  };
}

export async function bootstrapByDrover(cloud: Cloud, tenant: string, isolation: Isolation): Promise<void> {
  await askFor(cloud, tenantsTopic, tenantMessage(tenant, isolation), operationOf(tenant));
}

/** The floor has to be told of the tenant before. */
export async function bootstrapByFloor(cloud: Cloud, tenant: string, isolation: Isolation): Promise<void> {
  await askFor(cloud, floorTopic, tenantMessage(tenant, isolation), operationOf(tenant));
}
