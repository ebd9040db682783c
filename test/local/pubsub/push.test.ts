import { describe, expect, test } from 'vitest';
import {
  createTopic,
  newName,
  publish,
  startEndpoint,
  subscriptionPath,
  textOf,
  useCloud,
} from './fixture.ts';

const cloud = useCloud({ maxOutstandingPushes: 4 });

const fastRetry = {
  retryPolicy: { minimumBackoff: { nanos: 20_000_000 }, maximumBackoff: { nanos: 40_000_000 } },
};

async function create(endpoint: string, settings: object = {}, push: object = {}) {
  const topic = await createTopic(cloud);
  const name = newName('sub');
  const [subscription] = await topic.createSubscription(name, {
    pushConfig: { pushEndpoint: endpoint, ...push },
    ...settings,
  });
  return { topic, subscription, path: subscriptionPath(name) };
}

describe('a push', () => {
  test('carries the message as documented', async () => {
    const endpoint = await startEndpoint();
    const { topic, path } = await create(endpoint.url);
    const messageId = await topic.publishMessage({
      data: Buffer.from([0, 255]),
      attributes: { key: 'välue' },
      orderingKey: 'k',
    });
    await cloud.server.idle();
    const [received] = endpoint.requests;
    expect(received?.json()).toEqual({
      message: {
        attributes: { key: 'välue' },
        data: 'AP8=',
        messageId,
        message_id: messageId,
        orderingKey: 'k',
        publishTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/),
        publish_time: received?.json().message.publishTime,
      },
      subscription: path,
    });
    expect(received?.headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': expect.stringMatching(/^APIs-Google; \(\+/),
      from: 'noreply@google.com',
    });
    expect(received?.headers).not.toHaveProperty('authorization');
  });

  test('leaves out what the message does not have', async () => {
    const endpoint = await startEndpoint();
    const { topic } = await create(endpoint.url);
    await topic.publishMessage({ attributes: { only: 'attributes' } });
    await publish(topic, 'only data');
    await cloud.server.idle();
    const keys = endpoint.requests.map(({ json }) => Object.keys(json().message).sort());
    const always = ['messageId', 'message_id', 'publishTime', 'publish_time'];
    expect(keys).toContainEqual(['attributes', ...always]);
    expect(keys).toContainEqual(['data', ...always]);
  });

  test('carries a token with audience and email where asked for', async () => {
    const endpoint = await startEndpoint();
    const oidcToken = { serviceAccountEmail: 'pusher@test.iam.gserviceaccount.com' };
    const { topic } = await create(
      endpoint.url,
      {},
      { oidcToken: { ...oidcToken, audience: 'https://audience' } },
    );
    const { topic: second } = await create(endpoint.url, {}, { oidcToken });
    await publish(topic, 'a');
    await cloud.server.idle();
    await publish(second, 'b');
    await cloud.server.idle();
    const claims = endpoint.requests.map(({ headers }) => {
      const [scheme, token] = headers.authorization?.split(' ') ?? [];
      expect(scheme).toBe('Bearer');
      const parts = token?.split('.') ?? [];
      expect(parts).toHaveLength(3);
      return JSON.parse(Buffer.from(parts[1] ?? '', 'base64url').toString());
    });
    expect(claims[0]).toMatchObject({
      aud: 'https://audience',
      email: oidcToken.serviceAccountEmail,
      email_verified: true,
      iss: 'https://accounts.google.com',
    });
    expect(claims[0].exp * 1000).toBeGreaterThan(Date.now());
    // Without an audience it is the endpoint.
    expect(claims[1].aud).toBe(endpoint.url);
  });

  test('without a wrapper is the data alone, with metadata in headers where asked for', async () => {
    const endpoint = await startEndpoint();
    const { topic, path } = await create(endpoint.url, {}, { noWrapper: { writeMetadata: true } });
    const messageId = await topic.publishMessage({
      data: Buffer.from('{"a":1}'),
      attributes: { 'Content-Type': 'application/json', 'not a header': 'x', host: 'y' },
    });
    await cloud.server.idle();
    const [received] = endpoint.requests;
    expect(received?.text).toBe('{"a":1}');
    expect(received?.headers).toMatchObject({
      'content-type': 'application/json',
      'x-goog-pubsub-message-id': messageId,
      'x-goog-pubsub-subscription-name': path,
      'x-goog-pubsub-publish-time': expect.any(String),
    });
    expect(received?.headers).not.toHaveProperty('not a header');
    expect(received?.headers.host).not.toBe('y');
  });
});

