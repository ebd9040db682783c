import type { GrpcError } from '../grpc/server.ts';
import { Backlog } from './backlog.ts';
import type { PublishedMessage } from './message.ts';
import { isExhausted, type RetryPolicy, retryDelay } from './redelivery.ts';
import { Schedule, type Scheduled } from './schedule.ts';

/** One message in one subscription. It waits in the backlog, is outstanding with a consumer, or backs off. */
export interface Delivery extends Scheduled {
  readonly message: PublishedMessage;
  /** Negative acknowledgements and passed deadlines. */
  failures: number;
  /** Of the present or else the latest delivery. */
  ackId: string;
  consumer: Consumer | undefined;
  /** Whether fault injection made it come back although acknowledged: it does so once. */
  duplicated: boolean;
}

export type Outcome = 'acknowledged' | 'failed' | 'expired';

/** Whoever receives messages: a stream, a waiting pull or a push endpoint. */
export interface Consumer {
  /** How many messages it takes now, and up to how many bytes (the message that crosses the limit included). */
  room(): { messages: number; bytes: number };
  /** Milliseconds until an unanswered message comes back. */
  ackDeadline(): number;
  deliver(deliveries: readonly Delivery[]): void;
  /** A message is no longer outstanding with this consumer. */
  settled(delivery: Delivery, outcome: Outcome): void;
  /** The subscription is gone or delivers otherwise now. */
  disconnected(reason: GrpcError): void;
}

/** What may change while messages wait. */
export interface QueueSettings {
  readonly retentionMs: number;
  readonly retryPolicy: RetryPolicy | undefined;
  readonly maxDeliveryAttempts: number | undefined;
}

export interface QueueEffects {
  /** Publishes to the dead-letter topic; false where that does not exist, and the message stays. */
  forward(message: PublishedMessage, deliveries: number): boolean;
  /** Nothing is waiting, outstanding or backing off any more. */
  emptied(): void;
}

/** Misbehaviour that at-least-once delivery permits, on demand. */
export interface Faults {
  /** The share of acknowledged messages that are delivered once more. */
  duplicateProbability: number;
  /** Whether the backlog is delivered in random order. */
  reorder: boolean;
  random: () => number;
}

/** Messages that one consumer gets at a time, so that a response stays below the clients' limit of 20 MiB. */
const batch = { messages: 1000, bytes: 4_000_000 };

/**
 * The state of a subscription's messages: every operation is O(1), or O(log n) where it touches a deadline.
 *
 * @see https://cloud.google.com/pubsub/docs/subscription-properties
 */
export class SubscriptionQueue {
  settings: QueueSettings;
  readonly #effects: QueueEffects;
  readonly #faults: Faults;
  readonly #ackIdPrefix: string;
  readonly #backlog = new Backlog<Delivery>();
  readonly #outstanding = new Map<string, Delivery>();
  readonly #schedule = new Schedule<Delivery>((due) => this.#fallDue(due));
  #consumers: Consumer[] = [];
  #nextConsumer = 0;
  #nextAckId = 0;
  #size = 0;
  #dispatching = false;

  /** @param ackIdPrefix tells the subscription's ack ids from others' */
  constructor(ackIdPrefix: string, settings: QueueSettings, effects: QueueEffects, faults: Faults) {
    this.#ackIdPrefix = ackIdPrefix;
    this.settings = settings;
    this.#effects = effects;
    this.#faults = faults;
  }

  /** Messages waiting, outstanding and backing off. */
  get size(): number {
    return this.#size;
  }

