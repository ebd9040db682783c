import { config } from '../config.ts';
import { OperationError } from '../operation/errors.ts';
import { type Converged, type ConvergeOptions, nothing, write } from './converged.ts';
import { planDataset } from './dataset-plan.ts';
import { refusedWith } from './errors.ts';
import type { Dataset, DatasetDefinition } from './model.ts';
import { findDataset } from './resources.ts';
import { keptChanging } from './tables.ts';

const attempts = 5;

/** `found`: as it was before; undefined where there was none. */
export type EnsuredDataset = Converged & { readonly found: Dataset | undefined };

/**
 * Makes a dataset, or brings one of ours to what it should be.
 *
 * @throws OperationError `DATASET_EXISTS` where it is somebody else's, `REGION_MISMATCH` where it is elsewhere;
 * `DATASET_CHANGED`, retryable
 */
export async function ensureDataset(
  wanted: DatasetDefinition,
  options: ConvergeOptions,
): Promise<EnsuredDataset> {
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    const current = await findDataset(wanted.id, options.signal);
    try {
      const done = await (current ? alterDataset(current, wanted, options) : createDataset(wanted, options));
      return { ...done, found: current };
    } catch (error) {
      if (!refusedWith(error, 'ALREADY_EXISTS') && !refusedWith(error, 'FAILED_PRECONDITION')) throw error;
    }
  }
  throw keptChanging(wanted.id);
}

function createDataset(wanted: DatasetDefinition, options: ConvergeOptions): Promise<Converged> {
  const { id, location, identity, labels, withdrawn: _, ...settings } = wanted;
  const request = {
    method: 'POST',
    path: 'datasets',
    body: {
      datasetReference: { datasetId: id },
      location,
      labels: { ...labels, ...identity },
      ...settings,
    },
  } as const;
  return write(request, { action: 'create', kind: 'dataset', name: id, detail: `in ${location}` }, options);
}

async function alterDataset(
  current: Dataset,
  wanted: DatasetDefinition,
  options: ConvergeOptions,
): Promise<Converged> {
  const { id, location, identity, withdrawn, ...settings } = wanted;
  requireOurs(current, identity);
  if (current.location.toLowerCase() !== location.toLowerCase()) throw elsewhere(current, location);
  const { patch, changes } = planDataset(current, settings, withdrawn);
  if (patch === undefined) return nothing;
  const request = { method: 'PATCH', path: `datasets/${id}`, body: patch, etag: current.etag } as const;
  return write(request, { action: 'alter', kind: 'dataset', name: id, detail: changes.join('; ') }, options);
}

/** @throws OperationError `DATASET_EXISTS` unless a dataset has the labels that say whose it is */
export function requireOurs(
  { datasetReference: { datasetId: id }, labels = {} }: Dataset,
  identity: DatasetDefinition['identity'],
): void {
  const missing = Object.entries(identity).filter(([name, value]) => labels[name] !== value);
  if (missing.length === 0) return;
  const wanted = missing.map(([name, value]) => `--set_label=${name}:${value}`).join(' ');
  const name = `${config().GOOGLE_CLOUD_PROJECT}:${id}`;
  throw new OperationError(
    'DATASET_EXISTS',
    `There is a dataset ${id} that isn't ours: it lacks labels that say so. If it is to be, run: bq update ${wanted} ${name}`,
    { details: { dataset: id, labels } },
  );
}

function elsewhere({ datasetReference, location }: Dataset, wanted: string): OperationError {
  const id = datasetReference.datasetId;
  return new OperationError(
    'REGION_MISMATCH',
    `The dataset ${id} is in ${location}, not in ${wanted}, and BigQuery doesn't move datasets. ` +
      `Say region ${location}, or copy the dataset to ${wanted} and delete it here`,
    { details: { dataset: id, location, wanted } },
  );
}
