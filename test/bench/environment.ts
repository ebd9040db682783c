import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import pg from 'pg';
import { createCloudSqlCluster } from '../../local/postgres/cloudsql.ts';

/** Where and when figures were made: without it they mean nothing. */
export interface Environment {
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly node: string;
  readonly postgresql: string;
  /** Processes that wanted to run, averaged over the last minute, before the benchmark began. */
  readonly loadBefore: number;
}

export async function describeEnvironment(): Promise<Environment> {
  const [loadBefore = 0] = loadavg();
  return {
    date: new Date().toISOString(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    postgresql: await postgresVersion(),
    loadBefore: Number(loadBefore.toFixed(2)),
  };
}

async function postgresVersion(): Promise<string> {
  const cluster = await createCloudSqlCluster();
  const client = new pg.Client({ connectionString: cluster.superuserUrl() });
  try {
    await client.connect();
    const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
    return rows[0]?.server_version ?? 'unknown';
  } finally {
    await client.end();
    await cluster.remove();
  }
}
