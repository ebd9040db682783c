import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { GrpcError, Message } from '../grpc/server.ts';
import { invalidArgument } from './errors.ts';
import { toReceivedMessage } from './pull.ts';
import type { Subscription } from './subscription.ts';
import { within } from './subscription-config.ts';
import type { Consumer, Delivery } from './subscription-queue.ts';
import { second } from './time.ts';

const properties = { exactlyOnceDeliveryEnabled: false, messageOrderingEnabled: false };

/** Only the first request of a stream may set these. */
const initialOnly = {
  subscription: 'subscription',
  clientId: 'client_id',
  maxOutstandingMessages: 'max_outstanding_messages',
  maxOutstandingBytes: 'max_outstanding_bytes',
  protocolVersion: 'protocol_version',
};

/**
 * Serves one StreamingPull call.
 *
 * @param open finds the subscription of the initial request; it may throw a {@link GrpcError}
 * @param modify applies the acknowledgements and deadlines of a request
 * @see https://cloud.google.com/pubsub/docs/pull#streamingpull_api
 */
export function streamingPull(
  call: ServerDuplexStream<Message, Message>,
  open: (request: Message) => Subscription | Promise<Subscription>,
  modify: (subscription: Subscription, request: Message) => void,
): void {
  let consumer: StreamConsumer | undefined;
  let ended = false;
  const stop = () => {
    ended = true;
    consumer?.detach();
  };
  const serve = async (request: Message) => {
    if (ended) return;
    if (consumer === undefined) consumer = await start(call, request, open, modify);
    else consumer.receive(request);
  };
  // One after the other: what follows the initial request may arrive before that has been answered.
  let served = Promise.resolve();
  call.on('data', (request: Message) => {
    served = served
      .then(() => serve(request))
      .catch((error: Error) => {
        stop();
        call.emit('error', error);
      });
  });
  call.on('cancelled', stop);
  call.on('end', () => {
    stop();
    call.end();
  });
}

async function start(
  call: ServerDuplexStream<Message, Message>,
  request: Message,
  open: (request: Message) => Subscription | Promise<Subscription>,
  modify: (subscription: Subscription, request: Message) => void,
): Promise<StreamConsumer> {
  const deadline = Number(request['streamAckDeadlineSeconds'] ?? 0);
  const subscription = await open(request);
  within('stream_ack_deadline_seconds', deadline, 10, 600);
  modify(subscription, request);
  const consumer = new StreamConsumer(call, subscription, request, modify);
  if (!call.cancelled) subscription.queue.attach(consumer);
  return consumer;
}

class StreamConsumer implements Consumer {
  readonly #call: ServerDuplexStream<Message, Message>;
  readonly #subscription: Subscription;
  readonly #modify: (subscription: Subscription, request: Message) => void;
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  readonly #answersKeepAlive: boolean;
  #ackDeadline: number;
  #messages = 0;
  #bytes = 0;
  #blocked = false;

  constructor(
    call: ServerDuplexStream<Message, Message>,
    subscription: Subscription,
    request: Message,
    modify: (subscription: Subscription, request: Message) => void,
  ) {
    this.#call = call;
    this.#subscription = subscription;
    this.#modify = modify;
    this.#maxMessages = limit(request['maxOutstandingMessages']);
    this.#maxBytes = limit(request['maxOutstandingBytes']);
    this.#answersKeepAlive = Number(request['protocolVersion'] ?? 0) >= 1;
    this.#ackDeadline = Number(request['streamAckDeadlineSeconds']) * second;
    call.on('drain', () => {
      this.#blocked = false;
      subscription.queue.dispatch();
    });
  }

  room() {
    if (this.#blocked) return { messages: 0, bytes: 0 };
    return { messages: this.#maxMessages - this.#messages, bytes: this.#maxBytes - this.#bytes };
  }

  ackDeadline(): number {
    return this.#ackDeadline;
  }

  deliver(deliveries: readonly Delivery[]): void {
    for (const { message } of deliveries) {
      this.#messages += 1;
      this.#bytes += message.bytes;
    }
    const { config } = this.#subscription;
    this.#write(deliveries.map((delivery) => toReceivedMessage(delivery, config)));
  }

  settled({ message }: Delivery): void {
    this.#messages -= 1;
    this.#bytes -= message.bytes;
  }

  disconnected(reason: GrpcError): void {
    this.#call.emit('error', reason);
  }

  /** A request after the initial one. */
  receive(request: Message): void {
    for (const [field, name] of Object.entries(initialOnly)) {
      if (request[field]) throw invalidArgument(`Only the initial request of a stream may set ${name}.`);
    }
    const deadline = Number(request['streamAckDeadlineSeconds'] ?? 0);
    if (deadline !== 0) {
      this.#ackDeadline = second * within('stream_ack_deadline_seconds', deadline, 10, 600);
    }
    this.#modify(this.#subscription, request);
    if (this.#answersKeepAlive && isKeepAlive(request)) this.#write([]);
  }

  /** What is outstanding stays so until its deadline: the client may still answer by unary calls. */
  detach(): void {
    this.#subscription.queue.detach(this);
  }

  #write(receivedMessages: Message[]): void {
    if (this.#call.writableEnded || this.#call.destroyed) return;
    this.#blocked = !this.#call.write({ receivedMessages, subscriptionProperties: properties });
  }
}

function isKeepAlive(request: Message): boolean {
  return ['ackIds', 'modifyDeadlineAckIds'].every(
    (field) => !(request[field] as string[] | undefined)?.length,
  );
}

function limit(value: unknown): number {
  const number = Number(value ?? 0);
  return number > 0 ? number : Number.POSITIVE_INFINITY;
}
