import type { Firestore } from '@google-cloud/firestore';
import type { OperationLimits, QuotaRecord } from '../../shared/registry/quotas/model.ts';
import { tenantDocumentId } from '../../shared/registry/tenants/document-id.ts';
import type { TenantRecord } from '../../shared/registry/tenants/model.ts';

const instance = 'acme:europe-west1:main';

const plenty: OperationLimits = {
  operationsPerMinute: 1000,
  operationsPerDay: 1000,
  concurrentOperations: 1000,
};

/** A tenant as the registry has it once it was bootstrapped, with a database of its own called `app`. */
export function tenantRecord(
  tenant: string,
  limits: Partial<OperationLimits> = {},
  more: Partial<TenantRecord> = {},
): TenantRecord {
  const at = new Date('2026-03-01T08:00:00Z');
  return {
    tenant,
    state: 'active',
    incarnation: 1,
    displayName: `${tenant} Ltd`,
    contact: 'ops@example.com',
    plan: 'STARTER',
    limits: { connections: 10, statementTimeoutSeconds: 60, entitlements: {}, ...plenty, ...limits },
    isolation: 'database',
    region: null,
    features: { analytics: false, storage: false, apiKey: false, opaqueNames: false },
    level: 'owner',
    scopes: [],
    readers: [],
    place: {
      instance,
      database: 'app',
      schema: 'app',
      logins: [`tenant_${tenant}_a`, `tenant_${tenant}_b`],
      secret: `tenant-${tenant}-database`,
      apiKeySecret: null,
      dataset: null,
      storage: null,
    },
    holder: null,
    operation: 'a'.repeat(40),
    order: { publishedAt: at },
    createdAt: at,
    changedAt: at,
    removedAt: null,
    failure: null,
    archive: null,
    restored: null,
    ...more,
  };
}

/** Writes a tenant as the registry has it, or changes one that is there to this. */
export async function writeTenant(
  db: Firestore,
  tenant: string,
  limits: Partial<OperationLimits> = {},
  more: Partial<TenantRecord> = {},
): Promise<void> {
  await db
    .collection('tenants')
    .doc(tenantDocumentId(tenant))
    .set({ ...tenantRecord(tenant, limits, more) });
}

/** What a tenant has used; undefined where it never asked for anything. */
export async function quotaOf(db: Firestore, tenant: string): Promise<QuotaRecord | undefined> {
  const found = await db.collection('quotas').doc(tenantDocumentId(tenant)).get();
  return found.data() as QuotaRecord | undefined;
}
