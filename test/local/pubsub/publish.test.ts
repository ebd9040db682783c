import { describe, expect, test } from 'vitest';
import { createTopic, newName, publish, useCloud } from './fixture.ts';

const cloud = useCloud();

async function publishRaw(messages: object[]): Promise<string[]> {
  const topic = await createTopic(cloud);
  const [answer] = await cloud.publisher.publish({ topic: topic.name, messages });
  return answer.messageIds ?? [];
}

describe('publishing', () => {
  test('gives unique, rising ids of sixteen digits', async () => {
    const topic = await createTopic(cloud);
    const ids = [...(await publish(topic, ...Array(20).fill('a'))), ...(await publish(topic, 'b'))];
    expect(ids).toEqual([...new Set(ids)].sort());
    expect(ids[0]).toMatch(/^\d{16}$/);
  });

  test('delivers data, attributes, id, ordering key and time to every subscription', async () => {
    const topic = await createTopic(cloud);
    const names = [newName('sub'), newName('sub')];
    const subscriptions = await Promise.all(names.map((name) => topic.createSubscription(name)));
    const before = Date.now();
    const messageId = await topic.publishMessage({
      data: Buffer.from([0, 255, 1]),
      attributes: { key: 'välue' },
      orderingKey: 'k',
    });
    for (const [subscription] of subscriptions) {
      const [answer] = await cloud.subscriber.pull({ subscription: subscription.name, maxMessages: 5 });
      expect(answer.receivedMessages).toHaveLength(1);
      const message = answer.receivedMessages?.[0]?.message;
      expect(message).toMatchObject({
        data: Buffer.from([0, 255, 1]),
        attributes: { key: 'välue' },
        messageId,
        orderingKey: 'k',
      });
      const { seconds, nanos } = message?.publishTime ?? {};
      const publishTime = Number(seconds) * 1000 + Number(nanos) / 1e6;
      expect(publishTime).toBeGreaterThanOrEqual(before);
      expect(publishTime).toBeLessThanOrEqual(Date.now());
    }
  });

  test('reaches only subscriptions that existed then', async () => {
    const topic = await createTopic(cloud);
    await publish(topic, 'early');
    const [subscription] = await topic.createSubscription(newName('sub'));
    await publish(topic, 'late');
    const [answer] = await cloud.subscriber.pull({ subscription: subscription.name, maxMessages: 5 });
    expect(answer.receivedMessages?.map(({ message }) => String(message?.data))).toEqual(['late']);
  });

  test.each([
    ['no message', []],
    ['an empty message', [{}]],
    ['more than 1000 messages', Array(1001).fill({ data: Buffer.from('a') })],
    ['more than 10 MB', [{ data: Buffer.alloc(10_000_001) }]],
    [
      'more than 100 attributes',
      [{ attributes: Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`k${n}`, 'v'])) }],
    ],
    ['a key of more than 256 bytes', [{ attributes: { ['é'.repeat(129)]: 'v' } }]],
    ['a value of more than 1024 bytes', [{ attributes: { k: 'é'.repeat(513) } }]],
    ['a key that begins with goog', [{ attributes: { googlike: 'v' } }]],
    ['mixed ordering keys', [{ data: Buffer.from('a'), orderingKey: 'k' }, { data: Buffer.from('b') }]],
  ])('refuses %s', async (_, messages) => {
    await expect(publishRaw(messages)).rejects.toMatchObject({ code: 3 });
  });

  test('takes what is exactly at the limits', async () => {
    const attributes = Object.fromEntries(
      Array.from({ length: 100 }, (_, n) => [`k${n}`.padEnd(256, 'x'), 'v'.repeat(1024)]),
    );
    await expect(publishRaw([{ attributes }])).resolves.toHaveLength(1);
    await expect(publishRaw(Array(1000).fill({ data: Buffer.from('a') }))).resolves.toHaveLength(1000);
    await expect(publishRaw([{ data: Buffer.alloc(10_000_000) }])).resolves.toHaveLength(1);
  });
});
