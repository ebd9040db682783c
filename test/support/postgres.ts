import pg from 'pg';
import { type CloudSqlCluster, createCloudSqlCluster, localPassword } from '../../local/postgres/cloudsql.ts';
import type { ClusterOptions } from '../../local/postgres/cluster.ts';
import { createPools, type Pools } from '../../shared/postgres/pools.ts';
import {
  type Converged,
  type ConvergeOptions,
  convergeSchema,
} from '../../shared/postgres/schema/converge.ts';
import type { DesiredSchema } from '../../shared/postgres/schema/model.ts';

export const instance = 'acme-dev:europe-west1:main';

/** The login of the function under test. */
export const functionLogin = 'create-schema@acme-dev.iam';

/** A cluster set up like Cloud SQL and prepared for Drover, with the pools of one function. */
export interface PreparedCluster extends CloudSqlCluster {
  readonly pools: Pools;
  /** Converges as the function does; by default under epoch 1. */
  converge(desired: DesiredSchema, options?: Partial<ConvergeOptions>): Promise<Converged>;
  /** Creates a database in which Drover may create schemas. */
  open(database: string): Promise<void>;
}

export async function startPrepared(
  options: Omit<ClusterOptions, 'superuser' | 'password'> = {},
): Promise<PreparedCluster> {
  const cluster = await createCloudSqlCluster(options);
  await cluster.createLogin(functionLogin, 'iam');
  await cluster.prepare([functionLogin]);
  const pools = poolsAs(cluster, functionLogin);
  return {
    ...cluster,
    pools,
    converge: (desired, more = {}) => convergeAs(pools, desired, more),
    async open(database) {
      await cluster.createDatabase(database);
      await cluster.allowCreating(database);
    },
    async remove() {
      await pools.close(0);
      await cluster.remove();
    },
  };
}

export function convergeAs(
  pools: Pools,
  desired: DesiredSchema,
  options: Partial<ConvergeOptions> = {},
): Promise<Converged> {
  return convergeSchema(pools, { instance, database: desired.database }, desired, {
    signal: new AbortController().signal,
    remainingMs: () => 60_000,
    fence: { epoch: 1, outstanding: false },
    ...options,
  });
}

/** Pools of a function that logs in as this role. */
export function poolsAs(cluster: Pick<CloudSqlCluster, 'port'>, user: string): Pools {
  process.env['DROVER_TEST_PASSWORD'] = localPassword;
  return createPools({
    DROVER_INSTANCES: [
      {
        instances: instance,
        connector: 'direct',
        host: '127.0.0.1',
        port: cluster.port,
        user,
        password: { env: 'DROVER_TEST_PASSWORD' },
        tls: 'off',
      },
    ],
    DROVER_CONNECTIONS_PER_DATABASE: 20,
    DROVER_CONNECTIONS_PER_INSTANCE: 32,
    DROVER_CONNECTIONS_PER_PROCESS: 64,
    DROVER_CONNECTION_WAIT_SECONDS: 30,
    FUNCTION_TARGET: 'create-schema',
    DROVER_LEASE_SECONDS: 60,
  });
}

/** Connects, runs `use` and closes. */
export async function connected<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

/** Runs statements one after the other over one connection of its own. */
export function run(url: string, ...statements: readonly string[]): Promise<void> {
  return connected(url, async (client) => {
    for (const statement of statements) await client.query(statement);
  });
}

/** What a schema should be like when a message says no more than its name. */
export function desired(database: string, schema: string, more: Partial<DesiredSchema> = {}): DesiredSchema {
  return {
    database,
    schema,
    levels: ['writer', 'reader', 'analyst'],
    adopt: false,
    lockDatabase: false,
    ...more,
  };
}
