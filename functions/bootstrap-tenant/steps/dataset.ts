import type { AccessEntry } from '../../../shared/bigquery/model.ts';
import {
  deleteTenantDataset,
  ensureTenantDataset,
  findDataset,
  type TenantDataset,
} from '../../../shared/bigquery/tenant-dataset.ts';
import { config } from '../../../shared/config.ts';
import { OperationError } from '../../../shared/operation/errors.ts';
import type { TenantRecord } from '../../../shared/registry/tenants/model.ts';
import type { Saga, Step } from '../saga/step.ts';

/** The label that tells a tenant from a former one of the same id. */
const incarnationLabel = 'drover-incarnation';

/** The tenant's dataset in BigQuery. */
export const dataset: Step = {
  name: 'dataset',
  position: 5,
  needs: [],
  applies: ({ place }) => place.dataset !== null,
  look: async ({ operation, record }) =>
    (await findDataset(idOf(record), operation.signal)) ? 'present' : 'absent',
  async make(saga) {
    await refuseFormer(saga);
    saga.operation.assertHeld();
    const { changes, notes } = await ensureTenantDataset(wantedOf(saga), saga.operation);
    return { changes, notes };
  },
  plan: async ({ record }, found) =>
    found === 'present'
      ? { changes: [] }
      : { changes: [{ action: 'create', kind: 'dataset', name: idOf(record) }] },
  async undo(saga) {
    const { operation, record } = saga;
    if (await isFormerDataset(saga)) return [];
    operation.assertHeld();
    return deleteTenantDataset(idOf(record), record.tenant, operation);
  },
};

function idOf({ place }: TenantRecord): string {
  return place.dataset ?? '';
}

function wantedOf({ operation, record }: Saga): TenantDataset {
  const { tenant, displayName, region, limits, readers, incarnation } = record;
  return {
    id: idOf(record),
    tenant,
    displayName,
    location: region ?? config().DROVER_REGION,
    labels: { [incarnationLabel]: String(incarnation) },
    access: readers.map(readerEntry),
    withdrawn: (record.before?.readers ?? []).filter((one) => !readers.includes(one)).map(readerEntry),
    ...(limits.tableExpiryDays === undefined ? {} : { tableExpiryDays: limits.tableExpiryDays }),
    operation: operation.id,
  };
}

function readerEntry(reader: string): AccessEntry {
  return reader.startsWith('group:')
    ? { role: 'READER', groupByEmail: reader.slice('group:'.length) }
    : { role: 'READER', userByEmail: reader };
}

/** Whether what is there was a former tenant's, and kept: nothing of it is this one's. */
export async function isFormerDataset({ operation, record }: Saga): Promise<boolean> {
  const found = await findDataset(idOf(record), operation.signal);
  const label = found?.labels[incarnationLabel];
  return label !== undefined && label !== String(record.incarnation);
}

/** @throws OperationError `DATASET_EXISTS` where a former tenant's was kept: the next one must not see it */
async function refuseFormer(saga: Saga): Promise<void> {
  if (!(await isFormerDataset(saga))) return;
  const { record } = saga;
  throw new OperationError(
    'DATASET_EXISTS',
    `The dataset ${idOf(record)} is a former tenant's, kept when it was removed. Rename or delete it, or choose another id.`,
    { details: { dataset: idOf(record) } },
  );
}
