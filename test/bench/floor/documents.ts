import type { DocumentData, Firestore } from '@google-cloud/firestore';

/** What the product writes to Firestore in the life of one operation, as it is after a real one. */
export interface Documents {
  /** Of the record, by the claim. */
  readonly claimed: DocumentData;
  /** Of the registry, by the intent. */
  readonly intended: DocumentData;
  /** Of the record and of the registry, by the completion. */
  readonly completed: DocumentData;
  readonly applied: DocumentData;
}

const atCompletion = new Set([
  ...['changes', 'notes', 'statements', 'truncated', 'error', 'reason', 'payload'],
  ...['state', 'finishedAt', 'durationMs', 'reported', 'expireAt'],
]);

/**
 * Takes the documents of an operation of the product apart into its writes, so that the floor writes as much.
 *
 * @param record path of the operation's record
 * @param registered path of the registry's document
 */
export async function readDocuments(
  db: Firestore,
  { record, registered }: { record: string; registered: string },
): Promise<Documents> {
  const [operation, schema] = await Promise.all([record, registered].map((name) => db.doc(name).get()));
  const ended = Object.entries(operation?.data() ?? {});
  const { appliedEpoch, applied, ...intended } = schema?.data() ?? {};
  return {
    claimed: {
      ...Object.fromEntries(ended.filter(([field]) => !atCompletion.has(field))),
      state: 'running',
      reported: false,
    },
    intended: { ...intended, appliedEpoch: 0 },
    completed: {
      ...Object.fromEntries(ended.filter(([field]) => atCompletion.has(field))),
      reported: false,
    },
    applied: { appliedEpoch, applied },
  };
}
