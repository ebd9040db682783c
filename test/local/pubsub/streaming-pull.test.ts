import type { Message } from '@google-cloud/pubsub';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createTopic, newName, publish, useCloud } from './fixture.ts';

const cloud = useCloud();

/** A stream of the raw client: the requests and responses themselves. */
function openStream(initial: object) {
  const stream = cloud.subscriber.streamingPull();
  onTestFinished(() => {
    stream.destroy();
  });
  const responses: Response[] = [];
  const listeners: (() => void)[] = [];
  const failed = new Promise<{ code: number }>((resolve) => stream.once('error', resolve));
  stream.on('data', (response: Response) => {
    responses.push(response);
    for (const listener of listeners) listener();
  });
  stream.write({ streamAckDeadlineSeconds: 10, ...initial });
  const until = (condition: () => boolean) =>
    new Promise<void>((resolve) => {
      const check = () => {
        if (condition()) resolve();
      };
      listeners.push(check);
      check();
    });
  const received = () =>
    responses.flatMap(({ receivedMessages }) =>
      receivedMessages.map(({ ackId, message }) => ({ ackId, text: String(message.data) })),
    );
  return { stream, responses, failed, until, received };
}

interface Response {
  receivedMessages: { ackId: string; message: { data: Buffer } }[];
  subscriptionProperties: object;
}

async function create(settings: object = {}) {
  const topic = await createTopic(cloud);
  const [subscription] = await topic.createSubscription(newName('sub'), settings);
  onTestFinished(() => subscription.close());
  return { topic, subscription };
}

describe("the client's subscriber", () => {
  test('gets every message once when it acknowledges', async () => {
    const { topic, subscription } = await create();
    const texts = Array.from({ length: 500 }, (_, n) => String(n));
    const received: string[] = [];
    const all = new Promise<void>((resolve) =>
      subscription.on('message', (message: Message) => {
        received.push(String(message.data));
        message.ack();
        if (received.length >= texts.length) resolve();
      }),
    );
    await publish(topic, ...texts);
    await all;
    await subscription.close();
    expect(received.toSorted()).toEqual(texts.toSorted());
    const [{ receivedMessages }] = await cloud.subscriber.pull({
      subscription: subscription.name,
      maxMessages: 10,
      returnImmediately: true,
    });
    expect(receivedMessages).toEqual([]);
  });

  test('gets a message again after nack, with the attempts counted under a dead-letter policy', async () => {
    const deadLetters = await createTopic(cloud);
    const { topic, subscription } = await create({
      deadLetterPolicy: { deadLetterTopic: deadLetters.name, maxDeliveryAttempts: 5 },
    });
    const attempts: (number | undefined)[] = [];
    const done = new Promise<void>((resolve) =>
      subscription.on('message', (message: Message) => {
        attempts.push(message.deliveryAttempt);
        if (attempts.length < 3) message.nack();
        else message.ackWithResponse().then(() => resolve());
      }),
    );
    await publish(topic, 'a');
    await done;
    expect(attempts).toEqual([1, 2, 3]);
  });

  test('shares messages with other subscribers of the subscription', async () => {
    const { topic, subscription } = await create();
    const other = cloud.client.subscription(subscription.name);
    onTestFinished(() => other.close());
    const received = { first: 0, second: 0 };
    await new Promise<void>((resolve) => {
      const count = (who: keyof typeof received) => (message: Message) => {
        received[who] += 1;
        message.ack();
        // Messages come until both have had some: each may be opening its streams at the beginning.
        if (received.first > 0 && received.second > 0) resolve();
        else void publish(topic, 'again', 'again', 'again');
      };
      subscription.on('message', count('first'));
      other.on('message', count('second'));
      void publish(topic, ...Array.from({ length: 100 }, String));
    });
  });

  test('receives 9 MB in one piece', async () => {
    const { topic, subscription } = await create();
    const data = Buffer.alloc(9_000_000, 'x');
    const received = new Promise<Message>((resolve) => subscription.once('message', resolve));
    await topic.publishMessage({ data });
    const message = await received;
    expect(message.data.equals(data)).toBe(true);
    message.ack();
  });
});

