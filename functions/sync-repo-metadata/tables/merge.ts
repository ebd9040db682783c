import type pg from 'pg';
import { qualified } from '../../../shared/postgres/sql.ts';
import type { ResolvedCatalog } from '../catalog/collections.ts';
import type { CatalogFiles } from '../catalog/find.ts';
import type { Problem } from '../documents/document.ts';
import type { StagedDocument } from './staging.ts';
import type { Counts, KnownDocument, Origin, PastSync } from './state.ts';

/** What a sync writes, beside the documents that are staged. */
export interface Merge {
  readonly schema: string;
  readonly repository: string;
  readonly commit: string | undefined;
  /** When the commit was made, or where nobody says when it was synced. */
  readonly at: Date;
  readonly losers: readonly Pick<StagedDocument, 'collection' | 'key' | 'path'>[];
  readonly gone: readonly Pick<KnownDocument, 'collection' | 'key'>[];
}

/** How many rows were written, of each kind. */
export type Written = Pick<Counts, 'added' | 'updated' | 'deleted'>;

/**
 * Writes what is staged, and deletes what is gone: a statement each, in a transaction, as the owner. A row that is already what
 * it should be is left as it is.
 */
export async function mergeDocuments(client: pg.ClientBase, merge: Merge): Promise<Written> {
  const { schema, repository, commit, at, losers, gone } = merge;
  const documents = qualified(schema, 'documents').text;
  if (losers.length > 0) {
    await client.query(
      `DELETE FROM pg_temp.staged s
        USING unnest($1::text[], $2::text[], $3::text[]) l(collection, key, path)
        WHERE s.collection = l.collection AND s.key = l.key AND s.path = l.path`,
      [column(losers, 'collection'), column(losers, 'key'), column(losers, 'path')],
    );
  }
  const { rows } = await client.query<{ added: string; updated: string }>(
    `
WITH written AS (
  INSERT INTO ${documents} AS d
    (repository, collection, key, path, parts, blob, definition, title, metadata, text, refs, search,
     created_commit, created_at, updated_commit, updated_at)
  SELECT $1, collection, key, path, parts, blob, definition, title, metadata, text, refs, search, $2, $3, $2, $3
    FROM pg_temp.staged
  ON CONFLICT (repository, collection, key) DO UPDATE
    SET path = excluded.path, parts = excluded.parts, blob = excluded.blob, definition = excluded.definition,
        title = excluded.title, metadata = excluded.metadata, text = excluded.text, refs = excluded.refs,
        search = excluded.search,
        updated_commit = CASE WHEN (d.path, d.blob) = (excluded.path, excluded.blob) THEN d.updated_commit ELSE $2 END,
        updated_at = CASE WHEN (d.path, d.blob) = (excluded.path, excluded.blob) THEN d.updated_at ELSE $3 END
    WHERE (d.path, d.blob, d.definition, d.title, d.parts, d.metadata, d.refs, d.text, d.search) IS DISTINCT FROM
          (excluded.path, excluded.blob, excluded.definition, excluded.title, excluded.parts, excluded.metadata,
           excluded.refs, excluded.text, excluded.search)
  RETURNING xmax = 0 AS inserted)
SELECT count(*) FILTER (WHERE inserted) AS added, count(*) FILTER (WHERE NOT inserted) AS updated FROM written`,
    [repository, commit ?? null, at],
  );
  const removed =
    gone.length === 0
      ? undefined
      : await client.query(
          `DELETE FROM ${documents} d
            USING unnest($2::text[], $3::text[]) g(collection, key)
            WHERE d.repository = $1 AND d.collection = g.collection AND d.key = g.key`,
          [repository, column(gone, 'collection'), column(gone, 'key')],
        );
  const [counted] = rows;
  return {
    added: Number(counted?.added),
    updated: Number(counted?.updated),
    deleted: removed?.rowCount ?? 0,
  };
}

function column<T, K extends keyof T>(rows: readonly T[], name: K): T[K][] {
  return rows.map((row) => row[name]);
}

/** How many documents there are, by collection. */
export async function countDocuments(
  client: pg.ClientBase,
  schema: string,
  repository: string,
): Promise<Record<string, number>> {
  const { rows } = await client.query<{ collection: string; count: string }>(
    `SELECT collection, count(*) FROM ${qualified(schema, 'documents').text} WHERE repository = $1 GROUP BY collection`,
    [repository],
  );
  return Object.fromEntries(rows.map(({ collection, count }) => [collection, Number(count)]));
}

