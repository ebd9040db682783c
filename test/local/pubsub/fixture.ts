import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PubSub, type Topic, v1 } from '@google-cloud/pubsub';
import { credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import { type LocalPubSub, startPubSub } from '../../../local/pubsub/index.ts';

export const project = 'test-project';

/** The official clients of one local server. */
export interface Cloud {
  server: LocalPubSub;
  client: PubSub;
  publisher: v1.PublisherClient;
  subscriber: v1.SubscriberClient;
}

/** One server for the tests of a file; {@link createTopic} keeps them apart. */
export function useCloud(options: { maxOutstandingPushes?: number } = {}): Cloud {
  const cloud = {} as Cloud;
  beforeAll(async () => {
    Object.assign(cloud, await startCloud(options));
  });
  afterAll(() => stopCloud(cloud));
  return cloud;
}

async function startCloud(options: { maxOutstandingPushes?: number }): Promise<Cloud> {
  const server = await startPubSub(options);
  process.env['PUBSUB_EMULATOR_HOST'] = server.host;
  // Without this the clients look for a metadata server first.
  process.env['METADATA_SERVER_DETECTION'] = 'none';
  const raw = {
    servicePath: '127.0.0.1',
    port: Number(server.host.split(':')[1]),
    sslCreds: credentials.createInsecure(),
    projectId: project,
  };
  return {
    server,
    client: new PubSub({ projectId: project }),
    publisher: new v1.PublisherClient(raw),
    subscriber: new v1.SubscriberClient(raw),
  };
}

async function stopCloud({ server, client, publisher, subscriber }: Cloud): Promise<void> {
  await Promise.all([client.close(), publisher.close(), subscriber.close()]);
  await server.close();
}

let names = 0;

/** A name that no other test uses. */
export function newName(kind: string): string {
  names += 1;
  return `${kind}-${names}`;
}

export async function createTopic({ client }: Cloud): Promise<Topic> {
  const [topic] = await client.createTopic(newName('topic'));
  return topic;
}

export function subscriptionPath(name: string): string {
  return `projects/${project}/subscriptions/${name}`;
}

/** The body of a wrapped push. */
export interface PushBody {
  readonly message: {
    readonly attributes?: Record<string, string>;
    readonly data?: string;
    readonly messageId: string;
    readonly publishTime: string;
  };
  readonly subscription: string;
  readonly deliveryAttempt?: number;
}

/** The text of a wrapped push's data. */
export function textOf(received: Received): string {
  return Buffer.from(received.json().message.data ?? '', 'base64').toString();
}

export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** performance.now() of the arrival. */
  readonly at: number;
  json(): PushBody;
}

export interface Endpoint {
  readonly url: string;
  readonly requests: Received[];
  /** Resolves when this many requests have arrived. */
  arrived(count: number): Promise<Received[]>;
}

/** A real HTTP server that takes pushes; `answer` defaults to 204. */
export async function startEndpoint(
  answer: (response: ServerResponse, received: Received, request: IncomingMessage) => void = (response) =>
    response.writeHead(204).end(),
): Promise<Endpoint> {
  const requests: Received[] = [];
  const waiting: { count: number; resolve: (requests: Received[]) => void }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      const received = {
        headers: request.headers,
        text,
        at: performance.now(),
        json: () => JSON.parse(text),
      };
      requests.push(received);
      for (const { count, resolve } of waiting) if (requests.length >= count) resolve(requests);
      answer(response, received, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/push`,
    requests,
    arrived: (count) =>
      requests.length >= count
        ? Promise.resolve(requests)
        : new Promise((resolve) => waiting.push({ count, resolve })),
  };
}

export function publish(topic: Topic, ...texts: string[]): Promise<string[]> {
  return Promise.all(texts.map((text) => topic.publishMessage({ data: Buffer.from(text) })));
}
