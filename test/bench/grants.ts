import pg from 'pg';
import { localPassword } from '../../local/postgres/cloudsql.ts';
import { compareGrants, convergeGrants } from '../../shared/postgres/grants/converge.ts';
import { grantsInspection } from '../../shared/postgres/grants/inspect.ts';
import type { DesiredGrants } from '../../shared/postgres/grants/model.ts';
import { identifier, sql } from '../../shared/postgres/sql.ts';
import {
  desired,
  functionLogin,
  instance,
  type PreparedCluster,
  run,
  startPrepared,
} from '../support/postgres.ts';
import { type Benchmark, type BenchmarkOptions, type Result, rounded, scaled } from './benchmark.ts';
import { median, percentile } from './statistics.ts';

const database = 'bench';
const target = { instance, database };
const levels = ['writer', 'reader', 'analyst'] as const;
const principals = Array.from({ length: 100 }, (_, index) => `p${String(index).padStart(3, '0')}`);

/** So many sets are brought into line in one transaction, as `reconcile` and the floor do it. */
const setsAtOnce = 500;

export const grantsApply: Benchmark = {
  name: 'grants-apply',
  description: '100 principals on three levels of 1,000 schemas, from nothing, against the bare statements',
  run: async (options) => {
    const count = scaled(1000, options, 20);
    const statistics = { drover: [] as number[], floor: [] as number[] };
    let statements = 0;
    // Each from nothing, on a server of its own; who comes first changes.
    for (const order of scaled(2, options, 1) > 1
      ? ([
          ['drover', 'floor'],
          ['floor', 'drover'],
        ] as const)
      : ([['drover', 'floor']] as const)) {
      for (const side of order) {
        await withSchemas(count, options, async (cluster) => {
          const all = wantedIn(count);
          if (side === 'drover') statistics.drover.push(await timed(() => apply(cluster, all)));
          else {
            const planned = await plannedFor(cluster, all);
            statements = planned.length;
            statistics.floor.push(await timed(() => bare(cluster, planned)));
            const left = await compareGrants(cluster.pools, target, all, signal());
            if (left.some((plan) => plan === undefined || plan.steps.length > 0))
              throw new Error('the floor left something to do');
          }
        });
      }
    }
    const [mine, floor] = [median(statistics.drover), median(statistics.floor)];
    const ratio = rounded(mine / floor);
    const row = (side: string, ms: number, of: number) => ({
      side,
      schemas: count,
      memberships: count * principals.length,
      statements,
      seconds: rounded(ms / 1000),
      ratio: of,
    });
    return {
      benchmark: 'grants-apply',
      rows: [row('Drover', mine, ratio), row('floor', floor, 1)],
      checks: [{ name: 'ratio', value: ratio, atMost: 1.3 }],
      notes: [],
    };
  },
};

export const grantsNoop: Benchmark = {
  name: 'grants-noop',
  description: 'the same again, where all is as it should be, against one catalog query',
  run: async (options) => {
    const count = scaled(1000, options, 20);
    return withSchemas(count, options, async (cluster) => {
      const all = wantedIn(count);
      await apply(cluster, all);
      // It writes on its own account, whenever it likes.
      await run(cluster.superuserUrl(), 'ALTER SYSTEM SET autovacuum = off', 'SELECT pg_reload_conf()');
      const before = await transactionsThatWrote(cluster);
      const again: number[] = [];
      const compared: number[] = [];
      const bare: number[] = [];
      for (let turn = 0; turn < scaled(20, options); turn += 1) {
        again.push(await timed(() => apply(cluster, all)));
        compared.push(await timed(() => compareGrants(cluster.pools, target, all, signal())));
        bare.push(await timed(() => ask(cluster)));
      }
      const wrote = (await transactionsThatWrote(cluster)) - before;
      const row = (side: string, list: number[]) => ({
        side,
        schemas: count,
        memberships: count * principals.length,
        'P50 ms': rounded(median(list)),
        'P95 ms': rounded(percentile(list, 0.95)),
        ratio: rounded(median(list) / median(bare)),
      });
      return {
        benchmark: 'grants-noop',
        rows: [row('the same again', again), row('comparison', compared), row('floor', bare)],
        checks: [
          { name: 'the same again', value: rounded(median(again)), atMost: 1000, unit: ' ms' },
          { name: 'comparison', value: rounded(median(compared)), atMost: 1000, unit: ' ms' },
          { name: 'transactions that wrote anything to PostgreSQL', value: wrote, atMost: 0 },
        ],
        notes: [],
      };
    });
  },
};

