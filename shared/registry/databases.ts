import type { Firestore, Timestamp } from '@google-cloud/firestore';
import { hasStatus } from '../gcp/status.ts';
import { hash } from '../operation/canonical.ts';
import type { Target } from '../postgres/target.ts';
import { grantsCollection } from './grants/model.ts';

export const databasesCollection = 'databases';

/** Schemas, each with what it should be like. */
export const schemasCollection = 'schemas';

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

/** The schemas that Drover manages in a database, as the registry knows. */
export async function schemasOf(db: Firestore, { instance, database }: Target): Promise<string[]> {
  const of = db
    .collection(schemasCollection)
    .where('instance', '==', instance)
    .where('database', '==', database);
  const { docs } = await of.select('schema').get();
  return docs.map((document) => document.get('schema') as string);
}

/** What the registry wants of a database that is gone, it wants no more. */
export async function forgetDatabase(db: Firestore, { instance, database }: Target): Promise<void> {
  known.delete(databaseDocumentId({ instance, database }));
  const refs = [db.collection(databasesCollection).doc(databaseDocumentId({ instance, database }))];
  for (const collection of [schemasCollection, grantsCollection]) {
    const of = db.collection(collection).where('instance', '==', instance).where('database', '==', database);
    const { docs } = await of.select().get();
    refs.push(...docs.map(({ ref }) => ref));
  }
  const writer = db.bulkWriter();
  // Its end says nothing of what failed.
  const deletions = Promise.all(refs.map((ref) => writer.delete(ref)));
  await Promise.all([deletions, writer.close()]);
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
