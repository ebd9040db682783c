import type { JsonObject } from '../http/json.ts';
import { type AccessEntry, accessOf } from './access.ts';
import { invalid } from './errors.ts';
import { int64Of, supportOnly, textOf } from './fields.ts';
import { type Labels, labelsOf } from './labels.ts';

/** What may change. Lengths of time are milliseconds, as text. */
export interface DatasetSettings {
  readonly friendlyName: string | undefined;
  readonly description: string | undefined;
  readonly labels: Labels | undefined;
  readonly access: readonly AccessEntry[] | undefined;
  readonly defaultTableExpirationMs: string | undefined;
  readonly defaultPartitionExpirationMs: string | undefined;
}

const given = [
  'friendlyName',
  'description',
  'labels',
  'access',
  'defaultTableExpirationMs',
  'defaultPartitionExpirationMs',
];

/** In requests they change nothing, as in the service; `location` is looked at elsewhere. */
const others = [
  'kind',
  'etag',
  'id',
  'selfLink',
  'type',
  'datasetReference',
  'location',
  'creationTime',
  'lastModifiedTime',
];

const hour = 3_600_000;

/**
 * @throws ApiError 400
 * @see https://cloud.google.com/bigquery/docs/reference/rest/v2/datasets
 */
export function readDatasetSettings(body: JsonObject): DatasetSettings {
  supportOnly('a dataset', body, [...given, ...others]);
  const defaultTableExpirationMs = int64Of(body, 'defaultTableExpirationMs');
  if (Number(defaultTableExpirationMs ?? hour) < hour) {
    throw invalid(`Invalid value for defaultTableExpirationMs: it must be at least ${hour}`);
  }
  return {
    friendlyName: textOf(body, 'friendlyName'),
    description: textOf(body, 'description'),
    labels: labelsOf(body),
    access: accessOf(body),
    defaultTableExpirationMs,
    defaultPartitionExpirationMs: int64Of(body, 'defaultPartitionExpirationMs'),
  };
}
