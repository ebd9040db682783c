import type { DocumentReference, DocumentSnapshot } from '@google-cloud/firestore';
import type { OperationContext } from '../../operation/definition.ts';
import type { OperationError } from '../../operation/errors.ts';
import { recordable } from '../completion.ts';
import { withDates } from '../dates.ts';
import { afterFailure, afterSync, type Synced } from './decide.ts';
import { type RepositoryIdentity, type RepositoryRecord, repositoriesCollection } from './model.ts';
import { keptProblems } from './problems.ts';

/** What the registry has to know of the operation that speaks to it. */
type Syncing = Pick<OperationContext, 'id' | 'dryRun' | 'asked' | 'transact'>;

/** Of a sync that was committed. `syncedAt` is the time of its transaction, by the database's clock: see `decide.ts`. */
export type Sync = Omit<Synced, 'operation' | 'publishedAt'>;

/** The document of a repository. */
export function repositoryRef(
  operation: Pick<OperationContext, 'registry'>,
  { instance, database, schema, repository }: Omit<RepositoryIdentity, 'source'>,
): Promise<DocumentReference> {
  return operation.registry(repositoriesCollection, instance, database, schema, repository);
}

export function readRepository(snapshot: DocumentSnapshot | undefined): RepositoryRecord | undefined {
  const data = snapshot?.data();
  return data === undefined ? undefined : (withDates(data) as RepositoryRecord);
}

/**
 * Writes down what a sync came to, unless a later one is on record. A dry run came to nothing.
 *
 * @param sync with all of its problems; as many of them are kept as a record has room for
 * @throws OperationError `LEASE_LOST`
 */
export async function recordSync(operation: Syncing, ref: DocumentReference, sync: Sync): Promise<void> {
  const synced: Synced = {
    ...sync,
    problems: keptProblems(sync.problems),
    operation: operation.id,
    publishedAt: operation.asked.publishedAt,
  };
  await update(operation, ref, (found) => afterSync(found, synced));
}

/**
 * Writes down that a message could not be done, beside what the last sync came to; unless a message that is not older was
 * done. The next one that is done takes it away. A dry run can do nothing either way.
 *
 * @throws OperationError `LEASE_LOST`
 */
export async function recordFailure(
  operation: Syncing,
  ref: DocumentReference,
  identity: RepositoryIdentity,
  error: OperationError,
): Promise<void> {
  const { code, message } = recordable(error);
  const { publishedAt } = operation.asked;
  const failure = { code, message, at: new Date(), operation: operation.id, publishedAt };
  await update(operation, ref, (found) => afterFailure(found, identity, failure));
}

async function update(
  { dryRun, transact }: Syncing,
  ref: DocumentReference,
  next: (found: RepositoryRecord | undefined) => RepositoryRecord,
): Promise<void> {
  if (dryRun) return;
  await transact([ref], async (transaction, [snapshot]) => {
    transaction.set(ref, next(readRepository(snapshot)));
  });
}
