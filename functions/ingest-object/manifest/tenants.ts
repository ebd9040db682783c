import type { OperationContext } from '../../../shared/operation/definition.ts';
import type { TenantRecord } from '../../../shared/registry/tenants/model.ts';
import { readTenant, tenantRef } from '../../../shared/registry/tenants/store.ts';
import type { ManifestRoute, MatchedRoute } from '../../../shared/routes.ts';
import type { Folder } from './authorize.ts';
import { type Tenants, tenantsIn } from './items.ts';
import type { Manifest } from './model.ts';
import { readAll } from './state.ts';

/** The records of all tenants that some manifests are about, and of the one in whose folder they are. */
export async function readTenants(
  manifests: readonly Manifest[],
  folder: string | undefined,
  operation: Pick<OperationContext, 'registry'>,
): Promise<Tenants> {
  const ids = [...new Set([...tenantsIn(manifests), ...(folder === undefined ? [] : [folder])])];
  const found = await readAll(ids.map((id) => tenantRef(operation, id)));
  const records = found.flatMap((one) => readTenant(one) ?? []);
  return new Map(records.map((record: TenantRecord) => [record.tenant, record]));
}

type Matched = Pick<MatchedRoute<ManifestRoute>, 'parts'> | undefined;

/** The id of the tenant in whose folder a manifest is, if the route knows of such. */
export function tenantOf(matched: Matched): string | undefined {
  return matched?.parts['tenant'];
}

/** The tenant in whose folder a manifest is, if the route knows of such. */
export function folderOf(matched: Matched, tenants: Tenants): Folder | undefined {
  const tenant = tenantOf(matched);
  return tenant === undefined ? undefined : { tenant, record: tenants.get(tenant) };
}
