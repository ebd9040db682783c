import type { DocumentData, Firestore } from '@google-cloud/firestore';

/** What the product writes to Firestore in the life of one operation, as it is after a real one. */
export interface Documents extends RecordDocuments {
  /** Of the registry, by the intent. */
  readonly intended: DocumentData;
  /** Of the registry, by the completion. */
  readonly applied: DocumentData;
}

/** What is written to the operation's record. */
export interface RecordDocuments {
  /** By the claim. */
  readonly claimed: DocumentData;
  /** By the completion. */
  readonly completed: DocumentData;
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
  const [documents, schema] = await Promise.all([readRecord(db, record), db.doc(registered).get()]);
  const { appliedEpoch, applied, ...intended } = schema.data() ?? {};
  return {
    ...documents,
    intended: { ...intended, appliedEpoch: 0 },
    applied: { appliedEpoch, applied },
  };
}

/** @param path of the operation's record */
export async function readRecord(db: Firestore, path: string): Promise<RecordDocuments> {
  const ended = Object.entries((await db.doc(path).get()).data() ?? {});
  return {
    claimed: {
      ...Object.fromEntries(ended.filter(([field]) => !atCompletion.has(field))),
      state: 'running',
      reported: false,
    },
    completed: {
      ...Object.fromEntries(ended.filter(([field]) => atCompletion.has(field))),
      reported: false,
    },
  };
}
