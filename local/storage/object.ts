import type { Micros } from '../clock.ts';
import type { Content } from './content.ts';
import { etagOf } from './etag.ts';
import type { ObjectMetadata } from './object-metadata.ts';

/** An object as it is. Each change makes another one. */
export interface StoredObject {
  readonly bucket: string;
  readonly name: string;
  readonly generation: Micros;
  readonly metageneration: number;
  readonly metadata: ObjectMetadata;
  readonly storageClass: string;
  readonly timeCreated: Micros;
  readonly updated: Micros;
  /** How many objects it was composed of; undefined of one that wasn't. */
  readonly componentCount?: number;
  readonly content: Content;
}

/**
 * An object as the API shows it.
 *
 * @param url the server's, for the links
 * @see https://cloud.google.com/storage/docs/json_api/v1/objects#resource
 */
export function toObjectResource(object: StoredObject, url: string): Record<string, unknown> {
  const { bucket, name, generation, metageneration, storageClass, componentCount, content } = object;
  const path = `storage/v1/b/${bucket}/o/${encodeURIComponent(name)}`;
  return {
    kind: 'storage#object',
    id: `${bucket}/${name}/${generation}`,
    selfLink: `${url}/${path}`,
    mediaLink: `${url}/download/${path}?generation=${generation}&alt=media`,
    name,
    bucket,
    generation: String(generation),
    metageneration: String(metageneration),
    ...object.metadata,
    storageClass,
    size: String(content.size),
    ...(content.md5Hash !== undefined && { md5Hash: content.md5Hash }),
    crc32c: content.crc32c,
    ...(componentCount !== undefined && { componentCount }),
    etag: etagOf(generation, metageneration),
    timeCreated: toTimestamp(object.timeCreated),
    updated: toTimestamp(object.updated),
    timeStorageClassUpdated: toTimestamp(object.timeCreated),
    timeFinalized: toTimestamp(object.timeCreated),
  };
}

/** RFC 3339 with milliseconds, as resources have it. */
export function toTimestamp(time: Micros): string {
  return new Date(Math.floor(time / 1000)).toISOString();
}
