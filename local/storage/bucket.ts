import type { Micros } from '../clock.ts';
import type { BucketSettings } from './bucket-settings.ts';
import { etagOf } from './etag.ts';
import type { NotificationConfig } from './notification-config.ts';
import { type StoredObject, toTimestamp } from './object.ts';

export interface Bucket {
  readonly name: string;
  readonly timeCreated: Micros;
  readonly location: string;
  readonly objects: Map<string, StoredObject>;
  readonly notificationConfigs: Map<string, NotificationConfig>;
  settings: BucketSettings;
  metageneration: number;
  updated: Micros;
}

/**
 * A bucket as the API shows it.
 *
 * @param url the server's, for the link
 * @see https://cloud.google.com/storage/docs/json_api/v1/buckets#resource
 */
export function toBucketResource(bucket: Bucket, url: string): Record<string, unknown> {
  const { name, location, metageneration, settings } = bucket;
  const { publicAccessPrevention, labels, lifecycle, storageClass } = settings;
  return {
    kind: 'storage#bucket',
    selfLink: `${url}/storage/v1/b/${name}`,
    id: name,
    name,
    projectNumber: '123456789012',
    metageneration: String(metageneration),
    location,
    locationType: locationTypeOf(location),
    storageClass,
    etag: etagOf(metageneration),
    timeCreated: toTimestamp(bucket.timeCreated),
    updated: toTimestamp(bucket.updated),
    iamConfiguration: {
      bucketPolicyOnly: { enabled: true },
      uniformBucketLevelAccess: { enabled: true },
      publicAccessPrevention,
    },
    softDeletePolicy: { retentionDurationSeconds: '0' },
    ...(labels && { labels }),
    ...(lifecycle && { lifecycle }),
  };
}

/** @see https://cloud.google.com/storage/docs/locations */
function locationTypeOf(location: string): string {
  if (/^(US|EU|ASIA)$/.test(location)) return 'multi-region';
  return location.includes('-') ? 'region' : 'dual-region';
}
