import { hash } from '../../shared/operation/canonical.ts';
import {
  type RepositoryProblem,
  type RepositoryRecord,
  repositoriesCollection,
} from '../../shared/registry/repositories/model.ts';
import type { Cloud } from './fixture.ts';

export const syncFunction = 'sync-repo-metadata';
export const instance = 'test-project:europe-west1:main';

/** A record like that of a repository on GitHub with two collections and without problems. */
export function repositoryRecord(fields: Partial<RepositoryRecord> = {}): RepositoryRecord {
  return {
    repository: 'acme/site',
    source: 'github',
    instance,
    database: 'app',
    schema: 'site',
    ref: 'refs/heads/main',
    commit: 'c0ffee'.padEnd(40, '0'),
    committedAt: new Date('2026-03-01T07:00:00Z'),
    number: 12,
    state: 'synced',
    syncedAt: new Date('2026-03-01T08:00:09.876Z'),
    publishedAt: new Date('2026-03-01T08:00:00Z'),
    operation: 'a'.repeat(40),
    counts: { documents: 340, added: 12, updated: 3, deleted: 1, unchanged: 325, problems: 0 },
    collections: { posts: 300, authors: 40 },
    problems: [],
    ...fields,
  };
}

/** The fields that say that the newest message could not be done. */
export const failed = {
  state: 'failed',
  failure: {
    code: 'GITHUB_TOKEN_REFUSED',
    message: 'GitHub refuses the token Bearer abc.def: store a new one',
    at: new Date('2026-03-02T09:00:00.123Z'),
    operation: 'b'.repeat(40),
    publishedAt: new Date('2026-03-02T08:59:00Z'),
  },
} as const satisfies Partial<RepositoryRecord>;

/** One of which nothing but a failure is known. */
export function neverSynced(fields: Partial<RepositoryRecord> = {}): RepositoryRecord {
  const { ref: _, commit: _commit, committedAt: _made, syncedAt: _at, ...record } = repositoryRecord();
  const counts = { documents: 0, added: 0, updated: 0, deleted: 0, unchanged: 0, problems: 0 };
  return { ...record, ...failed, number: 0, counts, collections: {}, ...fields };
}

/** So many problems, in turn of two collections. */
export function problems(count: number): RepositoryProblem[] {
  return Array.from({ length: count }, (_, index) => ({
    code: 'YAML_SYNTAX',
    path: `posts/${index}.md`,
    line: index + 1,
    column: 3,
    message: `no. ${index}`,
    collection: index % 2 === 0 ? 'posts' : 'authors',
  }));
}

/** With problems, of which the registry has only the first. */
export function withProblems(
  kept: readonly RepositoryProblem[],
  count = kept.length,
): Partial<RepositoryRecord> {
  return { problems: kept, counts: { ...repositoryRecord().counts, problems: count } };
}

/** Writes records as the function does. */
export async function seed({ db }: Cloud, ...records: readonly Partial<RepositoryRecord>[]): Promise<void> {
  const batch = db.batch();
  for (const fields of records) {
    const record = fields.number === 0 ? (fields as RepositoryRecord) : repositoryRecord(fields);
    const { instance: where, database, schema, repository } = record;
    const id = hash(where, database, schema, repository).slice(0, 40);
    batch.set(db.collection(repositoriesCollection).doc(id), record);
  }
  await batch.commit();
}
