import * as z from 'zod';
import { hash } from '../../shared/operation/canonical.ts';
import type { Delivery } from '../../shared/operation/delivery.ts';
import { attribute, recordableTime } from '../../shared/operation/request.ts';
import { isOwnObject } from '../../shared/routes.ts';

/** What of a notification's payload makes a difference: the object itself, as the JSON API shows it. */
const payload = z.object({ metageneration: z.string().max(20) });

const understood = ['OBJECT_FINALIZE', 'OBJECT_DELETE', 'OBJECT_ARCHIVE'];

type Adapted = Pick<Delivery, 'data' | 'attributes'> | { readonly ignore: string };

/**
 * Cloud Storage's own notification as a message. Its id is made of what happened, so that Pub/Sub's second delivery, and a
 * second notification of the same, do nothing.
 *
 * @returns undefined for what isn't Cloud Storage's
 * @see https://cloud.google.com/storage/docs/pubsub-notifications
 */
export function adaptNotification({
  attributes,
  data,
}: Pick<Delivery, 'attributes' | 'data'>): Adapted | undefined {
  const { eventType, bucketId, objectId, objectGeneration, eventTime } = attributes;
  if (eventType === undefined || bucketId === undefined || objectId === undefined) return undefined;
  if (!understood.includes(eventType)) return { ignore: `${eventType} asks for nothing` };
  if (isOwnObject(objectId)) return { ignore: `gs://${bucketId}/${objectId} is Drover’s own` };
  const message = { event: eventType, bucket: bucketId, object: objectId, generation: objectGeneration };
  const metageneration = readMetageneration(data);
  const id = hash(bucketId, objectId, objectGeneration ?? '', metageneration, eventType).slice(0, 40);
  return {
    data: Buffer.from(JSON.stringify(message)),
    attributes: {
      ...ofContract(attributes),
      [attribute.operationId]: `object-${id}`,
      // Notifications may take a while, and their order is nobody's.
      ...(recordableTime.safeParse(eventTime).success && { [attribute.publishedAt]: eventTime ?? '' }),
    },
  };
}

/** Where the payload is left out (format NONE), the generation says it all but for changes of metadata, which ask for nothing. */
function readMetageneration(data: Buffer): string {
  try {
    return payload.parse(JSON.parse(data.toString())).metageneration;
  } catch {
    return '';
  }
}

/** What a relay may have added in the contract's own words. */
function ofContract(attributes: Readonly<Record<string, string>>): Record<string, string> {
  const known: readonly string[] = Object.values(attribute);
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => known.includes(name)));
}
