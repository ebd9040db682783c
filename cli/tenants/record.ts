import type { DocumentReference, Firestore, Query } from '@google-cloud/firestore';
import { OperationError } from '../../shared/operation/errors.ts';
import {
  type QuotaRecord,
  quotasCollection,
  type Usage,
  usageAt,
} from '../../shared/registry/quotas/model.ts';
import { tenantDocumentId } from '../../shared/registry/tenants/document-id.ts';
import {
  type StepRecord,
  type TenantRecord,
  type TenantState,
  tenantsCollection,
} from '../../shared/registry/tenants/model.ts';
import { readSteps, readTenant } from '../../shared/registry/tenants/store.ts';
import { tenantId } from '../../shared/tenants/id.ts';
import { ask } from '../cloud.ts';
import { collect } from '../paging.ts';
import { didYouMean } from '../suggest.ts';
import { UsageError } from '../usage-error.ts';

/**
 * The id of a tenant, as somebody typed it.
 *
 * @throws UsageError
 */
export function readTenantId(given: string | undefined): string {
  if (given === undefined) throw new UsageError('Which tenant? Give its id. See: drover tenants list');
  const parsed = tenantId.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new UsageError(
    `The tenant ${JSON.stringify(given)} ${parsed.error.issues.map(({ message }) => message).join(', and ')}`,
  );
}

/** What the registry has of a tenant; undefined where there never was one of this id. */
export async function lookUpTenant(id: string): Promise<TenantRecord | undefined> {
  return readTenant(await ask((db) => tenantDocument(db, id).get()));
}

/**
 * What the registry has of a tenant.
 *
 * @throws OperationError `TENANT_NOT_FOUND`
 */
export async function findTenant(id: string): Promise<TenantRecord> {
  const tenant = await lookUpTenant(id);
  if (tenant !== undefined) return tenant;
  const ids = await collect(
    (db) => db.collection(tenantsCollection).orderBy('tenant').select('tenant'),
    Number.POSITIVE_INFINITY,
    (document) => document.get('tenant') as string,
  );
  throw new OperationError(
    'TENANT_NOT_FOUND',
    `There is no tenant ${id}.${didYouMean(id, ids)} See: drover tenants list`,
  );
}

/** The steps of a tenant, in their order. */
export async function stepsOf(id: string): Promise<StepRecord[]> {
  return ask((db) => readSteps(tenantDocument(db, id)));
}

/** What a tenant has used of its plan's operations; undefined where nobody counts. */
export async function usageOf(id: string, now: Date): Promise<Usage | undefined> {
  const snapshot = await ask((db) => db.collection(quotasCollection).doc(tenantDocumentId(id)).get());
  return snapshot.exists ? usageAt(snapshot.data() as QuotaRecord, now) : undefined;
}

export interface TenantSelection {
  readonly state?: TenantState | undefined;
  readonly plan?: string | undefined;
  readonly instance?: string | undefined;
}

/** Tenants, by their ids. */
export async function listTenants(selection: TenantSelection, limit: number): Promise<TenantRecord[]> {
  return collect((db) => byId(db, selection), limit, readTenant);
}

/** Each field needs a composite index with `tenant`; of several Firestore merges those. */
function byId(db: Firestore, { state, plan, instance }: TenantSelection): Query {
  let query: Query = db.collection(tenantsCollection);
  for (const [field, value] of Object.entries({ state, plan, 'place.instance': instance })) {
    if (value !== undefined) query = query.where(field, '==', value);
  }
  return query.orderBy('tenant');
}

function tenantDocument(db: Firestore, id: string): DocumentReference {
  return db.collection(tenantsCollection).doc(tenantDocumentId(id));
}
