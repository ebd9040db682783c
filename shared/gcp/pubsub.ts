import type { v1 } from '@google-cloud/pubsub';
import { config } from '../config.ts';

type PublisherOptions = ConstructorParameters<typeof v1.PublisherClient>[0];

let opening: Promise<v1.PublisherClient> | undefined;

function publisher(): Promise<v1.PublisherClient> {
  opening ??= open().catch((error: unknown) => {
    opening = undefined;
    throw error;
  });
  return opening;
}

/**
 * The client below the library's own `Topic`: somebody waits for each message, so there is nothing to batch, and it
 * can be made before there is a message to publish.
 *
 * `PUBSUB_EMULATOR_HOST` is honoured by what `getClientConfig` gives.
 */
async function open(): Promise<v1.PublisherClient> {
  // By its default: bundled, a CommonJS library has no other export.
  const { default: library } = await import('@google-cloud/pubsub');
  const pubsub = new library.PubSub({ projectId: config().GOOGLE_CLOUD_PROJECT });
  const client = new library.v1.PublisherClient((await pubsub.getClientConfig()) as PublisherOptions);
  await client.initialize();
  return client;
}

/** Loads all that publishing needs, for a caller who has to wait for something else anyway. */
export function preparePublishing(): void {
  // Whoever publishes meets the same error.
  publisher().catch(() => undefined);
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
  const client = await publisher();
  const [{ messageIds }] = await client.publish({
    topic: client.projectTopicsPath(config().GOOGLE_CLOUD_PROJECT, topic),
    messages: [{ data, attributes: { ...attributes } }],
  });
  const [id] = messageIds ?? [];
  if (id === undefined) throw new Error(`Pub/Sub took a message for ${topic} and gave it no id`);
  return id;
}

/** Closes the client's connections, if there are any. */
export async function closePubSub(): Promise<void> {
  const open = opening;
  opening = undefined;
  await (await open)?.close();
}
