import type { GrpcError, Message } from '../grpc/server.ts';
import { deadLetter } from './dead-letter.ts';
import { alreadyExists, notFound } from './errors.ts';
import type { PublishedMessage } from './message.ts';
import { parseSubscriptionName, parseTopicName } from './names.ts';
import { parsePushConfig } from './push-config.ts';
import type { PushOptions } from './push-delivery.ts';
import { Subscription } from './subscription.ts';
import {
  parseSubscription,
  type SubscriptionConfig,
  subscriptionFields,
  toSubscription,
} from './subscription-config.ts';
import type { Faults } from './subscription-queue.ts';
import { parseTopic, Topic, topicFields, toTopic } from './topic.ts';
import { applyUpdateMask } from './update-mask.ts';

/** All topics and subscriptions, by name. */
export class Resources {
  readonly #topics = new Map<string, Topic>();
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #faults: Faults;
  readonly #pushOptions: PushOptions;
  #idleWaiters: (() => void)[] = [];

  constructor(faults: Faults, pushOptions: PushOptions) {
    this.#faults = faults;
    this.#pushOptions = pushOptions;
  }

  createTopic(request: Message): Topic {
    const config = parseTopic(request);
    if (this.#topics.has(config.name.full)) throw alreadyExists(config.name.full);
    const topic = new Topic(config);
    this.#topics.set(config.name.full, topic);
    return topic;
  }

  /** @throws NOT_FOUND */
  topic(name: unknown, field: string): Topic {
    const { full } = parseTopicName(name, field);
    const topic = this.#topics.get(full);
    if (topic === undefined) throw notFound(full);
    return topic;
  }

  topicsOf(project: string): Topic[] {
    return [...this.#topics.values()].filter(({ config }) => config.name.project === project);
  }

  updateTopic(requested: Message, updateMask: Message | undefined): Topic {
    const topic = this.topic(requested['name'], 'name');
    const current = toTopic(topic.config);
    topic.config = parseTopic(
      applyUpdateMask(current, requested, updateMask?.['paths'], topicFields, 'UpdateTopic'),
    );
    return topic;
  }

  deleteTopic(name: unknown): void {
    const topic = this.topic(name, 'topic');
    this.#topics.delete(topic.config.name.full);
    for (const subscription of topic.subscriptions) subscription.topicDeleted();
  }

  createSubscription(request: Message): Subscription {
    const config = parseSubscription(request);
    const topic = this.topic(request['topic'], 'topic');
    if (this.#subscriptions.has(config.name.full)) throw alreadyExists(config.name.full);
    this.#requireDeadLetterTopic(config);
    const subscription: Subscription = new Subscription(
      config,
      topic,
      {
        forward: (message, deliveries) => this.#forward(subscription.config, message, deliveries),
        emptied: () => this.#resolveIdle(),
      },
      this.#faults,
      this.#pushOptions,
    );
    this.#subscriptions.set(config.name.full, subscription);
    return subscription;
  }

  /** @throws NOT_FOUND */
  subscription(name: unknown, field = 'subscription'): Subscription {
    const { full } = parseSubscriptionName(name, field);
    const subscription = this.#subscriptions.get(full);
    if (subscription === undefined) throw notFound(full);
    return subscription;
  }

  subscriptionsOf(project: string): Subscription[] {
    return [...this.#subscriptions.values()].filter(({ config }) => config.name.project === project);
  }

  updateSubscription(requested: Message, updateMask: Message | undefined): Subscription {
    const subscription = this.subscription(requested['name'], 'name');
    const current = toSubscription(subscription.config, subscription.topicName);
    const config = parseSubscription(
      applyUpdateMask(current, requested, updateMask?.['paths'], subscriptionFields, 'UpdateSubscription'),
    );
    if (config.deadLetterPolicy?.topic !== subscription.config.deadLetterPolicy?.topic) {
      this.#requireDeadLetterTopic(config);
    }
    this.#reconfigure(subscription, config);
    return subscription;
  }

  modifyPushConfig(name: unknown, pushConfig: unknown): void {
    const subscription = this.subscription(name);
    this.#reconfigure(subscription, { ...subscription.config, push: parsePushConfig(pushConfig) });
  }

  deleteSubscription(name: unknown): void {
    const subscription = this.subscription(name);
    const { full } = subscription.config.name;
    this.#subscriptions.delete(full);
    subscription.delete(notFound(full));
  }

  /** Resolves when no push subscription has anything left to do. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idleWaiters.push(resolve);
      this.#resolveIdle();
    });
  }

  /** Ends all deliveries, streams and waiting pulls. */
  close(reason: GrpcError): void {
    for (const subscription of this.#subscriptions.values()) subscription.delete(reason);
    this.#subscriptions.clear();
    this.#topics.clear();
    this.#resolveIdle();
  }

  #reconfigure(subscription: Subscription, config: SubscriptionConfig): void {
    subscription.reconfigure(config);
    this.#resolveIdle();
  }

  #forward(source: SubscriptionConfig, message: PublishedMessage, deliveries: number): boolean {
    const topic = this.#topics.get(source.deadLetterPolicy?.topic ?? '');
    topic?.publish([deadLetter(message, source.name, deliveries)]);
    return topic !== undefined;
  }

  #requireDeadLetterTopic(config: SubscriptionConfig): void {
    const name = config.deadLetterPolicy?.topic;
    if (name !== undefined && !this.#topics.has(name)) throw notFound(name);
  }

  #resolveIdle(): void {
    if (this.#idleWaiters.length === 0) return;
    for (const { config, queue } of this.#subscriptions.values()) {
      if (config.push !== undefined && queue.size > 0) return;
    }
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const resolve of waiters) resolve();
  }
}
