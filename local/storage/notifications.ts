import type { Micros } from '../clock.ts';
import { Outbox, type Publish } from '../outbox.ts';
import type { Bucket } from './bucket.ts';
import type { EventType } from './notification-config.ts';
import { type StoredObject, toObjectResource, toTimestamp } from './object.ts';

/** The other generation of an overwrite. */
export interface Overwrite {
  readonly overwroteGeneration?: string;
  readonly overwrittenByGeneration?: string;
}

/**
 * Tells the topics of a bucket what happened to its objects.
 *
 * @see https://cloud.google.com/storage/docs/pubsub-notifications
 */
export class Notifications {
  readonly #outbox: Outbox;
  readonly #url: () => string;

  /** @param url the server's, for the links of objects */
  constructor(publish: Publish, url: () => string) {
    this.#outbox = new Outbox(publish);
    this.#url = url;
  }

  /** @param object as it is afterwards, or as it was where it is gone */
  send(
    eventType: EventType,
    bucket: Bucket,
    object: StoredObject,
    at: Micros,
    overwrite: Overwrite = {},
  ): void {
    for (const config of bucket.notificationConfigs.values()) {
      const { id, topic, payloadFormat, eventTypes, objectNamePrefix, customAttributes } = config;
      if (eventTypes.length > 0 && !eventTypes.includes(eventType)) continue;
      if (!object.name.startsWith(objectNamePrefix)) continue;
      const payload = payloadFormat === 'NONE' ? '' : JSON.stringify(toObjectResource(object, this.#url()));
      this.#outbox.send(topic, Buffer.from(payload), {
        ...customAttributes,
        notificationConfig: `projects/_/buckets/${bucket.name}/notificationConfigs/${id}`,
        eventType,
        payloadFormat,
        bucketId: bucket.name,
        objectId: object.name,
        objectGeneration: String(object.generation),
        eventTime: toMicroTimestamp(at),
        ...overwrite,
      });
    }
  }

  /** Resolves when no notification is on its way. */
  idle(): Promise<void> {
    return this.#outbox.idle();
  }
}

/** RFC 3339 with microseconds. */
function toMicroTimestamp(time: Micros): string {
  return toTimestamp(time).replace('Z', `${String(time % 1000).padStart(3, '0')}Z`);
}
