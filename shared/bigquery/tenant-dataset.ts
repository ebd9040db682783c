import { callBigQuery } from '../gcp/bigquery.ts';
import type { Change } from '../operation/outcome.ts';
import type { Converged, ConvergeOptions } from './converged.ts';
import { ensureDataset, requireOurs } from './datasets.ts';
import { refusedWith } from './errors.ts';
import type { AccessEntry, Dataset } from './model.ts';
import * as resources from './resources.ts';

/** The dataset that a tenant should have. */
export interface TenantDataset {
  readonly id: string;
  readonly tenant: string;
  readonly displayName: string;
  /** `EU`, `europe-west1` … */
  readonly location: string;
  /** Besides those that say whose it is. */
  readonly labels: Readonly<Record<string, string>>;
  /** Who has which role in it, besides the project's owners. Others who have one keep it. */
  readonly access: readonly AccessEntry[];
  /** Who had one by an earlier definition, and shall have none. */
  readonly withdrawn?: readonly AccessEntry[];
  /** Days after which tables expire that are made from now on, unless they say otherwise; without it never. */
  readonly tableExpiryDays?: number;
  /** The id of the operation that makes it. */
  readonly operation: string;
}

/** A dataset that is there. */
export interface DatasetInfo {
  readonly id: string;
  readonly location: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly access: readonly AccessEntry[];
}

/** `found`: what there was before the operation made anything. */
export type EnsuredTenantDataset = Converged & { readonly found: 'absent' | 'present' };

const dayMs = 86_400_000;

/** Names the operation that made a dataset: an attempt that comes later knows its own work again. */
const creatorLabel = 'drover-created-by';

const never = new AbortController().signal;

const mostLooks = 5;

type Held = Pick<Required<ConvergeOptions>, 'signal' | 'assertHeld'>;

/** No operation that could be another worker's by now. */
const isNobodys = () => undefined;

/** @returns undefined where there is none of this id */
export async function findDataset(id: string, signal = never): Promise<DatasetInfo | undefined> {
  const found = await resources.findDataset(id, signal);
  return found && { id, location: found.location, labels: found.labels ?? {}, access: found.access ?? [] };
}

/**
 * Makes a tenant's dataset, or brings it to what it should be. Nobody else in the project may read it, but its owners.
 *
 * @throws OperationError `DATASET_EXISTS` where there is one that isn't this tenant's, `REGION_MISMATCH` where it is
 * elsewhere; `DATASET_CHANGED`, retryable; `GOOGLE_…`
 */
export async function ensureTenantDataset(
  wanted: TenantDataset,
  { signal = never, dryRun = false, assertHeld = isNobodys }: Partial<ConvergeOptions> = {},
): Promise<EnsuredTenantDataset> {
  const {
    id,
    tenant,
    displayName,
    location,
    labels,
    access,
    withdrawn = [],
    tableExpiryDays,
    operation,
  } = wanted;
  const existing = await resources.findDataset(id, signal);
  const isNew = existing === undefined || existing.labels?.[creatorLabel] === operation;
  const owners: AccessEntry = { role: 'OWNER', specialGroup: 'projectOwners' };
  const done = await ensureDataset(
    {
      id,
      location,
      identity: identityOf(tenant),
      labels: { ...labels, ...(isNew && { [creatorLabel]: operation }) },
      friendlyName: displayName,
      access: existing === undefined ? [owners, ...access] : access,
      withdrawn,
      ...(tableExpiryDays !== undefined && { defaultTableExpirationMs: String(tableExpiryDays * dayMs) }),
    },
    { signal, dryRun, assertHeld },
  );
  return { ...done, found: isNew ? 'absent' : 'present' };
}

/**
 * Deletes a tenant's dataset with all that is in it. One that is gone is deleted.
 *
 * @throws OperationError `DATASET_EXISTS` where it isn't this tenant's
 */
export async function deleteTenantDataset(
  id: string,
  tenant: string,
  { signal = never, assertHeld = isNobodys }: Partial<Held> = {},
): Promise<Change[]> {
  for (let looks = 1; ; looks += 1) {
    const found = await findTenantDataset(id, tenant, signal);
    if (found === undefined) return [];
    const call = { path: `datasets/${id}`, query: { deleteContents: 'true' }, etag: found.etag };
    assertHeld();
    try {
      await callBigQuery({ method: 'DELETE', ...call }, signal);
      break;
    } catch (error) {
      if (refusedWith(error, 'NOT_FOUND')) return [];
      // Somebody changed it at the same moment.
      if (!refusedWith(error, 'FAILED_PRECONDITION') || looks === mostLooks) throw error;
    }
  }
  return [{ action: 'revoke', kind: 'dataset', name: id, detail: 'deleted' }];
}

/** @throws OperationError `DATASET_EXISTS` where there is one that isn't this tenant's */
export async function findTenantDataset(
  id: string,
  tenant: string,
  signal: AbortSignal,
): Promise<Dataset | undefined> {
  const found = await resources.findDataset(id, signal);
  if (found) requireOurs(found, identityOf(tenant));
  return found;
}

function identityOf(tenant: string): Record<string, string> {
  return { 'managed-by': 'drover', 'drover-tenant': tenant };
}
