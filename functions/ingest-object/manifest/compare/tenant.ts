import type { Config } from '../../../../shared/config.ts';
import { canonicalJson } from '../../../../shared/operation/canonical.ts';
import type { TenantRecord } from '../../../../shared/registry/tenants/model.ts';
import { withQuotas } from '../../../../shared/tenants/plans.ts';
import type { TenantMessage } from '../../../bootstrap-tenant/message.ts';

/** What would change about a tenant, in words; nothing where it is as wanted. */
export function compareTenant(
  message: TenantMessage,
  record: TenantRecord | undefined,
  { DROVER_PLANS: plans }: Pick<Config, 'DROVER_PLANS'>,
): string[] {
  const { tenant } = message;
  if (record === undefined || record.state === 'removed' || record.state === 'failed')
    return [`create the tenant ${tenant}`];
  if (record.state !== 'active') return [`go on with the tenant ${tenant}, which is ${record.state}`];
  if (record.holder !== null) return [`${tenant}: another change to it is under way`];
  const { displayName, contact, plan, quotas, isolation, target, features, level, scopes, readers } = message;
  const limits = Object.hasOwn(plans, plan) ? plans[plan] : undefined;
  const { place } = record;
  const asked = {
    displayName,
    contact,
    plan,
    quotas: quotas ?? null,
    limits: limits && withQuotas(limits, quotas),
    isolation,
    region: message.region ?? null,
    features,
    level,
    scopes,
    readers,
    instance: target.instance,
    database: target.database ?? place.database,
    restored: message.restore ?? record.restored,
  };
  const is = { ...record, quotas: record.quotas ?? null, instance: place.instance, database: place.database };
  return Object.entries(asked).flatMap(([field, shall]) => {
    const known = is[field as keyof typeof is];
    if (canonicalJson(known) === canonicalJson(shall)) return [];
    return [`${tenant}: ${field} ${canonicalJson(known ?? null)} → ${canonicalJson(shall ?? null)}`];
  });
}
