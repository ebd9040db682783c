import type { MessageContent, PublishedMessage } from './message.ts';
import type { ResourceName } from './names.ts';

export interface DeadLetterPolicy {
  /** Full name of a topic. */
  readonly topic: string;
  readonly maxDeliveryAttempts: number;
}

/**
 * What is published to the dead-letter topic: the original content plus attributes that say where it failed.
 *
 * @param deliveries how often the source subscription delivered it
 * @see https://cloud.google.com/pubsub/docs/dead-letter-topics#how_dead_letter_topics_work
 */
export function deadLetter(
  message: PublishedMessage,
  subscription: ResourceName,
  deliveries: number,
): MessageContent {
  return {
    data: message.data,
    orderingKey: message.orderingKey,
    attributes: {
      ...message.attributes,
      CloudPubSubDeadLetterSourceDeliveryCount: String(deliveries),
      CloudPubSubDeadLetterSourceSubscription: subscription.id,
      CloudPubSubDeadLetterSourceSubscriptionProject: subscription.project,
      // The service writes this one with a numeric offset, unlike publishTime.
      CloudPubSubDeadLetterSourceTopicPublishTime: new Date(message.publishTime)
        .toISOString()
        .replace('Z', '+00:00'),
    },
  };
}
