import type { Firestore, Query } from '@google-cloud/firestore';
import { OperationError } from '../../shared/operation/errors.ts';
import { withDates } from '../../shared/registry/dates.ts';
import {
  type RepositoryRecord,
  type RepositoryState,
  type RepositorySummary,
  repositoriesCollection,
} from '../../shared/registry/repositories/model.ts';
import { readRepository } from '../../shared/registry/repositories/store.ts';
import { timeText } from '../operation-report.ts';
import { collect } from '../paging.ts';
import { didYouMean } from '../suggest.ts';
import { table } from '../table.ts';
import { UsageError } from '../usage-error.ts';
import { whereText } from '../where.ts';
import type { PlaceGiven } from './place.ts';

/** All of a record but what may be long; the compiler sees to it that none is missing. */
const listed: Readonly<Record<keyof RepositorySummary, true>> = {
  repository: true,
  source: true,
  instance: true,
  database: true,
  schema: true,
  ref: true,
  commit: true,
  committedAt: true,
  number: true,
  state: true,
  syncedAt: true,
  publishedAt: true,
  operation: true,
  counts: true,
  collections: true,
  failure: true,
};

/**
 * The name of a repository, as somebody typed it.
 *
 * @throws UsageError
 */
export function readRepositoryName(given: string | undefined): string {
  if (given) return given;
  throw new UsageError('Which repository? Give its name, on GitHub OWNER/NAME. See: drover repos list');
}

/**
 * What the registry has of a repository.
 *
 * @param place tells several of one name apart
 * @throws OperationError `REPOSITORY_NOT_SYNCED`
 * @throws UsageError with the list, where several fit
 */
export async function findRepository(name: string, place: PlaceGiven): Promise<RepositoryRecord> {
  const all = await collect(
    (db) => db.collection(repositoriesCollection).where('repository', '==', name),
    Number.POSITIVE_INFINITY,
    readRepository,
  );
  if (all.length === 0) throw await unknown(name);
  const fitting = all.filter((one) =>
    Object.entries(place).every(([field, value]) => one[field as keyof PlaceGiven] === value),
  );
  const [first] = fitting;
  if (first === undefined) {
    throw new OperationError(
      'REPOSITORY_NOT_SYNCED',
      `The repository ${name} is not synced to that place, but to ${all.map(whereText).sort().join(', ')}`,
    );
  }
  if (fitting.length === 1) return first;
  throw new UsageError(
    [
      `The repository ${name} is synced to several places. Name one by --instance, --database or --schema:`,
      ...table(
        ['INSTANCE', 'DATABASE', 'SCHEMA', 'STATE', 'SYNCED'],
        fitting
          .sort(byName)
          .map((one) => [one.instance, one.database, one.schema, one.state, syncedText(one)]),
      ).map((line) => `  ${line}`),
    ].join('\n'),
    { seeHelp: false },
  );
}

async function unknown(name: string): Promise<OperationError> {
  const names = await collect(
    (db) => db.collection(repositoriesCollection).orderBy('repository').select('repository'),
    Number.POSITIVE_INFINITY,
    (document) => document.get('repository') as string,
  );
  return new OperationError(
    'REPOSITORY_NOT_SYNCED',
    `No repository ${name} was ever synced.${didYouMean(name, names)} See: drover repos list`,
  );
}

export interface RepositorySelection extends PlaceGiven {
  readonly state?: RepositoryState | undefined;
}

/** Repositories, by their names and places. */
export async function listRepositories(
  selection: RepositorySelection,
  limit: number,
): Promise<RepositorySummary[]> {
  const found = await collect(
    (db) => selected(db, selection),
    limit,
    (document) => withDates(document.data()) as RepositorySummary,
  );
  return found.sort(byName);
}

/** Each field needs a composite index with `repository`; of several Firestore merges those. */
function selected(db: Firestore, selection: RepositorySelection): Query {
  let query: Query = db.collection(repositoriesCollection);
  for (const [field, value] of Object.entries(selection)) {
    if (value !== undefined) query = query.where(field, '==', value);
  }
  return query.orderBy('repository').select(...Object.keys(listed));
}

/** As Firestore orders names: byte by byte. */
function byName(a: RepositorySummary, b: RepositorySummary): number {
  const [first, second] = [a, b].map((one) => Buffer.from(`${one.repository}\0${whereText(one)}`));
  return Buffer.compare(first ?? Buffer.alloc(0), second ?? Buffer.alloc(0));
}

/** When it was synced last. */
export function syncedText({ syncedAt }: Pick<RepositorySummary, 'syncedAt'>): string {
  return syncedAt === undefined ? 'never' : timeText(syncedAt);
}
