import type { DocumentReference, DocumentSnapshot } from '@google-cloud/firestore';
import type { OperationContext } from '../../operation/definition.ts';
import { isOlder } from '../intents.ts';
import type { Closed } from './merge.ts';
import type { Author } from './model.ts';
import { readAuthor } from './store.ts';

/** Principals that were taken out of an instance: `offboarded/{hash of instance and name}`. */
export const offboardedCollection = 'offboarded';

/** The documents that say of principals whether they were offboarded. */
export function offboardedRefs(
  { registry }: Pick<OperationContext, 'registry'>,
  instance: string,
  principals: readonly string[],
): Promise<DocumentReference[]> {
  return Promise.all(
    [...new Set(principals)].map((principal) => registry(offboardedCollection, instance, principal)),
  );
}

/** Who of them was, and by which operation. */
export function readOffboarded(snapshots: readonly DocumentSnapshot[]): Closed {
  return new Map(
    snapshots.filter(({ exists }) => exists).map((one) => [one.get('principal') as string, readAuthor(one)]),
  );
}

/**
 * Writes down that a principal is taken out of an instance, so that a grant that is older than that, and comes late, does
 * not bring it back.
 */
export async function recordOffboarding(
  operation: Pick<OperationContext, 'registry' | 'transact'>,
  instance: string,
  principal: string,
  author: Author,
): Promise<void> {
  const [ref] = await offboardedRefs(operation, instance, [principal]);
  if (ref === undefined) return;
  await operation.transact([ref], async (transaction, [known]) => {
    if (known?.exists && isOlder(author, readAuthor(known))) return;
    transaction.set(ref, { instance, principal, ...author });
  });
}
