import { notImplemented } from '../http/api-error.ts';
import { isObject, type JsonObject } from '../http/json.ts';
import { invalid } from './errors.ts';
import { storageClassOf } from './storage-class.ts';

/** What can be changed of a bucket. */
export interface BucketSettings {
  readonly storageClass: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Kept, not carried out. */
  readonly lifecycle?: JsonObject;
  readonly publicAccessPrevention: 'inherited' | 'enforced';
}

export const defaultSettings: BucketSettings = {
  storageClass: 'STANDARD',
  publicAccessPrevention: 'inherited',
};

/** The service's to say, or read elsewhere. */
const otherFields = new Set([
  ...['name', 'location', 'kind', 'id', 'selfLink', 'etag', 'projectNumber', 'metageneration'],
  ...['locationType', 'timeCreated', 'updated'],
]);

/** Fields whose one value here may be said, too. */
const fixed: Readonly<Record<string, (value: JsonObject) => boolean>> = {
  versioning: ({ enabled }) => enabled !== true,
  softDeletePolicy: ({ retentionDurationSeconds }) => Number(retentionDurationSeconds) === 0,
};

/**
 * The settings of a bucket after a request.
 *
 * @param body of which null clears a field, and a field that it lacks stays as it is
 * @throws ApiError 400, 501 for what isn't supported
 */
export function mergeSettings(body: JsonObject, before: BucketSettings): BucketSettings {
  let merged = before;
  for (const [field, value] of Object.entries(body)) {
    if (value === undefined || otherFields.has(field)) continue;
    merged = { ...merged, ...mergeField(field, value, before) };
  }
  return merged;
}

function mergeField(field: string, value: unknown, before: BucketSettings): object {
  switch (field) {
    case 'storageClass':
      return { storageClass: storageClassOf(value, defaultSettings.storageClass) };
    case 'labels':
      return { labels: mergeLabels(value, before.labels) };
    case 'lifecycle':
      return { lifecycle: lifecycleOf(value) };
    case 'iamConfiguration':
      return accessOf(value);
  }
  if (value === null || (isObject(value) && fixed[field]?.(value))) return {};
  throw notImplemented(`the field ${field} of a bucket`);
}

/** @see https://cloud.google.com/storage/docs/tags-and-labels#bucket-labels */
function mergeLabels(value: unknown, before: BucketSettings['labels'] = {}): BucketSettings['labels'] {
  if (value === null) return undefined;
  if (!isObject(value)) throw invalid('Invalid value for: labels');
  const labels = Object.entries({ ...before, ...value }).filter(([, text]) => text !== null);
  for (const [key, text] of labels) {
    if (!/^[\p{Ll}\p{Lo}][-_\p{Ll}\p{Lo}\p{N}]{0,62}$/u.test(key)) {
      throw invalid(`Invalid argument: the label key ${key} is not valid.`);
    }
    if (typeof text !== 'string' || !/^[-_\p{Ll}\p{Lo}\p{N}]{0,63}$/u.test(text)) {
      throw invalid(`Invalid argument: the label value ${text} is not valid.`);
    }
  }
  if (labels.length > 64) throw invalid('A bucket can have at most 64 labels.');
  return labels.length > 0 ? Object.fromEntries(labels as [string, string][]) : undefined;
}

function lifecycleOf(value: unknown): JsonObject | undefined {
  if (value === null) return undefined;
  const rules = isObject(value) ? value['rule'] : undefined;
  if (rules === undefined || (Array.isArray(rules) && rules.length === 0)) return undefined;
  const wellFormed =
    Array.isArray(rules) && rules.every((rule) => isObject(rule?.action) && isObject(rule?.condition));
  if (!wellFormed) throw invalid('Invalid value for: lifecycle');
  return { rule: rules };
}

/** Access is uniform and nobody is public: there are no ACLs here. */
function accessOf(value: unknown): Partial<BucketSettings> {
  if (!isObject(value)) throw invalid('Invalid value for: iamConfiguration');
  const { uniformBucketLevelAccess, bucketPolicyOnly, publicAccessPrevention, ...others } = value;
  const [other] = Object.keys(others);
  if (other !== undefined) throw notImplemented(`the field ${other} of iamConfiguration`);
  for (const access of [uniformBucketLevelAccess, bucketPolicyOnly]) {
    if (isObject(access) && access['enabled'] !== true) throw notImplemented('access by ACLs');
  }
  if (publicAccessPrevention === undefined) return {};
  if (publicAccessPrevention === 'inherited' || publicAccessPrevention === 'enforced') {
    return { publicAccessPrevention };
  }
  throw invalid('Invalid value for: iamConfiguration.publicAccessPrevention');
}
