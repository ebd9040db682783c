import { type QuotaRecord, quotasCollection, usageAt } from '../../../shared/registry/quotas/model.ts';
import type { Saga, Step } from '../saga/step.ts';

/** What the tenant has used of its plan's operations: nothing. */
export const quota: Step = {
  name: 'quota',
  position: 8,
  needs: [],
  applies: () => true,
  look: async (saga) => ((await (await refOf(saga)).get()).exists ? 'present' : 'absent'),
  async make(saga) {
    const { operation, record } = saga;
    const ref = await refOf(saga);
    const isNew = await operation.transact([ref], async (transaction, [snapshot]) => {
      if (snapshot?.exists) return false;
      const unused: QuotaRecord = { tenant: record.tenant, ...usageAt(undefined, new Date()) };
      transaction.set(ref, unused);
      return true;
    });
    return { changes: isNew ? [created(saga)] : [] };
  },
  plan: async (saga, found) => ({ changes: found === 'absent' ? [created(saga)] : [] }),
  undo: dropQuota,
};

/** Forgets what the tenant has used. */
export async function dropQuota(saga: Saga) {
  const ref = await refOf(saga);
  await saga.operation.transact([], async (transaction) => {
    transaction.delete(ref);
  });
  return [];
}

function refOf({ operation, record }: Saga) {
  return operation.registry(quotasCollection, record.tenant);
}

function created({ record }: Saga) {
  const { operationsPerDay, operationsPerMinute, concurrentOperations } = record.limits;
  const detail = `${operationsPerMinute} operations a minute, ${operationsPerDay} a day, ${concurrentOperations} at a time`;
  return { action: 'create', kind: 'quota', name: record.tenant, detail } as const;
}
