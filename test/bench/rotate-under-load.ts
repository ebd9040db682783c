import { setTimeout as delay } from 'node:timers/promises';
import { localProject } from '../../local/stack.ts';
import { roleName } from '../../shared/postgres/names.ts';
import type { TestSecrets } from '../support/secrets.ts';
import {
  type Application,
  type PoolFigures,
  poolSize,
  readTable,
  refreshMs,
  startApplication,
} from './application/process.ts';
import { type Benchmark, type BenchmarkOptions, type Result, rounded, scaled } from './benchmark.ts';
import { type Cloud, startCloud } from './cloud.ts';
import { createSecrets, loginsOf, longAgo, rotateTopic, secretsSchema, withSecrets } from './secrets.ts';
import { askFor } from './sides.ts';
import { watchConnections } from './watch.ts';

const database = 'bench';
const secret = 'load';
const rotations = 200;
/** Until every connection is open. */
const warmUpMs = 3_000;
const baselineMs = 20_000;
const pollMs = 25;
const patienceMs = 60_000;

/** What applications name a version by, each one's pool another. */
const versions = ['current', 'latest'];

export const rotateUnderLoad: Benchmark = {
  name: 'rotate-under-load',
  description: `${rotations} rotations while two pools of ${poolSize} query without pause: none may fail`,
  async run(options) {
    const cloud = await startCloud([database], ['create-schema', rotateTopic]);
    try {
      await createSecrets(cloud, [{ secret, database }], 1);
      await createTable(cloud);
      const application = await startApplication(cloud);
      try {
        return await withSecrets(cloud, (secrets) => measure(cloud, secrets, application, options));
      } finally {
        await application.stop();
      }
    } finally {
      await cloud.stop();
    }
  },
};

async function createTable({ query }: Cloud): Promise<void> {
  const owner = roleName(database, secretsSchema, 'owner');
  await query(
    database,
    `SET ROLE ${owner};
     CREATE TABLE ${readTable.name} (id int PRIMARY KEY, total int NOT NULL);
     INSERT INTO ${readTable.name} SELECT n, n FROM generate_series(1, ${readTable.rows}) n;`,
  );
}

async function measure(
  cloud: Cloud,
  secrets: TestSecrets,
  application: Application,
  options: BenchmarkOptions,
): Promise<Result> {
  const path = `projects/${localProject}/secrets/${secret}/versions`;
  await application.tell({ open: versions.map((version) => `${path}/${version}`) });
  options.progress('querying without rotations');
  await delay(warmUpMs);
  await application.tell({ begin: true });
  const before = watchApplication(cloud);
  await delay(baselineMs * options.scale);
  const { pools: baseline } = await application.tell({ begin: true });
  const undisturbed = await before.stop();

  const count = scaled(rotations, options);
  const during = watchApplication(cloud);
  for (let rotation = 1; rotation <= count; rotation += 1) {
    await rotateOnceFollowed(cloud, secrets);
    if (rotation % 10 === 0) options.progress(`${rotation} of ${count} rotations`);
  }
  await followed(cloud, secrets);
  const { pools } = await application.tell({});
  const connections = await during.stop();
  const sum = (field: 'failed' | 'refreshesFailed') =>
    [...baseline, ...pools].reduce((total, figures) => total + figures[field], 0);
  const problems = [...baseline, ...pools].flatMap(({ firstProblem }) => firstProblem ?? []);
  return {
    benchmark: 'rotate-under-load',
    rows: [...rowsOf(0, baseline, undisturbed), ...rowsOf(count, pools, connections)],
    checks: [
      { name: 'failed queries', value: sum('failed'), atMost: 0 },
      {
        name: 'reads of the secret that failed, and logins of a new pool',
        value: sum('refreshesFailed'),
        atMost: 0,
      },
    ],
    notes: [
      `connections: the most of both pools together; the secret is read every ${refreshMs} ms`,
      ...problems.map((problem) => `the first problem: ${problem}`),
    ],
  };
}

function rowsOf(rotated: number, pools: readonly PoolFigures[], connections: number) {
  return pools.map(({ queries, failed, p50, p99, longest }, index) => ({
    rotations: rotated,
    reads: versions[index] ?? '',
    queries,
    failed,
    'P50 ms': rounded(p50),
    'P99 ms': rounded(p99),
    'longest ms': rounded(longest),
    connections,
  }));
}

function watchApplication(cloud: Cloud) {
  return watchConnections(cloud, `usename IN (${namesOf(loginsOf(secret))}) AND ${notDrovers}`);
}

/**
 * A rotation, without `force`: Drover refuses it where the idle login is in use. Nobody is to be hurried, so it comes when
 * both pools have followed the last one, and the grace period is moved into the past.
 */
async function rotateOnceFollowed(cloud: Cloud, secrets: TestSecrets): Promise<void> {
  await followed(cloud, secrets);
  await secrets.set(secret, { rotatedAt: longAgo() });
  await askFor(cloud, rotateTopic, { secret });
}

/** Resolves when nobody is logged in as whom the secret doesn't name. */
async function followed(cloud: Cloud, secrets: TestSecrets): Promise<void> {
  const { username } = await secrets.credential(secret, 'current');
  const idle = loginsOf(secret).filter((login) => login !== username);
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const [row] = await cloud.query<{ left: number }>(
      'postgres',
      `SELECT count(*)::int AS left FROM pg_stat_activity WHERE usename IN (${namesOf(idle)}) AND ${notDrovers}`,
    );
    if (row?.left === 0) return;
    if (performance.now() > deadline) throw new Error(`${row?.left} sessions of ${idle} are left`);
    await delay(pollMs);
  }
}

const notDrovers = `application_name !~ '^drover/'`;

function namesOf(logins: readonly string[]): string {
  return logins.map((login) => `'${login}'`).join(', ');
}
