import type { GrpcError, Message } from '../grpc/server.ts';
import { toPubsubMessage } from './message.ts';
import type { SubscriptionConfig } from './subscription-config.ts';
import type { Consumer, Delivery, SubscriptionQueue } from './subscription-queue.ts';

/** The google.pubsub.v1.ReceivedMessage of a delivery; attempts are counted only under a dead-letter policy. */
export function toReceivedMessage(delivery: Delivery, config: SubscriptionConfig): Message {
  return {
    ackId: delivery.ackId,
    message: toPubsubMessage(delivery.message),
    deliveryAttempt: config.deadLetterPolicy === undefined ? 0 : delivery.failures + 1,
  };
}

/**
 * Waits until there is a message, for at most `wait` milliseconds.
 *
 * @param onCancel registers what to do when the caller gives up: its messages must not go to nobody
 * @see https://cloud.google.com/pubsub/docs/pull#unary_pull_code
 */
export function pull(
  queue: SubscriptionQueue,
  config: () => SubscriptionConfig,
  maxMessages: number,
  wait: number,
  onCancel: (giveUp: () => void) => void,
): Promise<Message> {
  return new Promise((resolve, reject) => {
    const waiting = new WaitingPull(config, maxMessages, (result) => {
      clearTimeout(timer);
      queue.detach(waiting);
      if (result instanceof Error) reject(result);
      else resolve({ receivedMessages: result });
    });
    const timer = setTimeout(() => waiting.end([]), wait);
    timer.unref();
    onCancel(() => waiting.end([]));
    queue.attach(waiting);
    if (wait === 0) waiting.end([]);
  });
}

class WaitingPull implements Consumer {
  readonly #config: () => SubscriptionConfig;
  #maxMessages: number;
  readonly #finish: (result: Message[] | GrpcError) => void;

  constructor(
    config: () => SubscriptionConfig,
    maxMessages: number,
    finish: (result: Message[] | GrpcError) => void,
  ) {
    this.#config = config;
    this.#maxMessages = maxMessages;
    this.#finish = finish;
  }

  room() {
    return { messages: this.#maxMessages, bytes: Number.POSITIVE_INFINITY };
  }

  ackDeadline(): number {
    return this.#config().ackDeadline;
  }

  deliver(deliveries: readonly Delivery[]): void {
    this.end(deliveries.map((delivery) => toReceivedMessage(delivery, this.#config())));
  }

  /** Once only: afterwards it has no room. */
  end(result: Message[] | GrpcError): void {
    this.#maxMessages = 0;
    this.#finish(result);
  }

  settled(): void {}

  disconnected(reason: GrpcError): void {
    this.end(reason);
  }
}
