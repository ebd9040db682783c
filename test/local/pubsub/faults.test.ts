import { status } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from 'vitest';
import { GrpcError, type InterceptedCall } from '../../../local/grpc/server.ts';
import {
  createTopic,
  newName,
  publish,
  startEndpoint,
  subscriptionPath,
  textOf,
  useCloud,
} from './fixture.ts';

const cloud = useCloud({ maxOutstandingPushes: 1 });

afterEach(() => {
  cloud.server.intercept = undefined;
  Object.assign(cloud.server.faults, { duplicateProbability: 0, reorder: false, random: Math.random });
});

const fastRetry = {
  retryPolicy: { minimumBackoff: { nanos: 5_000_000 }, maximumBackoff: { nanos: 10_000_000 } },
};

async function create(answer = 204) {
  const endpoint = await startEndpoint((response) => response.writeHead(answer).end());
  const topic = await createTopic(cloud);
  const name = newName('sub');
  await topic.createSubscription(name, { pushEndpoint: endpoint.url, ...fastRetry });
  const texts = () => endpoint.requests.map(textOf);
  return { endpoint, topic, name, texts };
}

describe('an interceptor', () => {
  test('sees each push before it is posted and after its answer', async () => {
    const { endpoint, topic, name } = await create();
    const calls: InterceptedCall[] = [];
    cloud.server.intercept = (call) => {
      if (call.method === 'Push') calls.push(call);
    };
    await publish(topic, 'a');
    await cloud.server.idle();
    const request = {
      subscription: subscriptionPath(name),
      endpoint: endpoint.url,
      message: expect.objectContaining({ data: Buffer.from('a') }),
      deliveryAttempt: 1,
    };
    expect(calls).toMatchObject([
      { phase: 'before', request },
      { phase: 'after', request: { ...request, statusCode: 204 } },
    ]);
  });

  test('that throws before a push makes the delivery fail without a request', async () => {
    const { topic, texts } = await create();
    let failures = 0;
    cloud.server.intercept = ({ method, phase }) => {
      if (method !== 'Push' || phase !== 'before' || failures === 2) return;
      failures += 1;
      throw new Error('no network');
    };
    await publish(topic, 'a');
    await cloud.server.idle();
    expect(failures).toBe(2);
    expect(texts()).toEqual(['a']);
  });

  test('that throws after a push makes its acknowledgement be lost', async () => {
    const { topic, texts } = await create();
    let failures = 0;
    cloud.server.intercept = ({ method, phase }) => {
      if (method !== 'Push' || phase !== 'after' || failures === 2) return;
      failures += 1;
      throw new Error('lost');
    };
    await publish(topic, 'a');
    await cloud.server.idle();
    expect(texts()).toEqual(['a', 'a', 'a']);
  });

  test('that throws after a publish makes the client publish again, under another id', async () => {
    const { topic, endpoint } = await create();
    let failures = 0;
    cloud.server.intercept = ({ method, phase }) => {
      if (method !== 'Publish' || phase !== 'after' || failures === 1) return;
      failures += 1;
      throw new GrpcError(status.UNAVAILABLE, 'lost');
    };
    const [messageId] = await publish(topic, 'a');
    await cloud.server.idle();
    const ids = endpoint.requests.map(({ json }) => json().message.messageId);
    expect(ids).toHaveLength(2);
    expect(ids[1]).toBe(messageId);
    expect(ids[0]).not.toBe(messageId);
  });

  test('can refuse a stream', async () => {
    const topic = await createTopic(cloud);
    const [subscription] = await topic.createSubscription(newName('sub'));
    cloud.server.intercept = ({ method }) => {
      if (method === 'StreamingPull') throw new GrpcError(status.PERMISSION_DENIED, 'not you');
    };
    const failed = new Promise((resolve) => subscription.once('error', resolve));
    subscription.on('message', () => undefined);
    expect(await failed).toMatchObject({ code: status.PERMISSION_DENIED });
    await subscription.close();
  });
});

describe('faults on demand', () => {
  test('deliver acknowledged messages once more, as often as the probability says', async () => {
    const { topic, texts } = await create();
    const draws = [0.4, 0.6];
    cloud.server.faults.duplicateProbability = 0.5;
    cloud.server.faults.random = () => draws.shift() ?? 0;
    await publish(topic, 'a', 'b');
    await cloud.server.idle();
    expect(texts()).toEqual(['a', 'b', 'a']);
  });

  test('deliver every message exactly twice with probability 1', async () => {
    const { topic, texts } = await create();
    cloud.server.faults.duplicateProbability = 1;
    await publish(topic, 'a', 'b', 'c');
    await cloud.server.idle();
    expect(texts().toSorted()).toEqual(['a', 'a', 'b', 'b', 'c', 'c']);
  });

  test('deliver the backlog in another order', async () => {
    const { topic, texts } = await create();
    cloud.server.faults.reorder = true;
    cloud.server.faults.random = () => 0.99;
    await publish(topic, 'a', 'b', 'c', 'd');
    await cloud.server.idle();
    expect(texts().toSorted()).toEqual(['a', 'b', 'c', 'd']);
    expect(texts()).not.toEqual(['a', 'b', 'c', 'd']);
  });
});

describe('idle', () => {
  test('waits for messages that back off, and for what they cause', async () => {
    const { topic: deadLetters, texts } = await create();
    const topic = await createTopic(cloud);
    await topic.createSubscription(newName('sub'), {
      pushEndpoint: 'http://127.0.0.1:1/',
      ...fastRetry,
      deadLetterPolicy: { deadLetterTopic: deadLetters.name, maxDeliveryAttempts: 5 },
    });
    await publish(topic, 'a');
    await cloud.server.idle();
    expect(texts()).toEqual(['a']);
  });

  test('no longer waits for a subscription that becomes a pull subscription', async () => {
    const endpoint = await startEndpoint(() => undefined);
    const topic = await createTopic(cloud);
    const [subscription] = await topic.createSubscription(newName('sub'), { pushEndpoint: endpoint.url });
    await publish(topic, 'never answered');
    await endpoint.arrived(1);
    const started = performance.now();
    const idle = cloud.server.idle();
    await subscription.modifyPushConfig({});
    await idle;
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  test('does not wait for pull subscriptions', async () => {
    const topic = await createTopic(cloud);
    await topic.createSubscription(newName('sub'));
    await publish(topic, 'a');
    await cloud.server.idle();
  });
});
