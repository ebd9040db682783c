import type pg from 'pg';
import { OperationError } from '../../../shared/operation/errors.ts';
import { qualified, type Sql, sql } from '../../../shared/postgres/sql.ts';
import type { ResolvedCatalog } from '../catalog/collections.ts';
import type { CatalogFiles } from '../catalog/find.ts';
import type { Problem } from '../documents/document.ts';
import { type Table, tableMarker, tables } from './definition.ts';

/** Where the files of the last sync came from, and what orders it among others. */
export interface Origin {
  /** Of the message. */
  readonly publishedAt: string;
  readonly revision?: number;
  /** Of an archive. */
  readonly bucket?: string;
  readonly object?: string;
  readonly generation?: string;
  /** As the message had them. */
  readonly root?: string;
  readonly commit?: string;
  /** What GitHub said last of where the ref is. */
  readonly head?: { readonly ref: string; readonly sha: string; readonly etag: string };
}

/** What the tables say of a repository. */
export interface StoredRepository {
  readonly source: 'github' | 'archive';
  readonly ref: string | undefined;
  readonly commit: string | undefined;
  readonly committedAt: Date | undefined;
  /** Of its last sync. */
  readonly number: number;
  /** How many it found. */
  readonly problems: number;
  readonly origin: Origin;
  readonly catalog: ResolvedCatalog;
  readonly catalogFiles: CatalogFiles;
}

export interface Counts {
  /** That there are now. */
  readonly documents: number;
  readonly added: number;
  readonly updated: number;
  readonly deleted: number;
  readonly unchanged: number;
  readonly problems: number;
}

/** A run that wrote what it did: an operation that did finds itself, whatever became of its worker. */
export interface PastSync {
  readonly number: number;
  readonly commit: string | undefined;
  readonly committedAt: Date | undefined;
  /** By the database's clock. */
  readonly syncedAt: Date;
  readonly counts: Counts;
  readonly problems: readonly Problem[];
}

/** A document's row, as far as it decides whether its file has to be read. */
export interface KnownDocument {
  readonly collection: string;
  readonly key: string;
  readonly path: string;
  readonly blob: string;
  readonly definition: string;
}

/** A table, view or whatever else has a name among them. */
export interface Relation {
  readonly kind: string;
  readonly comment: string | null;
}

export type Relations = Readonly<Record<string, Relation>>;

/** The relations of a schema, with what their comments say. */
export function inspectRelations(schema: string): Sql {
  return sql`
SELECT coalesce(
         jsonb_object_agg(c.relname, jsonb_build_object(
           'kind', c.relkind, 'comment', pg_catalog.obj_description(c.oid, 'pg_class'))), '{}') AS relations
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = ${schema}`;
}

/**
 * Which of the tables are missing: all or none.
 *
 * @throws OperationError `TABLE_TAKEN`
 */
export function missingTables(schema: string, relations: Relations): readonly Table[] {
  const taken = tables.filter((table) => {
    const found = relations[table];
    return found !== undefined && (found.kind !== 'r' || found.comment !== tableMarker(table));
  });
  if (taken.length > 0) {
    throw new OperationError(
      'TABLE_TAKEN',
      `Schema ${schema} has ${taken.join(', ')} already, which Drover did not make: sync to another schema, or rename them`,
      { details: { schema, taken } },
    );
  }
  const missing = tables.filter((table) => relations[table] === undefined);
  if (missing.length === 0 || missing.length === tables.length) return missing;
  throw new OperationError(
    'TABLE_MISSING',
    `Schema ${schema} has lost ${missing.join(', ')}: restore it, or drop ${tables.join(', ')} (they are made again by the next sync)`,
    { details: { schema, missing } },
  );
}

/** Reads what the tables say of a repository, and whether an operation is done already. In a transaction, as the owner. */
export async function readRepository(
  client: pg.ClientBase,
  schema: string,
  repository: string,
  operation: string,
): Promise<{ readonly stored: StoredRepository | undefined; readonly past: PastSync | undefined }> {
  const { rows } = await client.query(
    `SELECT to_json(r) AS stored, l.problems, to_json(s) AS past
       FROM (SELECT 1) one
       LEFT JOIN ${qualified(schema, 'repositories').text} r ON r.repository = $1
       LEFT JOIN ${qualified(schema, 'syncs').text} l ON l.repository = $1 AND l.number = r.number
       LEFT JOIN ${qualified(schema, 'syncs').text} s ON s.repository = $1 AND s.operation = $2`,
    [repository, operation],
  );
  const [{ stored, problems, past }] = rows as [Found];
  return {
    stored: stored === null ? undefined : storedRepository(stored, Number(problems ?? 0)),
    past: past === null ? undefined : pastSync(past),
  };
}

/** All rows of a repository's documents, in no order. In a transaction, as the owner. */
export async function readKnown(
  client: pg.ClientBase,
  schema: string,
  repository: string,
): Promise<KnownDocument[]> {
  const { rows } = await client.query<KnownDocument>(
    `SELECT collection, key, path, blob, definition FROM ${qualified(schema, 'documents').text} WHERE repository = $1`,
    [repository],
  );
  return rows;
}

interface Found {
  stored: StoredRow | null;
  problems: string | null;
  past: PastRow | null;
}

interface StoredRow {
  source: 'github' | 'archive';
  ref: string | null;
  commit: string | null;
  committed_at: string | null;
  number: number;
  origin: Origin;
  catalog: ResolvedCatalog;
  catalog_files: CatalogFiles;
}

type PastRow = Counts & {
  number: number;
  commit: string | null;
  committed_at: string | null;
  finished_at: string;
  problem: Problem[];
};

function storedRepository(row: StoredRow, problems: number): StoredRepository {
  const { source, ref, commit, committed_at: committedAt, number, origin, catalog } = row;
  return {
    source,
    ref: ref ?? undefined,
    commit: commit ?? undefined,
    committedAt: committedAt === null ? undefined : new Date(committedAt),
    number,
    problems,
    origin,
    catalog,
    catalogFiles: row.catalog_files,
  };
}

function pastSync(row: PastRow): PastSync {
  const { number, commit, documents, added, updated, deleted, unchanged, problems } = row;
  return {
    number,
    commit: commit ?? undefined,
    committedAt: row.committed_at === null ? undefined : new Date(row.committed_at),
    syncedAt: new Date(row.finished_at),
    counts: { documents, added, updated, deleted, unchanged, problems },
    problems: row.problem,
  };
}
