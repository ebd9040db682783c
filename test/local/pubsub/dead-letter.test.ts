import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { deadLetter } from '../../../local/pubsub/dead-letter.ts';
import { createTopic, newName, project, publish, startEndpoint, useCloud } from './fixture.ts';

const cloud = useCloud();

const retryPolicy = { minimumBackoff: { nanos: 5_000_000 }, maximumBackoff: { nanos: 10_000_000 } };

async function create(answer: number) {
  const endpoint = await startEndpoint((response) => response.writeHead(answer).end());
  const topic = await createTopic(cloud);
  const deadLetters = await createTopic(cloud);
  const [kept] = await deadLetters.createSubscription(newName('kept'));
  const name = newName('sub');
  await topic.createSubscription(name, {
    pushEndpoint: endpoint.url,
    retryPolicy,
    deadLetterPolicy: { deadLetterTopic: deadLetters.name, maxDeliveryAttempts: 5 },
  });
  const pull = async () => {
    const [answer] = await cloud.subscriber.pull({
      subscription: kept.name,
      maxMessages: 10,
      returnImmediately: true,
    });
    return answer.receivedMessages ?? [];
  };
  return { endpoint, topic, deadLetters, name, pull };
}

describe('a dead-letter policy', () => {
  test('forwards a message after its last attempt, with the attributes that say where from', async () => {
    const { endpoint, topic, name, pull } = await create(500);
    const messageId = await topic.publishMessage({
      data: Buffer.from('poison'),
      attributes: { key: 'value' },
      orderingKey: 'k',
    });
    await cloud.server.idle();
    expect(endpoint.requests.map(({ json }) => json().deliveryAttempt)).toEqual([1, 2, 3, 4, 5]);
    const [received, ...others] = await pull();
    expect(others).toEqual([]);
    const publishTime = endpoint.requests[0]?.json().message.publishTime ?? '';
    expect(received?.message).toMatchObject({
      data: Buffer.from('poison'),
      orderingKey: 'k',
      attributes: {
        key: 'value',
        CloudPubSubDeadLetterSourceDeliveryCount: '5',
        CloudPubSubDeadLetterSourceSubscription: name,
        CloudPubSubDeadLetterSourceSubscriptionProject: project,
        CloudPubSubDeadLetterSourceTopicPublishTime: new Date(publishTime)
          .toISOString()
          .replace('Z', '+00:00'),
      },
    });
    expect(received?.message?.messageId).not.toBe(messageId);
    expect(received?.deliveryAttempt).toBe(0);
  });

  test('leaves alone what is acknowledged in time', async () => {
    const { endpoint, topic, pull } = await create(204);
    await publish(topic, 'fine');
    await cloud.server.idle();
    expect(endpoint.requests.map(({ json }) => json().deliveryAttempt)).toEqual([1]);
    expect(await pull()).toEqual([]);
  });

  test('keeps trying while its topic does not exist, and forwards once it does', async () => {
    const { endpoint, topic, deadLetters } = await create(500);
    await deadLetters.delete();
    await publish(topic, 'poison');
    await endpoint.arrived(8);
    expect(endpoint.requests.map(({ json }) => json().deliveryAttempt).slice(0, 8)).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8,
    ]);
    await deadLetters.create();
    await cloud.server.idle();
    expect(endpoint.requests.at(-1)?.json().deliveryAttempt).toBe(endpoint.requests.length);
  });
});

test('a dead letter keeps data, ordering key and every attribute of its message', () => {
  const attributes = fc.dictionary(fc.string(), fc.string());
  fc.assert(
    fc.property(attributes, fc.integer({ min: 5, max: 100 }), (given, deliveries) => {
      const message = {
        messageId: '1',
        publishTime: 0,
        data: Buffer.from('a'),
        attributes: given,
        orderingKey: 'k',
        bytes: 1,
      };
      const name = { full: 'projects/p/subscriptions/s', project: 'p', id: 's' };
      const forwarded = deadLetter(message, name, deliveries);
      expect(forwarded).toMatchObject({ data: message.data, orderingKey: 'k', attributes: given });
      expect(forwarded.attributes['CloudPubSubDeadLetterSourceDeliveryCount']).toBe(String(deliveries));
      expect(forwarded.attributes['CloudPubSubDeadLetterSourceTopicPublishTime']).toBe(
        '1970-01-01T00:00:00.000+00:00',
      );
    }),
  );
});
