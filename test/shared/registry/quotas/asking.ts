import { OperationError } from '../../../../shared/operation/errors.ts';
import type { Claim, Wanted } from '../../../../shared/registry/claims.ts';
import { admitOperation, type Deferral } from '../../../../shared/registry/quotas/admission.ts';
import type { TenantRecord } from '../../../../shared/registry/tenants/model.ts';
import { publishTime, type Registry, wanted } from '../fixture.ts';

interface From {
  readonly tenant?: string;
  /** Published so many seconds after the others. */
  readonly second?: number;
}

export const done = { state: 'succeeded', outcome: { changes: [] } } as const;

/** A message of a tenant. */
export function ofTenant(id: string, { tenant = 'acme', second = 0 }: From = {}): Partial<Wanted> {
  const publishedAt = new Date(publishTime.getTime() + second * 1000);
  return { id, request: { operationId: id, dryRun: false, publishedAt, tenant } };
}

/** Asks for an operation that is claimed. */
export function admit(
  { db }: Pick<Registry, 'db'>,
  claim: Claim,
  {
    tenant = 'acme',
    attributes = wanted().delivery.attributes,
  }: From & { attributes?: Record<string, string> } = {},
): Promise<Deferral | undefined> {
  const delivery = { ...wanted().delivery, attributes };
  return admitOperation(db, claim, { tenant, delivery, examine });
}

function examine(found: TenantRecord | undefined): TenantRecord {
  if (found === undefined) throw new OperationError('TENANT_NOT_ACTIVE', 'no tenant');
  return found;
}

/** Claims an operation, and asks for it. */
export async function ask(registry: Registry, id: string, from: From = {}) {
  const claim = await registry.claim(ofTenant(id, from));
  return { claim, deferral: await admit(registry, claim, from) };
}
