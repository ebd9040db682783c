import type { DocumentReference, Firestore } from '@google-cloud/firestore';
import { tenantDocumentId } from './document-id.ts';
import { tenantsCollection } from './model.ts';

/** The document of a tenant, for those who have no operation: the same that an operation's `registry` gives. */
export function tenantDocument(db: Firestore, tenant: string): DocumentReference {
  return db.collection(tenantsCollection).doc(tenantDocumentId(tenant));
}
