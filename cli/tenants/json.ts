import type { StepRecord, TenantRecord } from '../../shared/registry/tenants/model.ts';
import { redact } from '../../shared/telemetry/redact.ts';

/** A tenant's record fit to be printed: secrets are taken out of why it failed once more, as from every event. */
export function tenantJson(tenant: TenantRecord): TenantRecord {
  return { ...tenant, failure: redact(tenant.failure) as TenantRecord['failure'] };
}

/** Likewise the record of a step. */
export function stepJson(step: StepRecord): StepRecord {
  return { ...step, reason: redact(step.reason) as StepRecord['reason'] };
}
