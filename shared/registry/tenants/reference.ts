import type { DocumentReference, Firestore } from '@google-cloud/firestore';
import { hash } from '../../operation/canonical.ts';
import { tenantsCollection } from './model.ts';

/** The document of a tenant, for those who have no operation: the same that an operation's `registry` gives. */
export function tenantDocument(db: Firestore, tenant: string): DocumentReference {
  return db.collection(tenantsCollection).doc(hash(tenant).slice(0, 40));
}
