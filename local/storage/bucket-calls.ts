import { ApiError } from '../http/api-error.ts';
import { toBucketResource } from './bucket.ts';
import { defaultSettings, mergeSettings } from './bucket-settings.ts';
import type { Handler } from './call.ts';
import { invalid } from './errors.ts';
import { requireBucketName } from './names.ts';
import { compareUtf8, page } from './pages.ts';
import { checkPreconditions } from './preconditions.ts';
import type { StorageStore } from './store.ts';

/** @see https://cloud.google.com/storage/docs/json_api/v1/buckets */
export function bucketCalls(
  store: StorageStore,
  project: string,
  url: () => string,
): Record<string, Handler> {
  const requireProject = (given: string | undefined) => {
    if (given === project) return;
    throw new ApiError(403, 'forbidden', `Access denied to the Google Cloud project ${given}.`);
  };
  return {
    'buckets.insert'({ query, body }) {
      requireProject(query['project']);
      const name = requireBucketName(body['name']);
      const settings = mergeSettings(body, defaultSettings);
      const bucket = store.addBucket(name, locationOf(body['location']), settings);
      return { json: toBucketResource(bucket, url()) };
    },

    'buckets.get'({ path, query }) {
      const bucket = store.findBucket(path['bucket']);
      checkPreconditions(query, { generation: 0, ...bucket }, 'read');
      return { json: toBucketResource(bucket, url()) };
    },

    'buckets.list'({ query }) {
      requireProject(query['project']);
      const found = store
        .buckets()
        .filter(({ name }) => name.startsWith(query['prefix'] ?? ''))
        .sort((one, other) => compareUtf8(one.name, other.name));
      const { items, ...rest } = page(found, ({ name }) => name, query);
      return {
        json: {
          kind: 'storage#buckets',
          ...rest,
          ...(items.length > 0 && { items: items.map((bucket) => toBucketResource(bucket, url())) }),
        },
      };
    },

    'buckets.patch'({ path, query, body }) {
      const bucket = store.findBucket(path['bucket']);
      checkPreconditions(query, { generation: 0, ...bucket }, 'write');
      if (locationOf(body['location'] ?? bucket.location) !== bucket.location) {
        throw invalid('The location of a bucket cannot be changed.');
      }
      bucket.settings = mergeSettings(body, bucket.settings);
      bucket.metageneration += 1;
      bucket.updated = store.clock.next();
      return { json: toBucketResource(bucket, url()) };
    },

    'buckets.delete'({ path, query }) {
      const bucket = store.findBucket(path['bucket']);
      checkPreconditions(query, { generation: 0, ...bucket }, 'write');
      store.removeBucket(bucket);
      return { status: 204 };
    },
  };
}

function locationOf(value: unknown = 'US'): string {
  const location = String(value).toUpperCase();
  if (/^(US|EU|ASIA|[A-Z]{2,4}\d{1,2}|[A-Z]+-[A-Z]+\d{1,2})$/.test(location)) return location;
  throw invalid(`The specified location constraint is not valid: ${value}.`);
}
