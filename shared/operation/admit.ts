import type { Firestore } from '@google-cloud/firestore';
import type { Claim } from '../registry/claims.ts';
import type { End } from '../registry/completion.ts';
import { releaseOperation } from '../registry/completion.ts';
import { admitOperation, examineTenant } from '../registry/quotas/admission.ts';
import type { TenantRecord } from '../registry/tenants/model.ts';
import { foreignTo } from '../tenants/scope.ts';
import { classify } from './classify.ts';
import { OperationError } from './errors.ts';
import type { AccessRequest } from './policy.ts';
import type { Received } from './received.ts';

/** Whether an operation of a tenant may run, and else how it ended or that it waits. */
export type Verdict = { readonly kind: 'run' | 'wait' } | { readonly kind: 'end'; readonly end: End };

/**
 * The part of a claimed message's life that only tenants' have: the tenant is active, the message speaks of its own things
 * only, and its plan has room for it.
 *
 * @throws OperationError (retryable) where that can't be found out for now; the operation is handed back
 */
export async function admit<M>(
  db: Firestore,
  claim: Claim,
  { definition, delivery, request, data, log }: Received<M>,
  tenant: string,
): Promise<Verdict> {
  const access = 'message' in data ? definition.access(data.message) : undefined;
  const examine = (found: TenantRecord | undefined) => examined(tenant, found, access);
  try {
    if (request.dryRun) {
      await examineTenant(db, { tenant, examine });
      return { kind: 'run' };
    }
    const deferral = await admitOperation(db, claim, { tenant, delivery, examine });
    if (deferral === undefined) return { kind: 'run' };
    const { why, notBefore } = deferral;
    log.log('INFO', 'operation deferred', { record: claim.id, notBefore: notBefore.toISOString(), why });
    return { kind: 'wait' };
  } catch (thrown) {
    const error = classify(thrown);
    if (!error.retryable) {
      // What a service refuses is for whoever runs Drover to mend.
      const reason = thrown instanceof OperationError ? 'rejected' : 'permanent';
      return { kind: 'end', end: { state: 'failed', error, reason, delivery } };
    }
    if (error.code !== 'LEASE_LOST') await releaseOperation(claim, error).catch(() => undefined);
    throw error;
  }
}

function examined(
  tenant: string,
  found: TenantRecord | undefined,
  access: AccessRequest | undefined,
): TenantRecord {
  if (found?.state !== 'active') {
    throw new OperationError(
      'TENANT_NOT_ACTIVE',
      found === undefined
        ? `There is no tenant ${tenant}`
        : `Tenant ${tenant} is ${found.state}: only for an active one is anything done`,
      { details: { tenant, ...(found && { state: found.state }) } },
    );
  }
  const foreign = access ? foreignTo(access, found) : [];
  if (foreign.length > 0) {
    throw new OperationError(
      'NOT_ALLOWED',
      `The message is tenant ${tenant}'s and speaks of what is not its own: ${foreign.join(', ')}`,
      { details: { tenant, foreign } },
    );
  }
  return found;
}