/** Some problems, and how many there are in all. */
export interface FoundProblems {
  readonly first: readonly Problem[];
  readonly count: number;
}

/** What a former run found. */
export async function problemsOf(
  client: pg.ClientBase,
  schema: string,
  repository: string,
  number: number,
): Promise<FoundProblems> {
  const { rows } = await client.query<{ first: Problem[]; count: string }>(
    `SELECT problem AS first, problems AS count FROM ${qualified(schema, 'syncs').text} WHERE repository = $1 AND number = $2`,
    [repository, number],
  );
  return { first: rows[0]?.first ?? [], count: Number(rows[0]?.count ?? 0) };
}

/** Documents that name others which aren't there: the first of them, and how many there are. */
export async function danglingReferences(
  client: pg.ClientBase,
  schema: string,
  repository: string,
  most: number,
): Promise<FoundProblems> {
  const documents = qualified(schema, 'documents').text;
  const { rows } = await client.query<Dangling>(
    `
SELECT d.collection, d.path, r ->> 'field' AS field, r ->> 'collection' AS other,
       pg_catalog.left(r ->> 'key', 200) AS key,
       count(*) OVER () AS count
  FROM ${documents} d, jsonb_array_elements(d.refs) r
 WHERE d.repository = $1 AND d.refs <> '[]'
   AND NOT EXISTS (
     SELECT FROM ${documents} o
      WHERE o.repository = $1 AND o.collection = r ->> 'collection' AND o.key = r ->> 'key')
 ORDER BY d.path, field, key
 LIMIT $2`,
    [repository, most],
  );
  return {
    count: Number(rows[0]?.count ?? 0),
    first: rows.map(({ collection, path, field, other, key }) => ({
      code: 'REFERENCE_NOT_FOUND',
      path,
      collection,
      message: `${field} names ${key}, which is no document of ${other}`,
    })),
  };
}

interface Dangling {
  collection: string;
  path: string;
  field: string;
  other: string;
  key: string;
  count: string;
}

/** A run, as it is written down. */
export interface SyncRecord extends PastSync {
  readonly schema: string;
  readonly repository: string;
  readonly operation: string;
  readonly state: 'applied' | 'unchanged';
  readonly source: 'github' | 'archive';
  readonly ref: string | undefined;
  readonly startedAt: Date;
  readonly origin: Origin;
  readonly catalog: ResolvedCatalog;
  readonly catalogFiles: CatalogFiles;
}

/** Of a repository that is synced every day, the runs of some years. */
const runsKept = 1000;

/** Notes a run and what the repository's tables are now, in the transaction that made them so. */
export async function recordRun(client: pg.ClientBase, run: SyncRecord): Promise<void> {
  const { schema, repository, number, source, ref, commit, committedAt, syncedAt, counts } = run;
  // By one clock: the database's need not be the worker's.
  const durationMs = Date.now() - run.startedAt.getTime();
  const repositories = qualified(schema, 'repositories').text;
  const syncs = qualified(schema, 'syncs').text;
  await client.query(
    `
INSERT INTO ${repositories} (repository, source, ref, commit, committed_at, number, origin, catalog, catalog_files, synced_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (repository) DO UPDATE
  SET source = excluded.source, ref = excluded.ref, commit = excluded.commit, committed_at = excluded.committed_at,
      number = excluded.number, origin = excluded.origin, catalog = excluded.catalog,
      catalog_files = excluded.catalog_files, synced_at = excluded.synced_at`,
    [
      repository,
      source,
      ref ?? null,
      commit ?? null,
      committedAt ?? null,
      number,
      JSON.stringify(run.origin),
      JSON.stringify(run.catalog),
      JSON.stringify(run.catalogFiles),
      syncedAt,
    ],
  );
  await client.query(
    `
INSERT INTO ${syncs} (repository, number, operation, state, source, commit, committed_at, started_at, finished_at,
                      duration_ms, documents, added, updated, deleted, unchanged, problems, problem)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`,
    [
      repository,
      number,
      run.operation,
      run.state,
      source,
      commit ?? null,
      committedAt ?? null,
      new Date(syncedAt.getTime() - durationMs),
      syncedAt,
      durationMs,
      counts.documents,
      counts.added,
      counts.updated,
      counts.deleted,
      counts.unchanged,
      counts.problems,
      JSON.stringify(run.problems),
    ],
  );
  await client.query(`DELETE FROM ${syncs} WHERE repository = $1 AND number <= $2`, [
    repository,
    number - runsKept,
  ]);
}
