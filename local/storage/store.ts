import type { Clock } from '../clock.ts';
import type { Bucket } from './bucket.ts';
import { type BucketSettings, defaultSettings } from './bucket-settings.ts';
import { ContentStore } from './content.ts';
import { conflict, notFound } from './errors.ts';
import type { Notifications } from './notifications.ts';
import { numberOf } from './numbers.ts';
import type { StoredObject } from './object.ts';

/** What is written as an object. */
export interface NewObject extends Pick<StoredObject, 'name' | 'metadata' | 'storageClass' | 'content'> {
  readonly componentCount?: number | undefined;
}

/** All buckets and objects, and who is told of their changes. */
export class StorageStore {
  readonly clock: Clock;
  readonly contents = new ContentStore();
  readonly notifications: Notifications;
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Clock, notifications: Notifications) {
    this.clock = clock;
    this.notifications = notifications;
  }

  buckets(): Bucket[] {
    return [...this.#buckets.values()];
  }

  /** @throws ApiError 404 */
  findBucket(name: string | undefined): Bucket {
    const bucket = this.#buckets.get(name ?? '');
    if (bucket === undefined) throw notFound('The specified bucket does not exist.');
    return bucket;
  }

  /** @throws ApiError 409 */
  addBucket(name: string, location: string, settings: BucketSettings = defaultSettings): Bucket {
    if (this.#buckets.has(name)) {
      throw conflict('Your previous request to create the named bucket succeeded and you already own it.');
    }
    const timeCreated = this.clock.next();
    const bucket: Bucket = {
      name,
      location,
      timeCreated,
      updated: timeCreated,
      metageneration: 1,
      settings,
      objects: new Map(),
      notificationConfigs: new Map(),
    };
    this.#buckets.set(name, bucket);
    return bucket;
  }

  /** @throws ApiError 409 */
  removeBucket({ name, objects }: Bucket): void {
    if (objects.size > 0) throw conflict('The bucket you tried to delete is not empty.');
    this.#buckets.delete(name);
  }

  /** @throws ApiError 404 also where another generation is there */
  findObject(bucket: Bucket, name: string, generation?: string): StoredObject {
    const object = bucket.objects.get(name);
    const wanted = generation === undefined ? object?.generation : numberOf(generation);
    if (object && object.generation === wanted) return object;
    throw notFound(`No such object: ${bucket.name}/${name}`);
  }

  /**
   * Writes an object in the place of the one that has its name, if any.
   *
   * @param check throws where that one must not be replaced, or not by this one, whose content is dropped then
   */
  putObject(
    bucketName: string,
    { componentCount, ...given }: NewObject,
    check: (replaced: StoredObject | undefined) => void,
  ): StoredObject {
    const { bucket, replaced } = this.#expect(bucketName, given, check);
    const generation = this.clock.next();
    const object: StoredObject = {
      ...given,
      ...(componentCount !== undefined && { componentCount }),
      bucket: bucket.name,
      generation,
      metageneration: 1,
      timeCreated: generation,
      updated: generation,
    };
    bucket.objects.set(given.name, object);
    this.notifications.send('OBJECT_FINALIZE', bucket, object, generation, {
      ...(replaced && { overwroteGeneration: String(replaced.generation) }),
    });
    if (replaced) this.#bury(bucket, replaced, { overwrittenByGeneration: String(generation) });
    return object;
  }

  /** Changes an object's metadata. */
  touchObject(bucket: Bucket, object: StoredObject, metadata: StoredObject['metadata']): StoredObject {
    const updated = this.clock.next();
    const touched = { ...object, metadata, metageneration: object.metageneration + 1, updated };
    bucket.objects.set(object.name, touched);
    this.notifications.send('OBJECT_METADATA_UPDATE', bucket, touched, updated);
    return touched;
  }

  removeObject(bucket: Bucket, object: StoredObject): void {
    bucket.objects.delete(object.name);
    this.#bury(bucket, object);
  }

  #expect(
    bucketName: string,
    { name, content }: NewObject,
    check: (replaced: StoredObject | undefined) => void,
  ) {
    try {
      const bucket = this.findBucket(bucketName);
      const replaced = bucket.objects.get(name);
      check(replaced);
      return { bucket, replaced };
    } catch (error) {
      void content.bytes.remove();
      throw error;
    }
  }

  #bury(bucket: Bucket, object: StoredObject, overwrite = {}): void {
    this.notifications.send('OBJECT_DELETE', bucket, object, this.clock.next(), overwrite);
    void object.content.bytes.remove();
  }
}
