import type pg from 'pg';
import type { OperationContext } from '../../../shared/operation/definition.ts';
import { asOwner } from '../../../shared/postgres/logins/owner-transaction.ts';
import { qualified, type Sql, sql } from '../../../shared/postgres/sql.ts';
import type { FoundCatalog } from '../catalog/find.ts';
import type { SyncRepoMetadataMessage } from '../message.ts';
import { mostProblems, type Scanned } from '../scan.ts';
import { createTables } from './definition.ts';
import {
  countDocuments,
  danglingReferences,
  type FoundProblems,
  mergeDocuments,
  problemsOf,
  recordRun,
} from './merge.ts';
import {
  type Counts,
  inspectRelations,
  type KnownDocument,
  missingTables,
  type Origin,
  type PastSync,
  type Relations,
  readKnown,
  readRepository,
  type StoredRepository,
} from './state.ts';
import { changeViews, type ViewChanges } from './views.ts';

/** A message, with the schema that it is about. */
export type Wanted = SyncRepoMetadataMessage & { readonly schema: string };

/** What there is before a run. */
export interface Present {
  readonly relations: Relations;
  /** There were none of the tables. */
  readonly createsTables: boolean;
  readonly stored: StoredRepository | undefined;
  /** This operation has done it already. */
  readonly past: PastSync | undefined;
  readonly known: readonly KnownDocument[];
  /** Documents, by collection. */
  readonly collections: Readonly<Record<string, number>>;
}

/** Of a repository, or a schema, of which there is nothing. */
export const nothingPresent: Present = {
  relations: {},
  createsTables: true,
  stored: undefined,
  past: undefined,
  known: [],
  collections: {},
};

/**
 * Looks what the tables say, if there are any.
 *
 * @throws OperationError `TABLE_TAKEN`, `TABLE_MISSING`
 */
export async function look(
  client: pg.ClientBase,
  { target, schema, repository }: Wanted,
  operation: OperationContext,
): Promise<Present> {
  const scope = { database: target.database, schema, lock: tablesLock(schema), operation };
  return asOwner(client, scope, inspectRelations(schema), async (inspected) => {
    const { relations } = inspected.rows[0] as { relations: Relations };
    const createsTables = missingTables(schema, relations).length > 0;
    if (createsTables) return { ...nothingPresent, relations };
    const { stored, past } = await readRepository(client, schema, repository, operation.id);
    return {
      relations,
      createsTables,
      stored,
      past,
      known: await readKnown(client, schema, repository),
      collections: past ? await countDocuments(client, schema, repository) : {},
    };
  });
}

/** What is to be written, as it was found. */
export interface Writing {
  readonly present: Present;
  readonly views: ViewChanges;
  /** Undefined where the repository is what it was. */
  readonly scanned: Scanned | undefined;
  readonly commit: string | undefined;
  readonly committedAt: Date | undefined;
  /** The ref no longer leads to what is there. */
  readonly rewritten: boolean;
  readonly origin: Origin;
  readonly found: FoundCatalog;
  readonly startedAt: Date;
}

/** A run, as it was written down. */
export interface Written {
  readonly run: PastSync;
  readonly collections: Readonly<Record<string, number>>;
}

/**
 * Writes all of it, or nothing, if the tables still say what they said.
 *
 * @returns undefined where somebody else wrote meanwhile
 */
export async function write(
  client: pg.ClientBase,
  { target, schema, repository, source, ref }: Wanted,
  operation: OperationContext,
  writing: Writing,
): Promise<Written | undefined> {
  const { present, views, scanned, commit, committedAt, startedAt } = writing;
  const { createsTables } = present;
  const lock = [`sync ${schema} ${repository}`];
  if (createsTables || views.make.length + views.drop.length > 0) lock.push(tablesLock(schema));
  const scope = { database: target.database, schema, lock, operation };
  const number = (present.stored?.number ?? 0) + 1;
  const inspection = createsTables ? noRun(schema) : latestRun(schema, repository);
  return asOwner(client, scope, inspection, async (inspected) => {
    const { latest, now, relations } = inspected.rows[0] as Latest;
    if ((latest ?? 0) !== number - 1 || !hasSameViews(present.relations, relations, views)) return undefined;
    if (createsTables) {
      if (missingTables(schema, relations).length === 0) return undefined;
      for (const { text } of createTables(schema)) await client.query(text);
    }
    const at = committedAt ?? now;
    const documents = scanned
      ? await mergeDocuments(client, { ...scanned, schema, repository, commit, at })
      : { added: 0, updated: 0, deleted: 0 };
    const collections = await countDocuments(client, schema, repository);
    const problems = scanned
      ? await allProblems(client, schema, repository, scanned)
      : await problemsOf(client, schema, repository, number - 1);
    const counts: Counts = {
      documents: Object.values(collections).reduce((sum, count) => sum + count, 0),
      ...documents,
      unchanged: present.known.length - documents.updated - documents.deleted,
      problems: problems.count,
    };
    const run: PastSync = { number, commit, committedAt, syncedAt: now, counts, problems: problems.first };
    const { origin, found } = writing;
    const state = scanned ? 'applied' : 'unchanged';
    const about = { schema, repository, operation: operation.id, state, source, ref, startedAt } as const;
    await recordRun(client, { ...run, ...about, origin, catalog: found.catalog, catalogFiles: found.files });
    // Last, for who reads them waits from here on.
    await changeViews(client, schema, views);
    return { run, collections };
  });
}

/** What is wrong with files, and with what documents say of each other. */
async function allProblems(
  client: pg.ClientBase,
  schema: string,
  repository: string,
  { problems }: Scanned,
): Promise<FoundProblems> {
  const room = mostProblems - problems.first.length;
  const dangling = await danglingReferences(client, schema, repository, Math.max(1, room));
  return {
    first: [...problems.first, ...dangling.first].slice(0, mostProblems),
    count: problems.count + dangling.count,
  };
}

interface Latest {
  readonly latest: number | null;
  readonly now: Date;
  readonly relations: Relations;
}

/** Of a schema that has no tables yet. */
function noRun(schema: string): Sql {
  return sql`SELECT NULL AS latest, clock_timestamp() AS now, (${inspectRelations(schema)}) AS relations`;
}

function latestRun(schema: string, repository: string): Sql {
  return sql`
SELECT (SELECT number::int FROM ${qualified(schema, 'repositories')} WHERE repository = ${repository}) AS latest,
       clock_timestamp() AS now,
       (${inspectRelations(schema)}) AS relations`;
}

/** Whether what is to be changed is what it was: a view of that name may be another repository's by now. */
function hasSameViews(before: Relations, now: Relations, { make, drop }: ViewChanges): boolean {
  return [...make.map(({ name }) => name), ...drop].every(
    (name) => before[name]?.kind === now[name]?.kind && before[name]?.comment === now[name]?.comment,
  );
}

/** Of what all repositories of a schema share: the tables, and the names of views. */
function tablesLock(schema: string): string {
  return `sync ${schema}`;
}
