import type { Query } from '@google-cloud/firestore';
import { firestore } from '../../shared/gcp/firestore.ts';
import { type DatabaseRecord, databasesCollection } from '../../shared/registry/databases.ts';
import { type GrantSet, grantsCollection } from '../../shared/registry/grants/model.ts';

/** A clock of ours may be behind a database's, which decides: a grant that isn't due there is left for the next time. */
export const clockMarginMs = 60_000;

/** Instances with a grant that is due or a database whose turn it is to be compared. */
export async function dueInstances(all: boolean): Promise<string[]> {
  const db = await firestore();
  const [grants, databases] = await Promise.all([
    dueGrants(db.collection(grantsCollection)).select('instance').get(),
    dueDatabases(db.collection(databasesCollection), all).select('instance').get(),
  ]);
  return [
    ...new Set([...grants.docs, ...databases.docs].map((document) => document.get('instance') as string)),
  ].sort();
}

/** The sets of an instance in which a grant may be due. */
export async function dueSets(
  instance: string,
): Promise<Pick<GrantSet, 'instance' | 'database' | 'schema'>[]> {
  const db = await firestore();
  const found = await dueGrants(db.collection(grantsCollection).where('instance', '==', instance)).get();
  return found.docs.map((document) => ({
    instance,
    database: document.get('database') as string,
    schema: document.get('schema') as string | null,
  }));
}

/** The databases of an instance that are to be compared. */
export async function databasesToCompare(instance: string, all: boolean): Promise<DatabaseRecord[]> {
  const db = await firestore();
  const ofInstance = db.collection(databasesCollection).where('instance', '==', instance);
  const found = await dueDatabases(ofInstance, all).get();
  return found.docs.map((document) => document.data() as DatabaseRecord);
}

function dueGrants(query: Query): Query {
  return query.where('nextExpiry', '<=', new Date(Date.now() + clockMarginMs));
}

function dueDatabases(query: Query, all: boolean): Query {
  return all ? query : query.where('nextCheck', '<=', new Date());
}
