import type { Config } from '../../../../shared/config.ts';
import { canonicalJson } from '../../../../shared/operation/canonical.ts';
import type { TenantRecord } from '../../../../shared/registry/tenants/model.ts';
import { mismatchOf } from '../../../../shared/tenants/mismatch.ts';
import { withQuotas } from '../../../../shared/tenants/plans.ts';
import type { TenantMessage } from '../../../bootstrap-tenant/message.ts';
import type { Refusal } from './model.ts';

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

/** What stands against a tenant: bootstrap-tenant would refuse it for the same reason. */
export function refuseTenant(
  message: TenantMessage,
  record: TenantRecord | undefined,
  { DROVER_PLANS: plans }: Pick<Config, 'DROVER_PLANS'>,
): Refusal[] {
  const { tenant, plan, reuse } = message;
  const refused = (code: string, text: string): Refusal[] => [{ code, message: text, isFinal: true }];
  if (record?.state === 'removing')
    return refused('TENANT_REMOVING', `The tenant ${tenant} is being removed.`);
  if (record?.state === 'removed' && !reuse) {
    return refused(
      'TENANT_REMOVED',
      `The id ${tenant} was another tenant's, which was removed. Only a message can use it again: "reuse": true.`,
    );
  }
  if (!Object.hasOwn(plans, plan)) {
    const names = Object.keys(plans).join(', ');
    return refused('UNKNOWN_PLAN', `There is no plan ${plan}. Those in DROVER_PLANS are: ${names}.`);
  }
  const isThere = record !== undefined && record.state !== 'removed' && record.state !== 'failed';
  const mismatch = isThere ? mismatchOf(message, record) : undefined;
  return mismatch ? refused('TENANT_MISMATCH', mismatch.message) : [];
}
