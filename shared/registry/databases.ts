import type { Firestore, Timestamp } from '@google-cloud/firestore';
import { hasStatus } from '../gcp/status.ts';
import { hash } from '../operation/canonical.ts';
import type { Target } from '../postgres/target.ts';

export const databasesCollection = 'databases';

/** A database in which Drover manages something: `databases/{hash}`. */
export interface DatabaseRecord {
  instance: string;
  database: string;
  /** When to compare it with the registry next. */
  nextCheck: Timestamp;
  checkedAt?: Timestamp;
  /** Of what differed at the last check: reported again only where it changes. */
  drift?: string | null;
  /** Why the last check failed. */
  problem?: string | null;
}

export function databaseDocumentId({ instance, database }: Target): string {
  return hash(instance, database).slice(0, 40);
}

/** What this process has seen registered. */
const known = new Set<string>();

/** Sees to it that the database is known, so that `reconcile` looks after it. One call for a database and process. */
export async function registerDatabase(db: Firestore, { instance, database }: Target): Promise<void> {
  const id = databaseDocumentId({ instance, database });
  if (known.has(id)) return;
  try {
    await db.collection(databasesCollection).doc(id).create({ instance, database, nextCheck: new Date() });
  } catch (error) {
    if (!hasStatus(error, 'ALREADY_EXISTS')) throw error;
  }
  known.add(id);
}
