import type { AccessRequest } from '../../shared/operation/policy.ts';
import type { Target } from '../../shared/postgres/target.ts';
import { placeOf } from '../../shared/tenants/place.ts';
import type { BootstrapTenantMessage, TenantMessage } from './message.ts';

/** What a message asks for. Where a tenant that is removed has its things is asked about once that is known. */
export function access(message: BootstrapTenantMessage): AccessRequest {
  const nothing = { levels: [], principals: [] };
  switch (message.scope) {
    case 'system':
      return { ...nothing, actions: ['system', ...(message.forceRecreate ? ['forceRecreate'] : [])] };
    case 'remove':
      return { ...nothing, actions: ['remove'] };
    case 'tenant':
      return {
        ...nothing,
        target: targetOf(message),
        levels: [message.level],
        actions: [
          ...(message.isolation === 'database' ? ['createDatabase'] : []),
          ...(message.reuse ? ['reuse'] : []),
          ...(message.restore === undefined ? [] : ['restore']),
          // A plan is of the platform's making; limits are whatever the message says.
          ...(message.quotas === undefined ? [] : ['quotas']),
        ],
      };
  }
}

/** Where the tenant's content is to be; an opaque name isn't known yet, and stands for itself. */
function targetOf({ tenant, isolation, target, features }: TenantMessage): Target {
  const { instance, database } = target;
  const request = { tenant, isolation, instance, database, features };
  return { instance, database: placeOf(request, { DROVER_TENANTS_BUCKET: '' }, () => 'opaque').database };
}
