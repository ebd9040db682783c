import { readFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { type Cluster, type ClusterOptions, createCluster, createDataDirectory } from './cluster.ts';

/** A cluster set up like a Cloud SQL instance. */
export interface CloudSqlCluster extends Cluster {
  /** For looking inside, and for what only Google does on Cloud SQL. */
  superuserUrl(database?: string): string;
  /** The limited admin that users of Cloud SQL have. */
  adminUrl(database?: string): string;
  /** Creates a login, as the Admin API would: a service account (`iam`) or one with a password. */
  createLogin(name: string, kind: 'iam' | 'password'): Promise<void>;
  /** Creates a database as the Admin API does, owned by `cloudsqlsuperuser`. */
  createDatabase(name: string): Promise<void>;
  /** Lets Drover create schemas in a database, as its owner would. */
  allowCreating(database: string): Promise<void>;
  /** Runs the project's own preparation SQL as the admin. */
  prepare(logins: readonly string[]): Promise<void>;
}

/** Everybody's password in a cluster that listens on loopback and lives for one session. */
export const localPassword = 'drover-local';

const prepareSql = path.resolve(import.meta.dirname, '..', '..', 'shared', 'postgres', 'prepare.sql');

const superuser = 'cloudsqladmin';

/** Names a data directory of {@link createCloudSqlDataDirectory} that clusters are copied from. */
export const templateVariable = 'DROVER_POSTGRES_TEMPLATE';

/** Makes what takes most of the time of a new cluster, for many of them. */
export function createCloudSqlDataDirectory(): ReturnType<typeof createDataDirectory> {
  return createDataDirectory({ superuser, password: localPassword });
}

export async function createCloudSqlCluster(
  options: Omit<ClusterOptions, 'superuser' | 'password'> = {},
): Promise<CloudSqlCluster> {
  const template = options.binariesFrom === undefined ? process.env[templateVariable] : undefined;
  const copied = template === undefined ? {} : { template };
  const cluster = await createCluster({ ...options, ...copied, superuser, password: localPassword });
  const superuserUrl = (database?: string) => cluster.url(superuser, localPassword, database);
  const adminUrl = (database?: string) => cluster.url('postgres', localPassword, database);

  const setup = readFileSync(path.join(import.meta.dirname, 'cloudsql.sql'), 'utf8');
  // CREATE DATABASE can't share a transaction, which is what several statements in one query are.
  await execute(
    superuserUrl(),
    ...setup.replace(':password', pg.escapeLiteral(localPassword)).split(/;\s*$/m),
  );

  return {
    ...cluster,
    superuserUrl,
    adminUrl,
    createLogin: (name, kind) =>
      execute(
        superuserUrl(),
        `CREATE ROLE ${pg.escapeIdentifier(name)} LOGIN PASSWORD ${pg.escapeLiteral(localPassword)}
           IN ROLE ${kind === 'iam' ? 'cloudsqliamserviceaccount' : 'cloudsqlsuperuser'}`,
      ),
    createDatabase: (name) =>
      execute(superuserUrl(), `CREATE DATABASE ${pg.escapeIdentifier(name)} OWNER cloudsqlsuperuser`),
    allowCreating: (database) =>
      execute(adminUrl(), `GRANT CREATE ON DATABASE ${pg.escapeIdentifier(database)} TO drover_admin`),
    prepare: (logins) =>
      execute(
        adminUrl(),
        `SET drover.logins = ${pg.escapeLiteral(logins.join(','))};\n${readFileSync(prepareSql, 'utf8')}`,
      ),
  };
}

async function execute(url: string, ...statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}