export const grantsOne: Benchmark = {
  name: 'grants-one',
  description: 'one grant more or less in that state, against the same among 10 schemas',
  run: async (options) => {
    const sizes = [10, scaled(1000, options, 50)];
    const measured: { schemas: number; times: number[] }[] = [];
    for (const schemas of sizes) {
      await withSchemas(schemas, options, async (cluster) => {
        await apply(cluster, wantedIn(schemas));
        const times: number[] = [];
        for (let turn = 0; turn < scaled(220, options); turn += 1) {
          const one = oneMore(turn, schemas);
          const took = await timed(() => apply(cluster, [one]));
          if (turn >= 20 * options.scale) times.push(took);
        }
        measured.push({ schemas, times });
      });
    }
    const [few, many] = measured;
    const ratio = rounded(median(many?.times ?? []) / median(few?.times ?? []));
    return {
      benchmark: 'grants-one',
      rows: measured.map(({ schemas, times }) => ({
        schemas,
        changes: times.length,
        'P50 ms': rounded(median(times)),
        'P95 ms': rounded(percentile(times, 0.95)),
      })),
      checks: [{ name: `ratio of the medians, ${sizes[1]} schemas to 10`, value: ratio, atMost: 1.5 }],
      notes: [],
    } satisfies Result;
  },
};

function signal() {
  return { signal: new AbortController().signal, remainingMs: () => 600_000 };
}

const schemaName = (index: number) => `s${String(index).padStart(4, '0')}`;

let epoch = 0;

function wantedIn(count: number): DesiredGrants[] {
  epoch += 1;
  return Array.from({ length: count }, (_, index) => ({
    database,
    schema: schemaName(index),
    grants: principals.map((principal, at) => ({
      role: levels[(index + at) % 3] ?? 'reader',
      principal,
      present: true,
    })),
    customRoles: [],
    surplus: 'revoke',
    undecided: [],
    fence: { epoch, outstanding: false },
  }));
}

/** Another schema each time, and in the next round the opposite. */
function oneMore(turn: number, schemas: number): DesiredGrants {
  epoch += 1;
  const index = (turn * 7) % schemas;
  return {
    database,
    schema: schemaName(index),
    grants: [{ role: 'reader', principal: 'extra', present: Math.floor((turn * 7) / schemas) % 2 === 0 }],
    customRoles: [],
    surplus: 'ignore',
    undecided: [],
    fence: { epoch, outstanding: false },
  };
}

async function apply(cluster: PreparedCluster, all: readonly DesiredGrants[]): Promise<void> {
  for (let at = 0; at < all.length; at += setsAtOnce) {
    await convergeGrants(cluster.pools, target, all.slice(at, at + setsAtOnce), signal());
  }
}

async function plannedFor(cluster: PreparedCluster, all: readonly DesiredGrants[]): Promise<string[]> {
  const planned: string[] = [];
  for (let at = 0; at < all.length; at += setsAtOnce) {
    const some = all.slice(at, at + setsAtOnce);
    const converged = await convergeGrants(
      cluster.pools,
      target,
      some.map((one) => ({ ...one, fence: undefined })),
      signal(),
    );
    planned.push(...converged.planned);
  }
  return planned;
}

/** One connection, one catalog query, the statements one after the other, one transaction. */
async function bare(cluster: PreparedCluster, statements: readonly string[]): Promise<void> {
  await ask(cluster);
  await withFloor(cluster, async (client) => {
    await client.query('BEGIN');
    await client.query(sql`SET LOCAL ROLE ${identifier('drover_admin_00')}`.text);
    for (const statement of statements) await client.query(statement);
    await client.query('COMMIT');
  });
}

const question = sql`SELECT ${grantsInspection({ database, roles: 'all', principals: [] })} AS grants`.text;

async function ask(cluster: PreparedCluster): Promise<void> {
  await withFloor(cluster, (client) => client.query(question));
}

let floor: { cluster: PreparedCluster; client: pg.Client } | undefined;

async function withFloor<T>(cluster: PreparedCluster, use: (client: pg.Client) => Promise<T>): Promise<T> {
  if (floor?.cluster !== cluster) {
    const client = new pg.Client({ connectionString: cluster.url(functionLogin, localPassword, database) });
    await client.connect();
    floor = { cluster, client };
  }
  return use(floor.client);
}

async function withSchemas<T>(
  count: number,
  options: BenchmarkOptions,
  use: (cluster: PreparedCluster) => Promise<T>,
): Promise<T> {
  const cluster = await startPrepared();
  try {
    await cluster.open(database);
    await run(cluster.superuserUrl(), ...[...principals, 'extra'].map((name) => `CREATE ROLE ${name} LOGIN`));
    const left = Array.from({ length: count }, (_, index) => schemaName(index));
    options.progress(`making ${count} schemas`);
    const worker = async () => {
      for (let name = left.pop(); name !== undefined; name = left.pop())
        await cluster.converge(desired(database, name));
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    await withFloor(cluster, async () => undefined);
    options.progress('measuring');
    return await use(cluster);
  } finally {
    await floor?.client.end();
    floor = undefined;
    await cluster.remove();
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const before = performance.now();
  await work();
  return performance.now() - before;
}

async function transactionsThatWrote(cluster: PreparedCluster): Promise<number> {
  return withFloor(cluster, async (client) => {
    const { rows } = await client.query<{ next: string }>(
      'SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS next',
    );
    return Number(rows[0]?.next);
  });
}
