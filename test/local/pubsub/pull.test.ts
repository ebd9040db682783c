import { describe, expect, test } from 'vitest';
import { createTopic, newName, publish, startEndpoint, useCloud } from './fixture.ts';

const cloud = useCloud();

async function create(settings: object = {}) {
  const topic = await createTopic(cloud);
  const [{ name }] = await topic.createSubscription(newName('sub'), settings);
  const pull = async (options: object = {}) => {
    const [{ receivedMessages }] = await cloud.subscriber.pull({
      subscription: name,
      maxMessages: 100,
      ...options,
    });
    return (receivedMessages ?? []).map(({ ackId, message, deliveryAttempt }) => ({
      ackId: ackId ?? '',
      text: String(message?.data),
      deliveryAttempt,
    }));
  };
  const modify = (ackDeadlineSeconds: number, ...ackIds: string[]) =>
    cloud.subscriber.modifyAckDeadline({ subscription: name, ackIds, ackDeadlineSeconds });
  const acknowledge = (...ackIds: string[]) => cloud.subscriber.acknowledge({ subscription: name, ackIds });
  return { topic, subscription: name, pull, modify, acknowledge };
}

describe('a pull', () => {
  test('gives no more than asked for, in the order of publication, each message to one caller', async () => {
    const { topic, pull } = await create();
    await publish(topic, 'a', 'b', 'c');
    const texts = async (maxMessages: number) => (await pull({ maxMessages })).map(({ text }) => text);
    expect(await texts(2)).toEqual(['a', 'b']);
    expect(await texts(2)).toEqual(['c']);
  });

  test('waits for a message, or returns at once where asked to', async () => {
    const { topic, pull } = await create();
    expect(await pull({ returnImmediately: true })).toEqual([]);
    const waiting = pull();
    await publish(topic, 'a');
    expect(await waiting).toMatchObject([{ text: 'a', deliveryAttempt: 0 }]);
  });

  test('whose caller has gone takes nothing', async () => {
    const { topic, pull, subscription } = await create();
    const abandoned = cloud.subscriber.pull({ subscription, maxMessages: 1 }, { timeout: 100 });
    await expect(abandoned).rejects.toMatchObject({ code: 4 });
    // On the same connection, so that the server has read the cancellation before it answers.
    await cloud.subscriber.getSubscription({ subscription });
    await publish(topic, 'a');
    expect(await pull({ returnImmediately: true })).toMatchObject([{ text: 'a' }]);
  });

  test('of a push subscription is refused', async () => {
    const { url } = await startEndpoint();
    const { pull } = await create({ pushEndpoint: url });
    await expect(pull()).rejects.toMatchObject({ code: 9 });
  });

  test('needs a positive number of messages', async () => {
    const { pull } = await create();
    await expect(pull({ maxMessages: 0 })).rejects.toMatchObject({ code: 3 });
  });
});

describe('an acknowledgement', () => {
  test('ends a message, and repeating it does no harm', async () => {
    const { topic, pull, acknowledge, modify } = await create();
    await publish(topic, 'a');
    const [{ ackId } = { ackId: '' }] = await pull();
    await acknowledge(ackId);
    await acknowledge(ackId);
    await modify(0, ackId);
    expect(await pull({ returnImmediately: true })).toEqual([]);
  });

  test('with an id that this subscription never gave is refused', async () => {
    const { acknowledge, modify } = await create();
    const other = await create();
    await publish(other.topic, 'a');
    const [{ ackId } = { ackId: '' }] = await other.pull();
    for (const id of ['nonsense', ackId]) {
      await expect(acknowledge(id)).rejects.toMatchObject({
        code: 3,
        details: `You have passed an invalid ack ID to the service (ack_id=${id}).`,
      });
      await expect(modify(10, id)).rejects.toMatchObject({ code: 3 });
    }
    await expect(acknowledge()).rejects.toMatchObject({ code: 3 });
  });

  test('after the deadline has no effect: the message comes back', async () => {
    const { topic, pull, modify, acknowledge } = await create();
    await publish(topic, 'a');
    const [first] = await pull();
    await modify(1, first?.ackId ?? '');
    const [second] = await pull();
    await acknowledge(first?.ackId ?? '');
    expect(second).toMatchObject({ text: 'a' });
    expect(second?.ackId).not.toBe(first?.ackId);
    await modify(0, second?.ackId ?? '');
    expect(await pull()).toMatchObject([{ text: 'a' }]);
  });
});

describe('a deadline', () => {
  test('of zero is a negative acknowledgement: the message comes back at once without a retry policy', async () => {
    const { topic, pull, modify } = await create();
    await publish(topic, 'a');
    const [{ ackId } = { ackId: '' }] = await pull();
    await modify(0, ackId);
    expect(await pull({ returnImmediately: true })).toMatchObject([{ text: 'a' }]);
  });

  test('that is extended holds the message longer', async () => {
    const { topic, pull, modify } = await create();
    await publish(topic, 'kept', 'left');
    const [kept, left] = await pull();
    await modify(1, kept?.ackId ?? '', left?.ackId ?? '');
    await modify(600, kept?.ackId ?? '');
    expect(await pull()).toMatchObject([{ text: 'left' }]);
  });

  test.each([-1, 601])('of %i seconds is refused', async (seconds) => {
    const { topic, pull, modify } = await create();
    await publish(topic, 'a');
    const [{ ackId } = { ackId: '' }] = await pull();
    await expect(modify(seconds, ackId)).rejects.toMatchObject({ code: 3 });
  });
});

describe('a retry policy', () => {
  test('delays a message that failed, longer each time, and no other message', async () => {
    const { topic, pull, modify, acknowledge } = await create({
      retryPolicy: { minimumBackoff: { nanos: 200_000_000 }, maximumBackoff: { nanos: 300_000_000 } },
    });
    await publish(topic, 'a');
    let [failing] = await pull();
    for (const delay of [200, 300, 300]) {
      const failed = performance.now();
      await modify(0, failing?.ackId ?? '');
      await publish(topic, 'b');
      const [other] = await pull();
      expect(other?.text).toBe('b');
      await acknowledge(other?.ackId ?? '');
      [failing] = await pull();
      expect(failing?.text).toBe('a');
      expect(performance.now() - failed).toBeGreaterThanOrEqual(delay);
    }
  });
});
