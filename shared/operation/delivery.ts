import * as z from 'zod';
import { OperationError } from './errors.ts';

/** A message as Pub/Sub delivered it, whatever envelope it came in. */
export interface Delivery {
  readonly data: Buffer;
  readonly attributes: Readonly<Record<string, string>>;
  readonly messageId: string;
  readonly publishTime: Date;
}

const pubsubMessage = z.object({
  data: z.string().default(''),
  attributes: z.record(z.string(), z.string()).default({}),
  messageId: z.string().min(1),
  publishTime: z.string().pipe(z.coerce.date()),
});

/**
 * Both ways in which a message reaches a function: as the data of a CloudEvent (Eventarc, and what the Functions
 * Framework makes of a push), or as the bare body of a push, which the framework passes on when it has no data.
 */
const envelope = z.union([
  z.object({ data: z.object({ message: pubsubMessage }) }).transform(({ data }) => data.message),
  z.object({ message: pubsubMessage }).transform(({ message }) => message),
]);

/**
 * Takes a message out of its envelope.
 *
 * @see https://cloud.google.com/pubsub/docs/push#receive_push
 * @see https://googleapis.github.io/google-cloudevents/examples/binary/pubsub/MessagePublishedData-complex.json
 * @throws OperationError `NOT_A_MESSAGE`: whatever this is, Pub/Sub didn't wrap it, so there is nothing to record
 */
export function readDelivery(event: unknown): Delivery {
  const parsed = envelope.safeParse(event);
  if (!parsed.success) {
    throw new OperationError(
      'NOT_A_MESSAGE',
      'The request is not a Pub/Sub push. Check that the subscription wraps its messages (no "payload unwrapping").',
    );
  }
  const { data, ...message } = parsed.data;
  return { ...message, data: Buffer.from(data, 'base64') };
}
