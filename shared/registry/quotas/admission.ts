import type { DocumentReference, DocumentSnapshot, Firestore, Transaction } from '@google-cloud/firestore';
import type { Delivery } from '../../operation/delivery.ts';
import { type Claim, leaseLost } from '../claims.ts';
import { recordable } from '../completion.ts';
import type { KeptMessage, OperationRecord } from '../operations.ts';
import { keepPayload } from '../parts.ts';
import { tenantDocumentId } from '../tenants/document-id.ts';
import type { TenantRecord } from '../tenants/model.ts';
import { tenantDocument } from '../tenants/reference.ts';
import { type Asking, decideAdmission } from './decide.ts';
import { type QuotaRecord, quotasCollection, usageAt } from './model.ts';
import { quotaExceeded, rateLimited } from './refusals.ts';

/** Many may ask at once, and each changes the one document of the tenant's usage. So many fit into a lease. */
const attempts = 8;

/** Why an operation waits, for people, and how long. */
export interface Deferral {
  readonly why: string;
  readonly notBefore: Date;
}

/** An operation of a tenant that asks to run. */
export interface Asked {
  readonly tenant: string;
  /** The message, kept where the operation is deferred. */
  readonly delivery: Delivery;
  /**
   * Whether there is such a tenant, and it may ask for this.
   *
   * @throws OperationError where not
   */
  readonly examine: (found: TenantRecord | undefined) => TenantRecord;
}

/**
 * Lets a claimed operation of a tenant run, or defers it, within the limits of the tenant's plan. One transaction decides, so
 * any number of instances agree. Called again after a crash or a lost answer it finds what it did.
 *
 * @returns undefined where it may run
 * @throws OperationError `QUOTA_EXCEEDED`, `LEASE_LOST`; what `examine` throws
 */
export async function admitOperation(
  db: Firestore,
  claim: Claim,
  asked: Asked,
): Promise<Deferral | undefined> {
  const quota = db.collection(quotasCollection).doc(tenantDocumentId(asked.tenant));
  const payload = await keepPayload(claim.ref, asked.delivery);
  const deferral = await db.runTransaction(
    async (transaction): Promise<Deferral | undefined> => {
      const [operation, used, tenant] = await transaction.getAll(
        claim.ref,
        quota,
        tenantDocument(db, asked.tenant),
      );
      const record = operation?.data() as OperationRecord | undefined;
      if (operation === undefined || record?.owner !== claim.owner) throw leaseLost(claim);
      if (record.state !== 'running') return deferralOf(record);
      const examined = asked.examine(tenant?.data() as TenantRecord | undefined);
      if (record.admitted) return undefined;
      const asking = {
        limits: examined.limits,
        usage: used?.data() as QuotaRecord | undefined,
        counted: record.counted ?? false,
        ...(await readOthers(transaction, operation, asked.tenant)),
        now: operation.readTime.toDate(),
      };
      return settle(transaction, { claim, quota, payload }, examined, asking);
    },
    { maxAttempts: attempts },
  );
  if (deferral === undefined) await followToken(claim);
  return deferral;
}

/**
 * Whether a tenant may ask for what changes nothing, which is neither counted nor limited.
 *
 * @throws what `examine` throws
 */
export async function examineTenant(
  db: Firestore,
  { tenant, examine }: Pick<Asked, 'tenant' | 'examine'>,
): Promise<void> {
  const found = await tenantDocument(db, tenant).get();
  examine(found.data() as TenantRecord | undefined);
}

/** How many of the tenant's other operations run under a lease that is not over, and how many are before this one in line. */
async function readOthers(
  transaction: Transaction,
  operation: DocumentSnapshot,
  tenant: string,
): Promise<Pick<Asking, 'running' | 'ahead'>> {
  const ofTenant = operation.ref.parent.where('tenant', '==', tenant);
  const running = ofTenant.where('state', '==', 'running').where('admitted', '==', true);
  const line = ofTenant.where('admitted', '==', false).orderBy('publishedAt').orderBy('__name__');
  const [alive, ahead] = await Promise.all([
    transaction.get(running.select('leaseSeconds')),
    transaction.get(line.endBefore(operation).count()),
  ]);
  const isAlive = (one: DocumentSnapshot) => {
    const silentMs = alive.readTime.toMillis() - (one.updateTime?.toMillis() ?? 0);
    return silentMs <= (one.get('leaseSeconds') as number) * 1000;
  };
  return { running: alive.docs.filter(isAlive).length, ahead: ahead.data().count };
}

function deferralOf({ error, notBefore }: OperationRecord): Deferral {
  return { why: error?.message ?? '', notBefore: notBefore?.toDate() ?? new Date() };
}

/** The admission wrote the record, and a transaction doesn't say when: the condition of the next write follows. */
async function followToken(claim: Claim): Promise<void> {
  const snapshot = await claim.ref.get();
  if (snapshot.get('owner') !== claim.owner || snapshot.updateTime === undefined) throw leaseLost(claim);
  claim.token = snapshot.updateTime;
}

interface Place {
  readonly claim: Claim;
  readonly quota: DocumentReference;
  readonly payload: KeptMessage;
}

function settle(
  transaction: Transaction,
  { claim, quota, payload }: Place,
  tenant: TenantRecord,
  asking: Asking,
): Deferral | undefined {
  const admission = decideAdmission(asking);
  const { now } = asking;
  const usage = admission.kind === 'admit' ? admission.usage : usageAt(asking.usage, now);
  const used: QuotaRecord = { tenant: tenant.tenant, ...usage, askedAt: now };
  // Also where nothing is counted: decisions about one tenant queue up here, and don't meet in the queries above.
  transaction.set(quota, used);
  switch (admission.kind) {
    case 'admit': {
      transaction.update(claim.ref, { admitted: true, counted: true });
      return undefined;
    }
    case 'defer': {
      const { notBefore } = admission;
      const error = rateLimited(tenant, admission);
      const deferred = { state: 'deferred', admitted: false, notBefore, publishAt: notBefore };
      transaction.update(claim.ref, { ...deferred, payload, error: recordable(error) });
      return { why: error.message, notBefore };
    }
    case 'refuse':
      throw quotaExceeded(tenant, admission, usage);
  }
}
