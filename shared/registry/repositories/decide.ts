import type {
  RepositoryFailure,
  RepositoryIdentity,
  RepositoryRecord,
  RepositorySummary,
  SyncCounts,
} from './model.ts';

/** What a sync came to, and when its message was first asked for. */
export type Synced = Omit<RepositoryRecord, 'state' | 'failure' | 'syncedAt' | 'publishedAt'> &
  Required<Pick<RepositoryRecord, 'syncedAt' | 'publishedAt'>>;

const nothing: SyncCounts = { documents: 0, added: 0, updated: 0, deleted: 0, unchanged: 0, problems: 0 };

/**
 * The record after a sync was committed. Workers may come in any order: what is said of the database is of its last sync,
 * and a failure stands until a message is done that is not older than the one that failed.
 */
export function afterSync(found: RepositoryRecord | undefined, synced: Synced): RepositoryRecord {
  const last = found && isLater(found, synced) ? found : synced;
  const publishedAt =
    found?.publishedAt && found.publishedAt > synced.publishedAt ? found.publishedAt : synced.publishedAt;
  return standing({ ...last, publishedAt }, found?.failure);
}

/** The record after a message could not be done, beside which the last sync is kept. */
export function afterFailure(
  found: RepositoryRecord | undefined,
  { repository, source, instance, database, schema }: RepositoryIdentity,
  failure: RepositoryFailure,
): RepositoryRecord {
  const known = found?.failure;
  const last = known && known.publishedAt > failure.publishedAt ? known : failure;
  const { operation } = last;
  const never = { number: 0, operation, counts: nothing, collections: {}, problems: [] };
  const isSynced = found && found.number > 0;
  return standing(isSynced ? found : { repository, source, instance, database, schema, ...never }, last);
}

/**
 * A higher number is a later sync. Where the schema was made anew or the database restored, numbers begin again: then the
 * later one is that which was committed later, by the database's clock.
 */
function isLater(
  found: Pick<RepositorySummary, 'number' | 'syncedAt'>,
  { number, syncedAt }: Pick<Synced, 'number' | 'syncedAt'>,
): boolean {
  return found.number > number && found.syncedAt !== undefined && found.syncedAt >= syncedAt;
}

function standing(
  { failure: _, ...record }: Omit<RepositoryRecord, 'state'>,
  failure: RepositoryFailure | undefined,
): RepositoryRecord {
  const { publishedAt } = record;
  const stands = failure && (publishedAt === undefined || failure.publishedAt > publishedAt);
  return stands ? { ...record, state: 'failed', failure } : { ...record, state: 'synced' };
}
