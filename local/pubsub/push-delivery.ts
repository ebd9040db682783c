import type { Interceptor, Message } from '../grpc/server.ts';
import { toPubsubMessage } from './message.ts';
import type { PushClient } from './push-client.ts';
import type { PushConfig } from './push-config.ts';
import { isAcknowledgement, unsignedToken, unwrappedRequest, wrappedRequest } from './push-request.ts';
import { pushPause } from './redelivery.ts';
import type { SubscriptionConfig } from './subscription-config.ts';
import type { Consumer, Delivery, Outcome, SubscriptionQueue } from './subscription-queue.ts';
import { minute } from './time.ts';

export interface PushOptions {
  readonly client: PushClient;
  /** Requests under way at a time, per subscription. */
  readonly maxOutstanding: number;
  readonly intercept: () => Interceptor | undefined;
}

/**
 * Delivers a subscription's messages to its endpoint, one request per message.
 *
 * The real service finds the number of parallel requests by slow start; this one allows `maxOutstanding` from the
 * beginning. Without a retry policy a failing endpoint makes the whole subscription pause, as the real one does.
 */
export class PushDelivery implements Consumer {
  readonly #queue: SubscriptionQueue;
  readonly #config: () => SubscriptionConfig;
  readonly #options: PushOptions;
  readonly #underWay = new Map<string, AbortController>();
  #pauses = 0;
  #pauseEnd: NodeJS.Timeout | undefined;
  #token: { readonly config: PushConfig; readonly text: string; readonly madeAt: number } | undefined;

  constructor(queue: SubscriptionQueue, config: () => SubscriptionConfig, options: PushOptions) {
    this.#queue = queue;
    this.#config = config;
    this.#options = options;
  }

  room() {
    const messages = this.#pauseEnd === undefined ? this.#options.maxOutstanding - this.#underWay.size : 0;
    return { messages, bytes: Number.POSITIVE_INFINITY };
  }

  ackDeadline(): number {
    return this.#config().ackDeadline;
  }

  deliver(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) {
      this.#underWay.set(delivery.ackId, new AbortController());
      void this.#push(delivery, delivery.ackId);
    }
  }

  settled(delivery: Delivery, outcome: Outcome): void {
    if (outcome === 'expired') this.#underWay.get(delivery.ackId)?.abort();
    this.#underWay.delete(delivery.ackId);
    if (outcome === 'acknowledged') this.#pauses = 0;
    else if (this.#config().retryPolicy === undefined) this.#pause();
  }

  disconnected(): void {
    clearTimeout(this.#pauseEnd);
    this.#pauseEnd = undefined;
  }

  async #push(delivery: Delivery, ackId: string): Promise<void> {
    const signal = this.#underWay.get(ackId)?.signal;
    const { push } = this.#config();
    if (signal === undefined || push === undefined) return;
    const acknowledged = await this.#attempt(delivery, push, signal).catch(() => false);
    // Past the deadline the queue does not know the id any more, and the answer has no effect.
    if (acknowledged) this.#queue.acknowledge([ackId]);
    else this.#queue.modifyDeadlines([ackId], 0);
  }

  async #attempt(delivery: Delivery, push: PushConfig, signal: AbortSignal): Promise<boolean> {
    const { name, deadLetterPolicy } = this.#config();
    const { message } = delivery;
    const attempt = deadLetterPolicy && delivery.failures + 1;
    const report = (phase: 'before' | 'after', outcome: Message) =>
      this.#options.intercept()?.({
        method: 'Push',
        phase,
        request: {
          subscription: name.full,
          endpoint: push.endpoint,
          message: toPubsubMessage(message),
          deliveryAttempt: delivery.failures + 1,
          ...outcome,
        },
      });
    const held = report('before', {});
    if (held !== undefined) await held;
    const { headers, body } = push.wrapped
      ? wrappedRequest(message, name.full, attempt)
      : unwrappedRequest(message, name.full, attempt, push.writeMetadata);
    if (push.oidcToken !== undefined) headers['authorization'] = `Bearer ${this.#currentToken(push)}`;
    const statusCode = await this.#options.client.post(push.url, { headers, body }, signal);
    await report('after', { statusCode });
    return isAcknowledgement(statusCode);
  }

  #currentToken(push: PushConfig): string {
    const now = Date.now();
    if (this.#token?.config !== push || now - this.#token.madeAt > 30 * minute) {
      this.#token = { config: push, text: unsignedToken(push, now), madeAt: now };
    }
    return this.#token.text;
  }

  #pause(): void {
    if (this.#pauseEnd !== undefined) return;
    this.#pauses += 1;
    this.#pauseEnd = setTimeout(() => {
      this.#pauseEnd = undefined;
      this.#queue.dispatch();
    }, pushPause(this.#pauses));
    this.#pauseEnd.unref();
  }
}
