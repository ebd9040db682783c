import type { JsonObject } from '../http/json.ts';
import { invalid, notFound } from './errors.ts';
import { requiredText, supportOnly, textOf } from './fields.ts';
import { requireLocation } from './location.ts';
import type { Store } from './store.ts';

/** A table of this project, which need not exist. */
export interface TableReference {
  readonly datasetId: string;
  readonly tableId: string;
}

/** @throws ApiError 400, 404 for another project */
export function readTableReference(store: Store, reference: JsonObject): TableReference {
  supportOnly('a table reference', reference, ['projectId', 'datasetId', 'tableId']);
  const project = textOf(reference, 'projectId');
  if (project !== undefined && project !== store.project) throw notFound(`Project ${project}`);
  const tableId = requiredText(reference, 'tableId');
  if (/[$@]/.test(tableId)) throw invalid(`The decorator of ${tableId} is not implemented here`);
  return { datasetId: requiredText(reference, 'datasetId'), tableId };
}

/**
 * Where a job about tables runs.
 *
 * @param wanted where it is asked to; wherever the first one's dataset is, if undefined
 * @throws ApiError 404 for a dataset that isn't there or is elsewhere
 */
export function locationOf(
  store: Store,
  references: readonly TableReference[],
  wanted: string | undefined,
): string {
  const datasets = references.map(({ datasetId }) => store.dataset(datasetId));
  const location = wanted ?? datasets[0]?.location ?? '';
  for (const dataset of datasets) requireLocation(store.project, dataset, location);
  return location;
}
