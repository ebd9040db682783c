import type { Message } from '../grpc/server.ts';
import { invalidArgument, tooLarge } from './errors.ts';
import { msToTimestamp } from './time.ts';

/** A message as its topic stores it: shared, unchanged, by all subscriptions. */
export interface PublishedMessage {
  readonly messageId: string;
  /** Milliseconds since the epoch. */
  readonly publishTime: number;
  readonly data: Buffer;
  readonly attributes: Readonly<Record<string, string>>;
  readonly orderingKey: string;
  /** What flow control counts. */
  readonly bytes: number;
}

/** What a publisher may set. */
export type MessageContent = Pick<PublishedMessage, 'data' | 'attributes' | 'orderingKey'>;

const noAttributes = Object.freeze({});
const noData = Buffer.alloc(0);

const limits = {
  requestBytes: 10_000_000,
  messages: 1000,
  attributes: 100,
  attributeKeyBytes: 256,
  attributeValueBytes: 1024,
  orderingKeyBytes: 1024,
};

/**
 * Reads the messages of a Publish request.
 *
 * @throws INVALID_ARGUMENT beyond the limits of https://cloud.google.com/pubsub/quotas#resource_limits
 */
export function parseMessages(request: Message): MessageContent[] {
  const messages = (request['messages'] ?? []) as Message[];
  if (messages.length === 0) throw invalidArgument('The value for message_count is too small. You passed 0.');
  if (messages.length > limits.messages) throw tooLarge('message_count', messages.length, limits.messages);
  const contents = messages.map(parseContent);
  const bytes = contents.reduce((sum, content) => sum + contentBytes(content), 0);
  if (bytes > limits.requestBytes) throw tooLarge('request_size', bytes, limits.requestBytes);
  if (contents.some((content) => content.orderingKey !== contents[0]?.orderingKey)) {
    throw invalidArgument(
      'In a single publish request, all messages must have no ordering key or they must all have the same ordering key.',
    );
  }
  return contents;
}

/** Bytes of data and attributes: what limits and flow control count. */
export function contentBytes(content: MessageContent): number {
  let bytes = content.data.length + Buffer.byteLength(content.orderingKey);
  for (const key in content.attributes) {
    bytes += Buffer.byteLength(key) + Buffer.byteLength(content.attributes[key] ?? '');
  }
  return bytes;
}

/** The google.pubsub.v1.PubsubMessage of a pull. */
export function toPubsubMessage(message: PublishedMessage): Message {
  return {
    data: message.data,
    attributes: message.attributes,
    messageId: message.messageId,
    publishTime: msToTimestamp(message.publishTime),
    orderingKey: message.orderingKey,
  };
}

function parseContent(message: Message): MessageContent {
  const content: MessageContent = {
    data: (message['data'] as Buffer | undefined) ?? noData,
    attributes: (message['attributes'] as Record<string, string> | undefined) ?? noAttributes,
    orderingKey: (message['orderingKey'] as string | undefined) ?? '',
  };
  const entries = Object.entries(content.attributes);
  if (content.data.length === 0 && entries.length === 0) {
    throw invalidArgument(
      'One or more messages in the publish request is empty. Each message must contain either non-empty data, or at least one attribute. Refer to https://cloud.google.com/pubsub/docs/reference/rpc/google.pubsub.v1#pubsubmessage for more information.',
    );
  }
  if (entries.length > limits.attributes) {
    throw tooLarge('attribute_count', entries.length, limits.attributes);
  }
  for (const [key, value] of entries) requireValidAttribute(key, value);
  const orderingKeyBytes = Buffer.byteLength(content.orderingKey);
  if (orderingKeyBytes > limits.orderingKeyBytes) {
    throw tooLarge('ordering_key', orderingKeyBytes, limits.orderingKeyBytes);
  }
  return content;
}

function requireValidAttribute(key: string, value: string): void {
  const keyBytes = Buffer.byteLength(key);
  const valueBytes = Buffer.byteLength(value);
  if (keyBytes === 0 || key.startsWith('goog')) {
    throw invalidArgument(
      `Invalid attribute key (key=${key}). Keys must not be empty and must not begin with "goog".`,
    );
  }
  if (keyBytes > limits.attributeKeyBytes) {
    throw tooLarge('attribute_key', keyBytes, limits.attributeKeyBytes);
  }
  if (valueBytes > limits.attributeValueBytes) {
    throw tooLarge('attribute_value', valueBytes, limits.attributeValueBytes);
  }
}