describe('a stream', () => {
  test('sends no more messages than may be outstanding until some are answered', async () => {
    const { topic, subscription } = await create();
    const { stream, until, received } = openStream({
      subscription: subscription.name,
      maxOutstandingMessages: 2,
    });
    await publish(topic, 'a', 'b', 'c', 'd', 'e');
    await until(() => received().length >= 2);
    expect(received().map(({ text }) => text)).toEqual(['a', 'b']);
    stream.write({ ackIds: [received()[0]?.ackId] });
    await until(() => received().length >= 3);
    stream.write({ modifyDeadlineAckIds: [received()[1]?.ackId], modifyDeadlineSeconds: [0] });
    await until(() => received().length >= 4);
    // b waits again, behind the others: it makes room for one message, not for two.
    expect(received().map(({ text }) => text)).toEqual(['a', 'b', 'c', 'd']);
  });

  test('stops at the outstanding bytes', async () => {
    const { topic, subscription } = await create();
    const { stream, until, received } = openStream({
      subscription: subscription.name,
      maxOutstandingBytes: 15,
    });
    await publish(topic, 'a'.repeat(10), 'b'.repeat(10), 'c'.repeat(10));
    await until(() => received().length >= 2);
    const rest = await cloud.subscriber.pull({ subscription: subscription.name, maxMessages: 5 });
    expect(rest[0].receivedMessages?.map(({ message }) => String(message?.data))).toEqual(['c'.repeat(10)]);
    stream.write({ ackIds: received().map(({ ackId }) => ackId) });
    await publish(topic, 'd');
    await until(() => received().length >= 3);
  });

  test('acknowledges, and answers keep-alives where the client knows them', async () => {
    const { topic, subscription } = await create();
    const { stream, responses, until, received } = openStream({
      subscription: subscription.name,
      protocolVersion: 1,
    });
    await publish(topic, 'a');
    await until(() => received().length === 1);
    expect(responses[0]?.subscriptionProperties).toMatchObject({
      exactlyOnceDeliveryEnabled: false,
      messageOrderingEnabled: false,
    });
    stream.write({ ackIds: received().map(({ ackId }) => ackId) });
    stream.write({});
    await until(() => responses.length === 2);
    expect(responses[1]?.receivedMessages).toEqual([]);
  });

  test('sends no keep-alives to clients that do not know them', async () => {
    const { topic, subscription } = await create();
    const { stream, responses, until, received } = openStream({ subscription: subscription.name });
    await publish(topic, 'a');
    await until(() => received().length === 1);
    stream.write({});
    // On the same connection, so that the server has read the keep-alive before it answers.
    await cloud.subscriber.getSubscription({ subscription: subscription.name });
    await publish(topic, 'b');
    await until(() => received().length === 2);
    expect(responses).toHaveLength(2);
  });

  test('that does not read leaves messages to others, and goes on when it reads again', async () => {
    const { topic, subscription } = await create();
    const { stream, until, received } = openStream({ subscription: subscription.name });
    await publish(topic, 'first');
    await until(() => received().length === 1);
    stream.pause();
    // One response each: some wait in the client, some fill the connection, sixteen wait in the server.
    const count = 300;
    const large = 'x'.repeat(100_000);
    for (let n = 0; n < count; n += 1) await publish(topic, large);
    const [{ receivedMessages }] = await cloud.subscriber.pull({
      subscription: subscription.name,
      maxMessages: 100,
      returnImmediately: true,
    });
    expect(receivedMessages).not.toEqual([]);
    const left = count - (receivedMessages?.length ?? 0);
    stream.resume();
    await until(() => received().length === 1 + left);
    await publish(topic, 'last');
    await until(() => received().at(-1)?.text === 'last');
  });

  test.each([
    ['an unknown subscription', { subscription: 'projects/p/subscriptions/unknown' }, 5],
    ['an invalid name', { subscription: 'nonsense' }, 3],
    ['a deadline below 10 s', { streamAckDeadlineSeconds: 9 }, 3],
    ['a deadline above 600 s', { streamAckDeadlineSeconds: 601 }, 3],
    ['lists of different lengths', { modifyDeadlineSeconds: [1] }, 3],
    ['a malformed ack id', { ackIds: ['nonsense'] }, 3],
  ])('is refused for %s', async (_, request, code) => {
    const { subscription } = await create();
    const { failed } = openStream({ subscription: subscription.name, ...request });
    expect(await failed).toMatchObject({ code });
  });

  test.each([
    [{ subscription: 'projects/p/subscriptions/other' }],
    [{ maxOutstandingMessages: 1 }],
    [{ protocolVersion: 1 }],
    [{ modifyDeadlineAckIds: ['nonsense'], modifyDeadlineSeconds: [1] }],
  ])('ends when a later request carries %j', async (request) => {
    const { topic, subscription } = await create();
    const { stream, failed, until, received } = openStream({ subscription: subscription.name });
    await publish(topic, 'a');
    await until(() => received().length === 1);
    stream.write(request);
    expect(await failed).toMatchObject({ code: 3 });
  });

  test('ends when its subscription becomes a push subscription', async () => {
    const { topic, subscription } = await create();
    const { failed, until, received } = openStream({ subscription: subscription.name });
    await publish(topic, 'a');
    await until(() => received().length === 1);
    await subscription.modifyPushConfig({ pushEndpoint: 'http://127.0.0.1:1' });
    expect(await failed).toMatchObject({ code: 9 });
  });

  test('that was cancelled gets nothing any more', async () => {
    const { topic, subscription } = await create();
    const { stream, failed, until, received } = openStream({ subscription: subscription.name });
    await publish(topic, 'a');
    await until(() => received().length === 1);
    stream.cancel();
    expect(await failed).toMatchObject({ code: 1 });
    // On the same connection, so that the server has read the cancellation before it answers.
    await cloud.subscriber.getSubscription({ subscription: subscription.name });
    await publish(topic, 'b');
    const [{ receivedMessages }] = await cloud.subscriber.pull({
      subscription: subscription.name,
      maxMessages: 5,
    });
    expect(receivedMessages?.map(({ message }) => String(message?.data))).toEqual(['b']);
  });
});
