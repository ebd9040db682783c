import { OperationError } from '../../operation/errors.ts';
import type { TenantRecord } from '../tenants/model.ts';
import type { Admission } from './decide.ts';
import type { Usage } from './model.ts';

type Deferral = Extract<Admission, { kind: 'defer' }>;
type Refusal = Extract<Admission, { kind: 'refuse' }>;

/** Why an operation waits. */
export function rateLimited({ tenant, plan, limits }: TenantRecord, { limit, notBefore }: Deferral) {
  const allowed = limits[limit];
  const what = limit === 'operationsPerMinute' ? `${allowed} operations a minute` : `${allowed} at a time`;
  return new OperationError(
    'RATE_LIMITED',
    `Tenant ${tenant} may have ${what} (plan ${plan}). This one is asked again from ${notBefore.toISOString()} on.`,
    { retryable: true, details: { tenant, limit, allowed, notBefore: notBefore.toISOString() } },
  );
}

/** Why an operation is refused. */
export function quotaExceeded(
  { tenant, plan, limits }: TenantRecord,
  { limit, resetsAt }: Refusal,
  { day, today }: Usage,
) {
  const allowed = limits[limit];
  return new OperationError(
    'QUOTA_EXCEEDED',
    `Tenant ${tenant} has had ${today} operations on ${day}, of ${allowed} that it may have (plan ${plan}). ` +
      `The next day begins at ${resetsAt.toISOString()}: replay the message then, or after a change of plan.`,
    { details: { tenant, limit, allowed, count: today, resetsAt: resetsAt.toISOString() } },
  );
}
