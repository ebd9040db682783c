import pg from 'pg';
import { type LocalStorage, startStorage } from '../../../local/storage/index.ts';
import { type Archived, type ArchiveOptions, archiveSchemas } from '../../../shared/archive/archive.ts';
import {
  type Restored,
  type RestoreOptions,
  type RestoreRequest,
  restoreSchemas,
} from '../../../shared/archive/restore.ts';
import { listObjects } from '../../../shared/gcp/storage/folder.ts';
import { roleName } from '../../../shared/postgres/names.ts';
import { identifier } from '../../../shared/postgres/sql.ts';
import {
  connected,
  desired,
  instance,
  type PreparedCluster,
  run,
  startPrepared,
} from '../../support/postgres.ts';

export const bucket = 'archives';

/** A cluster and a Cloud Storage, with what archives and restores between them. */
export interface World {
  readonly cluster: PreparedCluster;
  readonly storage: LocalStorage;
  /** Makes a managed schema, in a database that is made where it isn't there. */
  schema(database: string, name: string): Promise<void>;
  /** Runs statements as the owner of a schema. */
  as(database: string, schema: string, ...statements: readonly string[]): Promise<void>;
  /** Runs statements as the superuser. */
  statements(database: string, statements: readonly string[]): Promise<void>;
  query<T extends pg.QueryResultRow>(database: string, text: string): Promise<T[]>;
  archive(
    database: string,
    schemas: readonly string[],
    prefix: string,
    options?: Partial<ArchiveOptions>,
  ): Promise<Archived>;
  restore(
    prefix: string,
    database: string,
    rename?: RestoreRequest['rename'],
    options?: Partial<RestoreOptions>,
  ): Promise<Restored>;
  /** Leaves a transaction of a superuser's open, until it is released. */
  hold(database: string, statement: string): Promise<{ release: () => Promise<void> }>;
  /** Names of the objects whose names begin like this. */
  objects(prefix: string): Promise<string[]>;
  close(): Promise<void>;
}

/** Makes a database as a tenant's own is: Drover's admins own it. */
async function openOwn(cluster: PreparedCluster, database: string): Promise<void> {
  await cluster.open(database);
  const name = identifier(database).text;
  await run(cluster.superuserUrl(database), `ALTER DATABASE ${name} OWNER TO drover_admin`);
}

export const place = (prefix: string) => `gs://${bucket}/${prefix}/`;

export const startArchiveStorage = () => startStorage({ project: 'acme-dev', buckets: [bucket] });

/** @param startingStorage another one would not be asked: a process has one client, which keeps its address */
export async function startWorld(
  starting = startPrepared(),
  startingStorage = startArchiveStorage(),
): Promise<World> {
  const storage = await startingStorage;
  process.env['STORAGE_EMULATOR_HOST'] = `http://${storage.host}`;
  process.env['GOOGLE_CLOUD_PROJECT'] = 'acme-dev';
  const cluster = await starting;
  const databases = new Map<string, Promise<void>>();
  const options = { signal: new AbortController().signal, remainingMs: () => 60_000 };
  return {
    cluster,
    storage,
    async schema(database, name) {
      if (!databases.has(database)) databases.set(database, openOwn(cluster, database));
      await databases.get(database);
      await cluster.converge(desired(database, name));
    },
    as: (database, schema, ...statements) =>
      run(
        cluster.superuserUrl(database),
        `SET ROLE ${identifier(roleName(database, schema, 'owner')).text}`,
        `SET search_path = ''`,
        ...statements,
      ),
    statements: (database, statements) => run(cluster.superuserUrl(database), ...statements),
    query: (database, text) =>
      connected(cluster.superuserUrl(database), async (client) => {
        await client.query(`SET search_path = ''`);
        return (await client.query(text)).rows;
      }),
    archive: (database, schemas, prefix, more) =>
      archiveSchemas(
        cluster.pools,
        {
          target: { instance, database },
          schemas,
          destination: place(prefix),
          description: { tenant: 'acme' },
        },
        { ...options, ...more },
      ),
    restore: (prefix, database, rename = {}, more = {}) =>
      restoreSchemas(
        cluster.pools,
        { source: place(prefix), target: { instance, database }, rename },
        { ...options, ...more },
      ),
    async hold(database, statement) {
      const client = new pg.Client({ connectionString: cluster.superuserUrl(database) });
      await client.connect();
      await client.query(`BEGIN; ${statement}`);
      return { release: () => client.end() };
    },
    objects: async (prefix) =>
      (await listObjects({ bucket, name: prefix }, new AbortController().signal)).map(({ name }) => name),
    async close() {
      await cluster.remove();
      await storage.close();
    },
  };
}
