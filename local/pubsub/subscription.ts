import type { GrpcError } from '../grpc/server.ts';
import { wrongSubscriptionType } from './errors.ts';
import { matches } from './filter.ts';
import type { PublishedMessage } from './message.ts';
import { deletedTopic } from './names.ts';
import { PushDelivery, type PushOptions } from './push-delivery.ts';
import type { SubscriptionConfig } from './subscription-config.ts';
import {
  type Faults,
  type QueueEffects,
  type QueueSettings,
  SubscriptionQueue,
} from './subscription-queue.ts';
import type { Topic } from './topic.ts';

let created = 0;

/** A subscription: its settings, its messages and, where it pushes, its delivery. */
export class Subscription {
  readonly queue: SubscriptionQueue;
  readonly #push: PushDelivery;
  #config: SubscriptionConfig;
  #topic: Topic | undefined;

  constructor(
    config: SubscriptionConfig,
    topic: Topic,
    effects: QueueEffects,
    faults: Faults,
    pushOptions: PushOptions,
  ) {
    created += 1;
    this.#config = config;
    this.#topic = topic;
    this.queue = new SubscriptionQueue(`s${created}.`, queueSettings(config), effects, faults);
    this.#push = new PushDelivery(this.queue, () => this.#config, pushOptions);
    if (config.push !== undefined) this.queue.attach(this.#push);
    topic.subscriptions.add(this);
  }

  get config(): SubscriptionConfig {
    return this.#config;
  }

  get topic(): Topic | undefined {
    return this.#topic;
  }

  /** Full name, or `_deleted-topic_`. */
  get topicName(): string {
    return this.#topic?.config.name.full ?? deletedTopic;
  }

  /** New settings hold for every message, waiting ones included. */
  reconfigure(config: SubscriptionConfig): void {
    const pushed = this.#config.push !== undefined;
    this.#config = config;
    this.queue.settings = queueSettings(config);
    if (pushed && config.push === undefined) {
      this.queue.detach(this.#push);
    } else if (!pushed && config.push !== undefined) {
      this.queue.disconnect(wrongSubscriptionType());
      this.queue.attach(this.#push);
    }
  }

  receive(messages: readonly PublishedMessage[]): void {
    const { filter } = this.#config;
    for (const message of messages) {
      if (filter === undefined || matches(filter, message.attributes)) this.queue.add(message);
    }
    this.queue.dispatch();
  }

  /** The subscription keeps its backlog but gets nothing new, whatever topic takes the name later. */
  topicDeleted(): void {
    this.#topic = undefined;
  }

  /** @param reason what waiting and streaming clients are told */
  delete(reason: GrpcError): void {
    this.#topic?.subscriptions.delete(this);
    this.queue.disconnect(reason);
    this.queue.clear();
  }
}

function queueSettings(config: SubscriptionConfig): QueueSettings {
  return {
    retentionMs: config.messageRetention,
    retryPolicy: config.retryPolicy,
    maxDeliveryAttempts: config.deadLetterPolicy?.maxDeliveryAttempts,
  };
}
