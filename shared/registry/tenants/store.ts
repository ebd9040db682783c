import type { DocumentReference, DocumentSnapshot, Transaction } from '@google-cloud/firestore';
import { hash } from '../../operation/canonical.ts';
import type { OperationContext } from '../../operation/definition.ts';
import { withDates } from '../dates.ts';
import { hasEnded } from '../grants/store.ts';
import { Superseded } from '../intents.ts';
import { operationsCollection } from '../operations.ts';
import { decideTenant, type TenantDecision, type TenantWish } from './decide.ts';
import { type StepRecord, stepsCollection, type TenantRecord, tenantsCollection } from './model.ts';

/** The document of a tenant. */
export function tenantRef(
  operation: Pick<OperationContext, 'registry'>,
  tenant: string,
): Promise<DocumentReference> {
  return operation.registry(tenantsCollection, tenant);
}

export function readTenant(snapshot: DocumentSnapshot | undefined): TenantRecord | undefined {
  const data = snapshot?.data();
  return data === undefined ? undefined : (withDates(data) as TenantRecord);
}

export function readStep(snapshot: DocumentSnapshot | undefined): StepRecord | undefined {
  const data = snapshot?.data();
  return data === undefined ? undefined : (withDates(data) as StepRecord);
}

/** The document of a step of a tenant. */
export function stepRef(tenant: DocumentReference, step: string): DocumentReference {
  return tenant.collection(stepsCollection).doc(step);
}

/** All steps of a tenant, in their order. */
export async function readSteps(tenant: DocumentReference): Promise<StepRecord[]> {
  const { docs } = await tenant.collection(stepsCollection).get();
  return docs.flatMap((document) => readStep(document) ?? []).sort((a, b) => a.position - b.position);
}

/**
 * What has to be repeated to remove a tenant: it means this one, and none that has its id later.
 */
export function confirmationOf({ tenant, incarnation, createdAt }: TenantRecord): string {
  return `${tenant}-${hash(tenant, String(incarnation), createdAt.toISOString()).slice(0, 8)}`;
}

export interface BegunTenant {
  readonly ref: DocumentReference;
  readonly record: TenantRecord;
  readonly decision: TenantDecision['kind'];
}

/**
 * Takes a tenant for an operation, so that no other is at it: in one transaction, in which a new one is reserved.
 *
 * @param next the record that there is to be, from the one that there is
 * @param steps written along with it
 * @throws Superseded
 * @throws OperationError `TENANT_BUSY` (retryable), `TENANT_REMOVED`, `TENANT_REMOVING`, `TENANT_NOT_FOUND`; what `next` throws
 */
export async function beginTenant(
  operation: OperationContext,
  tenant: string,
  wish: Pick<TenantWish, 'action' | 'reuse'>,
  next: (found: TenantRecord | undefined, decision: TenantDecision) => TenantRecord,
  steps: (record: TenantRecord, decision: TenantDecision) => readonly StepRecord[],
): Promise<BegunTenant> {
  const ref = await tenantRef(operation, tenant);
  const { claimedActor: _, ...order } = operation.asked;
  return operation.transact([ref], async (transaction, [snapshot]) => {
    const found = readTenant(snapshot);
    const decision = decideTenant(
      found,
      { ...wish, operation: operation.id, order },
      await holderEnded(transaction, ref, found, operation.id),
    );
    if (decision.kind === 'refused') throw decision.error;
    if (decision.kind === 'superseded') throw new Superseded(found?.operation ?? '');
    const record = next(found, decision);
    if (!operation.dryRun && decision.kind !== 'done') {
      transaction.set(ref, record);
      for (const step of steps(record, decision)) transaction.set(stepRef(ref, step.step), step);
    }
    return { ref, record, decision: decision.kind };
  });
}

async function holderEnded(
  transaction: Transaction,
  ref: DocumentReference,
  found: TenantRecord | undefined,
  operation: string,
): Promise<boolean> {
  if (!found?.holder || found.holder === operation) return true;
  const holder = ref.firestore.collection(operationsCollection).doc(found.holder);
  return hasEnded(await transaction.get(holder));
}
