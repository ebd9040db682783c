import {
  type BootstrapTenantMessage,
  bootstrapTenantMessage,
} from '../../functions/bootstrap-tenant/message.ts';
import { defineOperation } from '../../shared/operation/define.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import type { Outcome } from '../../shared/operation/outcome.ts';
import { type QuotaRecord, quotasCollection } from '../../shared/registry/quotas/model.ts';
import { tenantDocumentId } from '../../shared/registry/tenants/document-id.ts';
import {
  type StepRecord,
  stepsCollection,
  type TenantRecord,
  tenantsCollection,
} from '../../shared/registry/tenants/model.ts';
import { asWorker, type Cloud, startWorker } from './fixture.ts';

export const tenantsFunction = 'bootstrap-tenant';
export const instance = 'test-project:europe-west1:main';

/** A record like that of a tenant with everything, in a database that it shares. */
export function tenantRecord(fields: Partial<TenantRecord> = {}): TenantRecord {
  const { tenant = 'acme' } = fields;
  return {
    tenant,
    state: 'active',
    incarnation: 1,
    displayName: 'Acme Ltd',
    contact: 'ops@acme.com',
    plan: 'STARTER',
    limits: {
      connections: 10,
      statementTimeoutSeconds: 60,
      operationsPerMinute: 100,
      operationsPerDay: 6,
      concurrentOperations: 3,
      entitlements: { teamMembers: 2, providers: 3 },
    },
    isolation: 'schema',
    region: null,
    features: { analytics: true, storage: true, apiKey: true, opaqueNames: false },
    level: 'owner',
    scopes: ['read', 'write'],
    readers: [],
    place: {
      instance,
      database: 'app',
      schema: `tenant_${tenant}`,
      logins: [`tenant_${tenant}_a`, `tenant_${tenant}_b`],
      secret: `tenant-${tenant}-database`,
      apiKeySecret: `tenant-${tenant}-api-key`,
      dataset: `tenant_${tenant}`,
      storage: `gs://tenants/tenants/${tenant}/`,
    },
    holder: null,
    operation: 'a'.repeat(40),
    order: { publishedAt: new Date('2026-03-01T08:00:00Z') },
    createdAt: new Date('2026-03-01T08:00:01.234Z'),
    changedAt: new Date('2026-03-01T08:00:09.876Z'),
    removedAt: null,
    failure: null,
    archive: null,
    restored: null,
    ...fields,
  };
}

/** What is left of one that was archived. */
export const removed = {
  state: 'removed',
  removedAt: new Date('2026-03-05T10:00:00Z'),
  archive: 'gs://archive/tenants/acme/1/database/manifest.json',
} as const satisfies Partial<TenantRecord>;

export function stepRecord(step: string, position: number, fields: Partial<StepRecord> = {}): StepRecord {
  return {
    step,
    position,
    state: 'done',
    attempts: 1,
    operation: 'a'.repeat(40),
    found: 'absent',
    startedAt: new Date('2026-03-01T08:00:02Z'),
    finishedAt: new Date('2026-03-01T08:00:02.400Z'),
    reason: null,
    ...fields,
  };
}

/** Writes records as the function does. */
export async function seed({ db }: Cloud, ...tenants: readonly Partial<TenantRecord>[]): Promise<void> {
  const batch = db.batch();
  for (const fields of tenants) {
    const record = tenantRecord(fields);
    batch.set(db.collection(tenantsCollection).doc(tenantDocumentId(record.tenant)), record);
  }
  await batch.commit();
}

export async function seedSteps({ db }: Cloud, tenant: string, ...steps: readonly StepRecord[]) {
  const ref = db.collection(tenantsCollection).doc(tenantDocumentId(tenant));
  for (const step of steps) await ref.collection(stepsCollection).doc(step.step).set(step);
}

export async function seedUsage({ db }: Cloud, usage: QuotaRecord) {
  await db.collection(quotasCollection).doc(tenantDocumentId(usage.tenant)).set(usage);
}

/** Has a stand-in handle what is published while the test runs. */
export async function startTenantsWorker(
  cloud: Cloud,
  run: (message: BootstrapTenantMessage, context: OperationContext) => Promise<Outcome>,
): Promise<void> {
  const handle = defineOperation({
    name: tenantsFunction,
    timeoutSeconds: 60,
    message: bootstrapTenantMessage,
    access: () => undefined,
    run,
  });
  await startWorker(cloud, asWorker(handle), tenantsFunction);
}
