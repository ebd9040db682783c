import { config } from '../../shared/config.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import { OperationError } from '../../shared/operation/errors.ts';
import type { TenantDecision } from '../../shared/registry/tenants/decide.ts';
import type { TenantPlace, TenantRecord, TenantSettings } from '../../shared/registry/tenants/model.ts';
import { mismatchOf } from '../../shared/tenants/mismatch.ts';
import { placeOf } from '../../shared/tenants/place.ts';
import { type Plan, withQuotas } from '../../shared/tenants/plans.ts';
import type { TenantMessage } from './message.ts';

/**
 * The record of a tenant as a message wants it: afresh, or from the one that there is.
 *
 * @throws OperationError `UNKNOWN_PLAN`, `TENANT_MISMATCH`
 */
export function wantedTenant(
  message: TenantMessage,
  found: TenantRecord | undefined,
  decision: TenantDecision,
  { id, asked }: Pick<OperationContext, 'id' | 'asked'>,
): TenantRecord {
  const { displayName, contact, plan, isolation, features, level, scopes, readers, tenant, target } = message;
  // What was begun is ended by the plan that it was begun with.
  const isItsOwn = found?.operation === id && found.plan === plan;
  const limits = isItsOwn ? found.limits : withQuotas(limitsOf(plan), message.quotas);
  const { claimedActor: _, ...order } = asked;
  const request = { tenant, isolation, instance: target.instance, database: target.database, features };
  const now = new Date();
  const wanted = {
    tenant,
    displayName,
    contact,
    plan,
    quotas: message.quotas ?? null,
    limits,
    isolation,
    region: message.region ?? null,
    features,
    level,
    scopes,
    readers,
    holder: id,
    operation: id,
    order,
    changedAt: now,
  };
  if (decision.kind === 'begin' || found === undefined) {
    return {
      ...wanted,
      state: 'bootstrapping',
      incarnation: decision.kind === 'begin' ? decision.incarnation : 1,
      place: placeAgain(message, found, placeOf(request, config())),
      createdAt: now,
      removedAt: null,
      failure: null,
      archive: found?.archive ?? null,
      restored: message.restore ?? null,
    };
  }
  refuseMismatch(message, found);
  const kept = known(found.place);
  return {
    ...found,
    ...wanted,
    // What is being changed goes on working meanwhile; and what is being taken back is, until that is done.
    state: found.state === 'active' || decision.kind === 'compensate' ? found.state : 'bootstrapping',
    failure: decision.kind === 'compensate' ? found.failure : null,
    // As it was last announced: an earlier change may not have come to its end.
    before: found.state === 'active' ? (found.before ?? settingsOf(found)) : null,
    place: { ...placeOf(request, config(), () => 'unused'), ...kept },
  };
}

/**
 * What was archived can't get other names in a shared database, and what it is called says nothing: so a tenant that is
 * restored has them again.
 */
function placeAgain(
  { restore, features }: TenantMessage,
  found: TenantRecord | undefined,
  place: TenantPlace,
): TenantPlace {
  const former = found?.place;
  const again = restore !== undefined && features.opaqueNames && found?.features.opaqueNames;
  if (!again || former?.instance !== place.instance || former.database !== place.database) return place;
  const { schema, logins, secret } = former;
  return { ...place, schema, logins, secret };
}

function settingsOf(record: TenantRecord): TenantSettings {
  const { displayName, contact, plan, quotas = null, limits, region, features, scopes, readers } = record;
  const { place, order } = record;
  return { displayName, contact, plan, quotas, limits, region, features, scopes, readers, place, order };
}

/** What a tenant has keeps its name, whatever new ones are called. */
function known(place: TenantPlace): TenantPlace {
  const named = Object.entries(place).filter(([, name]) => name !== null);
  return Object.fromEntries(named) as unknown as TenantPlace;
}

function limitsOf(name: string): Plan {
  const { DROVER_PLANS: plans } = config();
  const plan = Object.hasOwn(plans, name) ? plans[name] : undefined;
  if (plan) return plan;
  throw new OperationError(
    'UNKNOWN_PLAN',
    `There is no plan ${name}. Those in DROVER_PLANS are: ${Object.keys(plans).join(', ')}.`,
    { details: { problems: [{ path: 'data.plan', message: 'is not a plan of DROVER_PLANS' }] } },
  );
}

/** @throws OperationError `TENANT_MISMATCH` where a message says something else of a tenant than is so */
function refuseMismatch(message: TenantMessage, found: TenantRecord): void {
  const mismatch = mismatchOf(message, found);
  if (mismatch === undefined) return;
  const { path, is } = mismatch;
  throw new OperationError('TENANT_MISMATCH', mismatch.message, {
    details: { problems: [{ path: `data.${path}`, message: `is ${JSON.stringify(is)}` }] },
  });
}
