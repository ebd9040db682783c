import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Storage } from '@google-cloud/storage';
import pg from 'pg';
import type { Counts } from '../../functions/sync-repo-metadata/tables/state.ts';
import { localInstance, localProject } from '../../local/stack.ts';
import { hash } from '../../shared/operation/canonical.ts';
import { identifier, sql } from '../../shared/postgres/sql.ts';
import { type Cloud, startCloud } from './cloud.ts';
import { type SyncFloor, startSyncFloor } from './floor/sync-process.ts';
import { askFor } from './sides.ts';
import { type Archived, writeArchive } from './sync-archive.ts';
import type { Tree } from './sync-repository.ts';

const database = 'bench';
const target = { instance: localInstance, database };
const bucket = `${localProject}-uploads`;

export const syncTopic = 'sync-repo-metadata';

/** An archive on disk, of a commit that its name makes. */
export interface ArchiveFile extends Archived {
  readonly file: string;
  readonly tree: Tree;
}

/** An object with its generation, which only one of its uploads has. */
export interface Uploaded {
  readonly name: string;
  readonly generation: string;
  /** Where its content is. */
  readonly url: string;
}

/** Both sides of a comparison, and what they read. */
export interface SyncSides {
  readonly cloud: Cloud;
  readonly floor: SyncFloor;
  /** For looking at what became of it. */
  readonly client: pg.Client;
  archive(tree: Tree, commit: string): Promise<ArchiveFile>;
  upload(archive: ArchiveFile, name: string): Promise<Uploaded>;
  /** Makes an empty schema, with its roles. */
  createSchema(schema: string): Promise<void>;
  sync(repository: string, schema: string, object: Uploaded): Promise<Asked>;
}

/** What an operation of the product came to. */
export interface Asked {
  /** From publishing the message until its result was received. */
  readonly ms: number;
  readonly summary: Counts;
}

export async function withSyncSides<T>(measure: (sides: SyncSides) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(tmpdir(), 'drover-bench-sync-'));
  const cloud = await startCloud([database], ['create-schema', syncTopic]);
  const url = cloud.cluster.superuserUrl(database);
  const client = new pg.Client({ connectionString: url });
  let floor: SyncFloor | undefined;
  try {
    await client.connect();
    // It works on its own account, whenever it likes.
    await client.query('ALTER SYSTEM SET autovacuum = off');
    await client.query('SELECT pg_reload_conf()');
    floor = await startSyncFloor();
    await floor.tell({ connect: url });
    return await measure({ cloud, floor, client, ...actions(cloud, folder) });
  } finally {
    await floor?.stop();
    await client.end();
    await cloud.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

function actions(
  cloud: Cloud,
  folder: string,
): Pick<SyncSides, 'archive' | 'upload' | 'createSchema' | 'sync'> {
  const apiEndpoint = cloud.environment['STORAGE_EMULATOR_HOST'] ?? '';
  const storage = new Storage({ projectId: localProject, apiEndpoint });
  return {
    async archive(tree, commit) {
      const file = path.join(folder, `${commit}.tar.gz`);
      return { file, tree, ...(await writeArchive(file, tree, hash(commit).slice(0, 40))) };
    },
    async upload({ file }, name) {
      const [{ metadata }] = await storage.bucket(bucket).upload(file, { destination: name });
      const generation = String(metadata.generation);
      const place = `${bucket}/o/${encodeURIComponent(name)}`;
      return { name, generation, url: `${apiEndpoint}/download/storage/v1/b/${place}?alt=media` };
    },
    async createSchema(schema) {
      await askFor(cloud, 'create-schema', { target, schema });
    },
    async sync(repository, schema, { name, generation }) {
      const archive = { bucket, object: name, generation };
      const message = { repository, source: 'archive', archive, target, schema };
      const before = performance.now();
      const result = await askFor(cloud, syncTopic, message);
      const ms = performance.now() - before;
      const { data } = JSON.parse(result) as { data: { summary: Counts } };
      return { ms, summary: data.summary };
    },
  };
}

export async function dropSchemas(client: pg.Client, ...schemas: readonly string[]): Promise<void> {
  await client.query(sql`DROP SCHEMA ${schemas.map(identifier)} CASCADE`.text);
}

/** Writes to disk what was written before, so that nobody has to do it while it is measured. */
export async function settle(client: pg.Client): Promise<void> {
  await client.query('CHECKPOINT');
}

/**
 * How many rows of a table were ever written, from PostgreSQL's own count. A session adds what it did when it ends, before it
 * is gone from `pg_stat_activity`; the function ends its own after each sync.
 */
export async function rowsWritten(client: pg.Client, schema: string): Promise<number> {
  const working = "SELECT FROM pg_stat_activity WHERE usename LIKE 'sync\\_%'";
  while ((await client.query(working)).rowCount !== 0);
  const { rows } = await client.query<{ written: string }>(
    `SELECT n_tup_ins + n_tup_upd + n_tup_del AS written
       FROM pg_stat_user_tables WHERE schemaname = $1 AND relname = 'documents'`,
    [schema],
  );
  return Number(rows[0]?.written ?? 0);
}
