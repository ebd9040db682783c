import { localInstance } from '../../local/stack.ts';
import type { Isolation } from '../../shared/registry/tenants/model.ts';

export const tenantsTopic = 'bootstrap-tenant';

/** That tenants share where they have none of their own. */
export const sharedDatabase = 'bench';

/** A message for a tenant that gets all there is. */
export function tenantMessage(tenant: string, isolation: Isolation) {
  return {
    scope: 'tenant',
    tenant,
    displayName: `${tenant} Ltd`,
    contact: 'ops@example.com',
    plan: 'STARTER',
    isolation,
    target: { instance: localInstance, ...(isolation === 'schema' ? { database: sharedDatabase } : {}) },
  };
}

let tenants = 0;

export function newTenants(count: number): string[] {
  return Array.from({ length: count }, () => {
    tenants += 1;
    return `bench_${String(tenants).padStart(4, '0')}`;
  });
}
