import type { Message } from '../grpc/server.ts';
import { contentBytes, type MessageContent, type PublishedMessage } from './message.ts';
import { parseTopicName, type ResourceName } from './names.ts';
import type { Subscription } from './subscription.ts';
import { within } from './subscription-config.ts';
import { requireSupported } from './supported-fields.ts';
import { day, durationToMs, minute, msToDuration } from './time.ts';

export interface TopicConfig {
  readonly name: ResourceName;
  readonly labels: Readonly<Record<string, string>>;
  /** Milliseconds; it only extends how far a Seek reaches, which this server does not have. */
  readonly messageRetention: number | undefined;
}

/** What UpdateTopic may and may not change. */
export const topicFields = {
  name: 'immutable',
  labels: 'mutable',
  message_storage_policy: 'mutable',
  kms_key_name: 'immutable',
  schema_settings: 'mutable',
  message_retention_duration: 'mutable',
  ingestion_data_source_settings: 'mutable',
  message_transforms: 'mutable',
} as const;

const supported = ['name', 'labels', 'messageRetentionDuration', 'satisfiesPzs', 'state'];

/**
 * Reads a google.pubsub.v1.Topic.
 *
 * @throws INVALID_ARGUMENT outside the documented ranges, UNIMPLEMENTED for what this server does not do
 * @see https://cloud.google.com/pubsub/docs/reference/rpc/google.pubsub.v1#topic
 */
export function parseTopic(request: Message): TopicConfig {
  requireSupported(request, supported);
  const retention = durationToMs(request['messageRetentionDuration']);
  return {
    name: parseTopicName(request['name']),
    labels: (request['labels'] ?? {}) as Record<string, string>,
    messageRetention: retention && within('message_retention_duration', retention, 10 * minute, 31 * day),
  };
}

export function toTopic(config: TopicConfig): Message {
  return {
    name: config.name.full,
    labels: config.labels,
    ...(config.messageRetention && { messageRetentionDuration: msToDuration(config.messageRetention) }),
    state: 'ACTIVE',
  };
}

// Sixteen digits, as the real service's ids have, and increasing across restarts too.
let lastMessageId = Date.now() * 1000;

export class Topic {
  config: TopicConfig;
  readonly subscriptions = new Set<Subscription>();

  constructor(config: TopicConfig) {
    this.config = config;
  }

  /** Stores messages in every subscription and returns their ids, which rise. */
  publish(contents: readonly MessageContent[]): string[] {
    const publishTime = Date.now();
    const messages = contents.map((content): PublishedMessage => {
      lastMessageId += 1;
      return { ...content, messageId: String(lastMessageId), publishTime, bytes: contentBytes(content) };
    });
    for (const subscription of this.subscriptions) subscription.receive(messages);
    return messages.map((message) => message.messageId);
  }
}
