import { localInstance } from '../../../local/stack.ts';
import { hashOf, newApiKey } from '../../../shared/api-keys/key.ts';
import { hash } from '../../../shared/operation/canonical.ts';
import { actingAdmin } from '../../../shared/postgres/names.ts';
import { operationDocumentId } from '../../../shared/registry/operations.ts';
import type { Isolation } from '../../../shared/registry/tenants/model.ts';
import { placeOf } from '../../../shared/tenants/place.ts';
import type { Cloud } from '../cloud.ts';
import { askFor } from '../sides.ts';
import { sharedDatabase, tenantMessage, tenantsTopic } from '../tenants.ts';
import type { FloorTenant } from './process.ts';
import { record, type StatementLog } from './recording.ts';

/** A bootstrap of the product's, of which other tenants' are made. */
export interface TenantTemplate {
  readonly tenant: string;
  readonly isolation: Isolation;
  readonly recording: string;
  readonly result: string;
}

/** Has the product bootstrap a tenant, and writes down what it asks for. */
export async function recordTenant(
  cloud: Cloud,
  log: StatementLog,
  isolation: Isolation,
): Promise<TenantTemplate> {
  const tenant = findName(isolation);
  let result = '';
  const recording = await record(cloud, log, async () => {
    result = await askFor(cloud, tenantsTopic, tenantMessage(tenant, isolation), operationOf(tenant));
  });
  return { tenant, isolation, recording: JSON.stringify(recording), result };
}

/** One whose acting admins can be told from each other. */
function findName(isolation: Isolation): string {
  for (let number = 1; ; number += 1) {
    const name = `recorded_${isolation}_${number}`;
    const admins = adminsOf(name, isolation);
    if (new Set(admins).size === admins.length) return name;
  }
}

/** The id of the operation by which a tenant is bootstrapped. */
export function operationOf(tenant: string) {
  return `bootstrap-${tenant}`;
}

/** The same for another tenant: every name that is made of its id becomes the other's. */
export function tenantLike(template: TenantTemplate, tenant: string): FloorTenant {
  const apiKey = newApiKey(tenant);
  const others = [hashOf(apiKey).toString('hex'), ...namesOf(tenant, template.isolation)];
  const [, recordedKey = ''] = /\/apiKeys\/([0-9a-f]{64})/.exec(template.recording) ?? [];
  const names = [recordedKey, ...namesOf(template.tenant, template.isolation)];
  // At once: what one of them becomes may be what another one was.
  const replace = (text: string) =>
    text.replace(new RegExp(names.join('|'), 'g'), (name) => others[names.indexOf(name)] ?? '');
  return {
    tenant,
    record: `operations/${recordOf(tenant)}`,
    recording: replace(template.recording),
    result: replace(template.result),
    apiKey,
  };
}

/** What tells one tenant's calls from another's: its id, the ids of its documents, and who acts for it. */
function namesOf(tenant: string, isolation: Isolation): string[] {
  const { database, schema, secret } = placeFor(tenant, isolation);
  const keys = [[tenant], [secret], [localInstance, database], [localInstance, database, schema]];
  return [
    ...keys.map((key) => hash(...key).slice(0, 40)),
    recordOf(tenant),
    ...adminsOf(tenant, isolation),
    tenant,
  ];
}

function recordOf(tenant: string): string {
  return operationDocumentId(tenantsTopic, { operationId: operationOf(tenant), dryRun: false });
}

function adminsOf(tenant: string, isolation: Isolation): string[] {
  const { database, schema } = placeFor(tenant, isolation);
  const ofSchema = actingAdmin(database, schema);
  return isolation === 'schema' ? [ofSchema] : [ofSchema, actingAdmin(database, undefined)];
}

function placeFor(tenant: string, isolation: Isolation) {
  const features = { analytics: true, storage: true, apiKey: true, opaqueNames: false };
  const database = isolation === 'schema' ? sharedDatabase : undefined;
  return placeOf(
    { tenant, isolation, instance: localInstance, database, features },
    { DROVER_TENANTS_BUCKET: '' },
  );
}