describe('the answer to a push', () => {
  test.each([200, 201, 202, 204])('%i acknowledges', async (statusCode) => {
    const endpoint = await startEndpoint((response) => response.writeHead(statusCode).end());
    const { topic } = await create(endpoint.url, fastRetry);
    await publish(topic, 'a');
    await cloud.server.idle();
    expect(endpoint.requests).toHaveLength(1);
  });

  test('102 acknowledges, whatever follows it', async () => {
    const endpoint = await startEndpoint((response, _, request) => {
      request.socket.write('HTTP/1.1 102 Processing\r\n\r\n', () => response.writeHead(500).end());
    });
    const { topic } = await create(endpoint.url, fastRetry);
    await publish(topic, 'a');
    await cloud.server.idle();
    expect(endpoint.requests).toHaveLength(1);
  });

  test.each([203, 206, 301, 400, 404, 429, 500, 503])('%i does not acknowledge', async (statusCode) => {
    let answers = 0;
    const endpoint = await startEndpoint((response) => {
      answers += 1;
      response.writeHead(answers === 1 ? statusCode : 204, { location: endpoint.url }).end();
    });
    const { topic } = await create(endpoint.url, fastRetry);
    await publish(topic, 'a');
    await cloud.server.idle();
    expect(endpoint.requests).toHaveLength(2);
    expect(endpoint.requests[1]?.text).toBe(endpoint.requests[0]?.text);
  });

  test('is not an acknowledgement when the connection breaks, before the answer or within it', async () => {
    let answers = 0;
    const endpoint = await startEndpoint((response, _, request) => {
      answers += 1;
      if (answers === 1) request.socket.destroy();
      else if (answers === 2) {
        response.writeHead(200, { 'content-length': 100 }).write('half', () => request.socket.destroy());
      } else response.writeHead(204).end();
    });
    const { topic } = await create(endpoint.url, fastRetry);
    await publish(topic, 'a');
    const [first, , third] = await endpoint.arrived(3);
    await cloud.server.idle();
    expect(endpoint.requests).toHaveLength(3);
    // At once, not when the deadline passes.
    expect((third?.at ?? 0) - (first?.at ?? 0)).toBeLessThan(5_000);
  });
});

describe('a push subscription', () => {
  test('waits longer after each failure of a message, as its retry policy says', async () => {
    let answers = 0;
    const endpoint = await startEndpoint((response) => {
      answers += 1;
      response.writeHead(answers < 4 ? 500 : 204).end();
    });
    const { topic } = await create(endpoint.url, {
      retryPolicy: { minimumBackoff: { nanos: 50_000_000 }, maximumBackoff: { nanos: 150_000_000 } },
    });
    await publish(topic, 'a');
    await cloud.server.idle();
    const times = endpoint.requests.map(({ at }) => at);
    const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0));
    // A few milliseconds pass between arrival and answer, none are lost.
    [50, 100, 150].forEach((delay, index) => {
      expect(gaps[index]).toBeGreaterThanOrEqual(delay - 1);
    });
  });

  test('pauses as a whole without a retry policy, and goes on where the endpoint recovers', async () => {
    let answers = 0;
    const endpoint = await startEndpoint((response) => {
      answers += 1;
      response.writeHead(answers === 1 ? 500 : 204).end();
    });
    const { topic } = await create(endpoint.url);
    await publish(topic, 'a');
    await publish(topic, 'b');
    await cloud.server.idle();
    expect(endpoint.requests.length).toBeGreaterThanOrEqual(3);
    const [first, ...others] = endpoint.requests;
    const last = others.at(-1);
    expect((last?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(100);
  });

  test('has no more requests under way than it may, and all of these at once', async () => {
    let underWay = 0;
    let most = 0;
    const held: (() => void)[] = [];
    const endpoint = await startEndpoint((response) => {
      underWay += 1;
      most = Math.max(most, underWay);
      held.push(() => {
        underWay -= 1;
        response.writeHead(204).end();
      });
    });
    const { topic } = await create(endpoint.url);
    await publish(topic, ...Array.from({ length: 12 }, String));
    for (let answered = 0; answered < 12; answered += 4) {
      await endpoint.arrived(answered + 4);
      for (const answer of held.splice(0)) answer();
    }
    await cloud.server.idle();
    expect(most).toBe(4);
    expect(endpoint.requests).toHaveLength(12);
  });

  test('keeps its connections', async () => {
    const ports = new Set<number | undefined>();
    const endpoint = await startEndpoint((response, _, request) => {
      ports.add(request.socket.remotePort);
      response.writeHead(204).end();
    });
    const { topic } = await create(endpoint.url);
    await publish(topic, ...Array.from({ length: 100 }, String));
    await cloud.server.idle();
    expect(ports.size).toBeLessThanOrEqual(4);
  });

  test('can become a pull subscription and back, its backlog kept', async () => {
    const endpoint = await startEndpoint();
    const { topic, subscription } = await create(endpoint.url);
    await publish(topic, 'pushed');
    await cloud.server.idle();
    await subscription.modifyPushConfig({});
    await publish(topic, 'pulled', 'pushed later');
    const [{ receivedMessages }] = await cloud.subscriber.pull({
      subscription: subscription.name,
      maxMessages: 1,
      returnImmediately: true,
    });
    await cloud.subscriber.acknowledge({
      subscription: subscription.name,
      ackIds: receivedMessages?.map(({ ackId }) => ackId ?? '') ?? [],
    });
    await subscription.modifyPushConfig({ pushEndpoint: endpoint.url });
    await cloud.server.idle();
    const texts = endpoint.requests.map(textOf);
    expect(texts).toEqual(['pushed', 'pushed later']);
  });

  test('stops when it is deleted', async () => {
    const closed: Promise<unknown>[] = [];
    const endpoint = await startEndpoint((_response, _received, request) => {
      closed.push(new Promise((resolve) => request.socket.once('close', resolve)));
    });
    const { topic, subscription } = await create(endpoint.url);
    await publish(topic, 'never answered');
    await endpoint.arrived(1);
    const deleted = performance.now();
    await subscription.delete();
    await cloud.server.idle();
    await closed[0];
    expect(performance.now() - deleted).toBeLessThan(5_000);
    expect(endpoint.requests).toHaveLength(1);
  });
});