  /** Whether this queue could have given out such an id. */
  isAckId(ackId: string): boolean {
    return ackId.startsWith(this.#ackIdPrefix) && /^[0-9a-z]+$/.test(ackId.slice(this.#ackIdPrefix.length));
  }

  add(message: PublishedMessage): void {
    this.#size += 1;
    this.#backlog.push({
      message,
      failures: 0,
      ackId: '',
      consumer: undefined,
      duplicated: false,
      due: 0,
      heapIndex: -1,
    });
  }

  attach(consumer: Consumer): void {
    this.#consumers.push(consumer);
    this.dispatch();
  }

  /** Its outstanding messages stay outstanding until they are answered or their deadlines pass. */
  detach(consumer: Consumer): void {
    this.#consumers = this.#consumers.filter((other) => other !== consumer);
  }

  /** An id whose deadline has passed has no effect: the documentation permits it, so users must cope with it. */
  acknowledge(ackIds: Iterable<string>): void {
    for (const ackId of ackIds) {
      const delivery = this.#outstanding.get(ackId);
      if (delivery === undefined) continue;
      this.#settle(delivery, 'acknowledged');
      if (!delivery.duplicated && this.#faults.random() < this.#faults.duplicateProbability) {
        delivery.duplicated = true;
        this.#backlog.push(delivery);
      } else {
        this.#remove();
      }
    }
    this.dispatch();
  }

  /** @param deadline milliseconds from now; 0 is a negative acknowledgement */
  modifyDeadlines(ackIds: Iterable<string>, deadline: number): void {
    for (const ackId of ackIds) {
      const delivery = this.#outstanding.get(ackId);
      if (delivery === undefined) continue;
      if (deadline > 0) this.#schedule.set(delivery, deadline);
      else this.#fail(delivery, 'failed');
    }
    this.dispatch();
  }

  /** Hands waiting messages to whoever has room, in turn. */
  dispatch(): void {
    // A consumer may answer within deliver(): the loop below then sees it.
    if (this.#dispatching) return;
    this.#dispatching = true;
    try {
      let withoutRoom = 0;
      while (this.#backlog.length > 0 && withoutRoom < this.#consumers.length) {
        this.#nextConsumer = (this.#nextConsumer + 1) % this.#consumers.length;
        const consumer = this.#consumers[this.#nextConsumer];
        const deliveries = consumer === undefined ? [] : this.#takeFor(consumer);
        withoutRoom = deliveries.length === 0 ? withoutRoom + 1 : 0;
        if (deliveries.length > 0) consumer?.deliver(deliveries);
      }
    } finally {
      this.#dispatching = false;
    }
  }

  /** Tells every consumer why it gets nothing any more. */
  disconnect(reason: GrpcError): void {
    const consumers = this.#consumers;
    this.#consumers = [];
    for (const consumer of consumers) consumer.disconnected(reason);
  }

  /** Forgets all messages. */
  clear(): void {
    this.#schedule.clear();
    this.#backlog.clear();
    for (const delivery of [...this.#outstanding.values()]) this.#settle(delivery, 'expired');
    this.#size = 0;
    this.#effects.emptied();
  }

  #takeFor(consumer: Consumer): Delivery[] {
    const room = consumer.room();
    const share = Math.ceil(this.#backlog.length / this.#consumers.length);
    const most = Math.min(room.messages, share, batch.messages);
    const mostBytes = Math.min(room.bytes, batch.bytes);
    const oldest = Date.now() - this.settings.retentionMs;
    const random = this.#faults.reorder ? this.#faults.random : undefined;
    const deliveries: Delivery[] = [];
    let bytes = 0;
    while (deliveries.length < most && bytes < mostBytes) {
      const delivery = this.#backlog.take(random);
      if (delivery === undefined) break;
      if (delivery.message.publishTime < oldest) {
        this.#remove();
        continue;
      }
      delivery.ackId = `${this.#ackIdPrefix}${(this.#nextAckId++).toString(36)}`;
      delivery.consumer = consumer;
      this.#outstanding.set(delivery.ackId, delivery);
      this.#schedule.set(delivery, consumer.ackDeadline());
      deliveries.push(delivery);
      bytes += delivery.message.bytes;
    }
    return deliveries;
  }

  #fallDue(due: Delivery[]): void {
    for (const delivery of due) {
      if (delivery.consumer === undefined) this.#backlog.push(delivery);
      else this.#fail(delivery, 'expired');
    }
    this.dispatch();
  }

  #fail(delivery: Delivery, outcome: 'failed' | 'expired'): void {
    this.#settle(delivery, outcome);
    delivery.failures += 1;
    const { retryPolicy, maxDeliveryAttempts } = this.settings;
    const exhausted = isExhausted(delivery.failures, maxDeliveryAttempts);
    if (exhausted && this.#effects.forward(delivery.message, delivery.failures)) {
      this.#remove();
      return;
    }
    const delay = retryDelay(retryPolicy, delivery.failures);
    if (delay > 0) this.#schedule.set(delivery, delay);
    else this.#backlog.push(delivery);
  }

  #settle(delivery: Delivery, outcome: Outcome): void {
    const { consumer } = delivery;
    this.#outstanding.delete(delivery.ackId);
    this.#schedule.delete(delivery);
    delivery.consumer = undefined;
    consumer?.settled(delivery, outcome);
  }

  #remove(): void {
    this.#size -= 1;
    if (this.#size === 0) this.#effects.emptied();
  }
}
