import type { PubSub, Topic } from '@google-cloud/pubsub';
import { config } from '../config.ts';

let opening: Promise<PubSub> | undefined;
const topics = new Map<string, Topic>();

function pubsub(): Promise<PubSub> {
  opening ??= import('@google-cloud/pubsub').then(
    (library) => new library.PubSub({ projectId: config().GOOGLE_CLOUD_PROJECT }),
  );
  return opening;
}

/**
 * Publishes one message and waits until Pub/Sub has it.
 *
 * @returns the message's id
 */
export async function publish(
  topic: string,
  data: Buffer,
  attributes: Readonly<Record<string, string>>,
): Promise<string> {
  const client = await pubsub();
  let publisher = topics.get(topic);
  if (publisher === undefined) {
    // Somebody waits for each message, so none waits for others to share a request with it.
    publisher = client.topic(topic, { batching: { maxMessages: 1 } });
    topics.set(topic, publisher);
  }
  return publisher.publishMessage({ data, attributes: { ...attributes } });
}

/** Closes the client's connections, if there are any. */
export async function closePubSub(): Promise<void> {
  const open = opening;
  opening = undefined;
  topics.clear();
  await (await open)?.close();
}
