import { hash } from '../../operation/canonical.ts';

/** Of the documents about a tenant: `tenants/{id}`, `quotas/{id}`. The one that `OperationContext.registry` makes of its id. */
export function tenantDocumentId(tenant: string): string {
  return hash(tenant).slice(0, 40);
}
