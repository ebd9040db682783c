import type { Message } from '../grpc/server.ts';
import type { DeadLetterPolicy } from './dead-letter.ts';
import { invalidArgument } from './errors.ts';
import { type Filter, parseFilter } from './filter.ts';
import { parseSubscriptionName, parseTopicName, type ResourceName } from './names.ts';
import { type PushConfig, parsePushConfig, toPushConfig } from './push-config.ts';
import type { RetryPolicy } from './redelivery.ts';
import { requireSupported } from './supported-fields.ts';
import { day, durationToMs, minute, msToDuration, second } from './time.ts';

/** A subscription's settings, validated, with the defaults filled in; durations in milliseconds. */
export interface SubscriptionConfig {
  readonly name: ResourceName;
  readonly push: PushConfig | undefined;
  readonly ackDeadline: number;
  readonly messageRetention: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Undefined: never expires. */
  readonly expirationTtl: number | undefined;
  readonly filterText: string;
  readonly filter: Filter | undefined;
  readonly retryPolicy: RetryPolicy | undefined;
  readonly deadLetterPolicy: DeadLetterPolicy | undefined;
}

/** What UpdateSubscription may and may not change. */
export const subscriptionFields = {
  name: 'immutable',
  topic: 'immutable',
  push_config: 'mutable',
  bigquery_config: 'mutable',
  cloud_storage_config: 'mutable',
  bigtable_config: 'mutable',
  ack_deadline_seconds: 'mutable',
  retain_acked_messages: 'mutable',
  message_retention_duration: 'mutable',
  labels: 'mutable',
  enable_message_ordering: 'immutable',
  expiration_policy: 'mutable',
  filter: 'immutable',
  dead_letter_policy: 'mutable',
  retry_policy: 'mutable',
  detached: 'immutable',
  enable_exactly_once_delivery: 'mutable',
  message_transforms: 'mutable',
} as const;

const supported = [
  'name',
  'topic',
  'pushConfig',
  'ackDeadlineSeconds',
  'messageRetentionDuration',
  'labels',
  'expirationPolicy',
  'filter',
  'deadLetterPolicy',
  'retryPolicy',
  'topicMessageRetentionDuration',
  'state',
];

/**
 * Reads a google.pubsub.v1.Subscription.
 *
 * @throws INVALID_ARGUMENT outside the documented ranges, UNIMPLEMENTED for what this server does not do
 * @see https://cloud.google.com/pubsub/docs/reference/rpc/google.pubsub.v1#subscription
 */
export function parseSubscription(request: Message): SubscriptionConfig {
  requireSupported(request, supported);
  const filterText = String(request['filter'] ?? '');
  return {
    name: parseSubscriptionName(request['name']),
    push: parsePushConfig(request['pushConfig']),
    ackDeadline: second * Number(within('ack_deadline_seconds', ackDeadlineSeconds(request), 10, 600)),
    messageRetention: within(
      'message_retention_duration',
      durationToMs(request['messageRetentionDuration']) ?? 7 * day,
      10 * minute,
      31 * day,
    ),
    labels: (request['labels'] ?? {}) as Record<string, string>,
    expirationTtl: parseExpirationTtl(request['expirationPolicy']),
    filterText,
    filter: filterText === '' ? undefined : parseFilter(filterText),
    retryPolicy: parseRetryPolicy(request['retryPolicy']),
    deadLetterPolicy: parseDeadLetterPolicy(request['deadLetterPolicy']),
  };
}

/** @param topic full name, or `_deleted-topic_` */
export function toSubscription(config: SubscriptionConfig, topic: string): Message {
  const { retryPolicy, deadLetterPolicy } = config;
  return {
    name: config.name.full,
    topic,
    pushConfig: toPushConfig(config.push),
    ackDeadlineSeconds: config.ackDeadline / second,
    messageRetentionDuration: msToDuration(config.messageRetention),
    labels: config.labels,
    expirationPolicy: config.expirationTtl === undefined ? {} : { ttl: msToDuration(config.expirationTtl) },
    filter: config.filterText,
    ...(retryPolicy && {
      retryPolicy: {
        minimumBackoff: msToDuration(retryPolicy.minimumBackoff),
        maximumBackoff: msToDuration(retryPolicy.maximumBackoff),
      },
    }),
    ...(deadLetterPolicy && {
      deadLetterPolicy: {
        deadLetterTopic: deadLetterPolicy.topic,
        maxDeliveryAttempts: deadLetterPolicy.maxDeliveryAttempts,
      },
    }),
    state: 'ACTIVE',
  };
}

/** @throws INVALID_ARGUMENT unless `minimum` ≤ `value` ≤ `maximum` */
export function within(field: string, value: number, minimum: number, maximum: number): number {
  if (value >= minimum && value <= maximum) return value;
  throw invalidArgument(
    `Invalid value for ${field}: ${value}. It must be between ${minimum} and ${maximum} inclusive.`,
  );
}

function ackDeadlineSeconds(request: Message): number {
  return Number(request['ackDeadlineSeconds'] ?? 0) || 10;
}

function parseExpirationTtl(policy: unknown): number | undefined {
  if (policy === undefined || policy === null) return 31 * day;
  const ttl = durationToMs((policy as Message)['ttl']);
  return ttl === undefined ? undefined : within('expiration_policy.ttl', ttl, day, 365 * day);
}

function parseRetryPolicy(policy: unknown): RetryPolicy | undefined {
  if (policy === undefined || policy === null) return undefined;
  const minimumBackoff = durationToMs((policy as Message)['minimumBackoff']) ?? 10 * second;
  const maximumBackoff = durationToMs((policy as Message)['maximumBackoff']) ?? 600 * second;
  within('retry_policy.minimum_backoff', minimumBackoff, 0, 600 * second);
  within('retry_policy.maximum_backoff', maximumBackoff, 0, 600 * second);
  if (minimumBackoff > maximumBackoff) {
    throw invalidArgument('The minimum_backoff of a retry policy must not exceed its maximum_backoff.');
  }
  return { minimumBackoff, maximumBackoff };
}

function parseDeadLetterPolicy(policy: unknown): DeadLetterPolicy | undefined {
  if (policy === undefined || policy === null) return undefined;
  const { deadLetterTopic, maxDeliveryAttempts } = policy as Message;
  return {
    topic: parseTopicName(deadLetterTopic, 'dead_letter_topic').full,
    maxDeliveryAttempts: within(
      'dead_letter_policy.max_delivery_attempts',
      Number(maxDeliveryAttempts ?? 0) || 5,
      5,
      100,
    ),
  };
}
