import type { google } from '@google-cloud/pubsub/build/protos/protos.js';
import { describe, expect, test } from 'vitest';
import { createTopic, newName, publish, subscriptionPath, useCloud } from './fixture.ts';

const cloud = useCloud();

type Settings = google.pubsub.v1.ISubscription;

async function create(settings: Settings = {}) {
  const topic = await createTopic(cloud);
  const [subscription] = await cloud.subscriber.createSubscription({
    name: subscriptionPath(newName('sub')),
    topic: topic.name,
    ...settings,
  });
  return { topic, subscription, name: subscription.name ?? '' };
}

async function pulled(subscription: string): Promise<string[]> {
  const [answer] = await cloud.subscriber.pull({ subscription, maxMessages: 100, returnImmediately: true });
  return (answer.receivedMessages ?? []).map(({ message }) => String(message?.data));
}

describe('a subscription', () => {
  test('has the documented defaults', async () => {
    const { subscription, topic } = await create();
    expect(subscription).toMatchObject({
      topic: topic.name,
      ackDeadlineSeconds: 10,
      messageRetentionDuration: { seconds: '604800' },
      expirationPolicy: { ttl: { seconds: String(31 * 24 * 3600) } },
      retryPolicy: null,
      deadLetterPolicy: null,
      state: 'ACTIVE',
    });
  });

  test('keeps what it was created with', async () => {
    const deadLetters = await createTopic(cloud);
    const settings = {
      ackDeadlineSeconds: 600,
      messageRetentionDuration: { seconds: '2678400', nanos: 0 },
      labels: { team: 'a' },
      filter: 'attributes:a',
      retryPolicy: {
        minimumBackoff: { seconds: '0', nanos: 200_000_000 },
        maximumBackoff: { seconds: '600', nanos: 0 },
      },
      deadLetterPolicy: { deadLetterTopic: deadLetters.name, maxDeliveryAttempts: 100 },
      pushConfig: {
        pushEndpoint: 'http://127.0.0.1:1',
        attributes: { 'x-goog-version': 'v1' },
        oidcToken: { serviceAccountEmail: 'a@b.c', audience: 'd' },
      },
    };
    const { name } = await create({ ...settings, expirationPolicy: {} });
    const [read] = await cloud.subscriber.getSubscription({ subscription: name });
    expect(read).toMatchObject(settings);
    expect(read.expirationPolicy?.ttl).toBeNull();
  });

  test('has the defaults of a retry and a dead-letter policy that leave something out', async () => {
    const deadLetters = await createTopic(cloud);
    const { subscription } = await create({
      retryPolicy: {},
      deadLetterPolicy: { deadLetterTopic: deadLetters.name },
    });
    expect(subscription).toMatchObject({
      retryPolicy: { minimumBackoff: { seconds: '10' }, maximumBackoff: { seconds: '600' } },
      deadLetterPolicy: { maxDeliveryAttempts: 5 },
    });
  });

  test('needs its topic and its dead-letter topic, and a name that is not taken', async () => {
    const { name, topic } = await create();
    await expect(cloud.subscriber.createSubscription({ name, topic: topic.name })).rejects.toMatchObject({
      code: 6,
    });
    await expect(create({ topic: `${topic.name}x` })).rejects.toMatchObject({ code: 5 });
    await expect(create({ deadLetterPolicy: { deadLetterTopic: `${topic.name}x` } })).rejects.toMatchObject({
      code: 5,
    });
    await expect(create({ deadLetterPolicy: {} })).rejects.toMatchObject({
      code: 3,
      details: expect.stringContaining('(dead_letter_topic=)'),
    });
  });

  test.each<Settings>([
    { ackDeadlineSeconds: 9 },
    { ackDeadlineSeconds: 601 },
    { messageRetentionDuration: { seconds: 599 } },
    { messageRetentionDuration: { seconds: 2678401 } },
    { expirationPolicy: { ttl: { seconds: 86399 } } },
    { retryPolicy: { minimumBackoff: { seconds: 601 } } },
    { retryPolicy: { minimumBackoff: { seconds: 2 }, maximumBackoff: { seconds: 1 } } },
    { filter: 'nonsense' },
    { pushConfig: { pushEndpoint: 'ftp://example.com' } },
    { pushConfig: { pushEndpoint: 'not a url' } },
  ])('refuses %j', async (settings) => {
    await expect(create(settings)).rejects.toMatchObject({ code: 3 });
  });

  test.each([4, 101])('refuses %i delivery attempts', async (maxDeliveryAttempts) => {
    const { name } = await createTopic(cloud);
    await expect(
      create({ deadLetterPolicy: { deadLetterTopic: name, maxDeliveryAttempts } }),
    ).rejects.toMatchObject({ code: 3 });
  });

  test.each<[Settings, string]>([
    [{ enableMessageOrdering: true }, 'enable_message_ordering'],
    [{ enableExactlyOnceDelivery: true }, 'enable_exactly_once_delivery'],
    [{ retainAckedMessages: true }, 'retain_acked_messages'],
    [{ bigqueryConfig: { table: 'p.d.t' } }, 'bigquery_config'],
    [{ cloudStorageConfig: { bucket: 'b' } }, 'cloud_storage_config'],
    [{ messageTransforms: [{ javascriptUdf: { functionName: 'f', code: 'c' } }] }, 'message_transforms'],
    [{ pushConfig: { pushEndpoint: 'http://a', attributes: { 'x-goog-version': 'v1beta1' } } }, 'v1beta1'],
  ])('refuses %j as unimplemented', async (settings, name) => {
    await expect(create(settings)).rejects.toMatchObject({
      code: 12,
      details: expect.stringContaining(name),
    });
  });

  test('can be changed, by field and within a field', async () => {
    const { name } = await create({ retryPolicy: { minimumBackoff: { seconds: 20 } }, labels: { a: 'b' } });
    const [updated] = await cloud.subscriber.updateSubscription({
      subscription: {
        name,
        ackDeadlineSeconds: 30,
        retryPolicy: { maximumBackoff: { seconds: 40 } },
        labels: { ignored: 'x' },
      },
      updateMask: { paths: ['ack_deadline_seconds', 'retry_policy.maximum_backoff'] },
    });
    expect(updated).toMatchObject({
      ackDeadlineSeconds: 30,
      retryPolicy: { minimumBackoff: { seconds: '20' }, maximumBackoff: { seconds: '40' } },
      labels: { a: 'b' },
    });
    const [cleared] = await cloud.subscriber.updateSubscription({
      subscription: { name },
      updateMask: { paths: ['retry_policy'] },
    });
    expect(cleared.retryPolicy).toBeNull();
  });

  test('cannot be given a dead-letter topic that does not exist', async () => {
    const { name, topic } = await create();
    await expect(
      cloud.subscriber.updateSubscription({
        subscription: { name, deadLetterPolicy: { deadLetterTopic: `${topic.name}x` } },
        updateMask: { paths: ['dead_letter_policy'] },
      }),
    ).rejects.toMatchObject({ code: 5 });
  });

  test.each(['filter', 'topic', 'enable_message_ordering'])('cannot have its %s changed', async (path) => {
    const { name } = await create();
    await expect(
      cloud.subscriber.updateSubscription({ subscription: { name }, updateMask: { paths: [path] } }),
    ).rejects.toMatchObject({ code: 3, details: expect.stringContaining('immutable') });
  });

  test('outlives its topic with its backlog, and a new topic of that name is another one', async () => {
    const { name, topic } = await create();
    await publish(topic, 'before');
    await topic.delete();
    const [{ topic: shown }] = await cloud.subscriber.getSubscription({ subscription: name });
    expect(shown).toBe('_deleted-topic_');
    await topic.create();
    await publish(topic, 'after');
    expect(await pulled(name)).toEqual(['before']);
    expect((await topic.getSubscriptions())[0]).toEqual([]);
  });

  test('is gone when deleted, for those who wait for its messages too', async () => {
    const { name, topic } = await create();
    const subscription = cloud.client.subscription(name);
    const streamEnd = new Promise((resolve) => subscription.once('error', resolve));
    const received = new Promise<void>((resolve) =>
      subscription.on('message', (message) => {
        message.ack();
        resolve();
      }),
    );
    await publish(topic, 'a');
    await received;
    const pull = cloud.subscriber.pull({ subscription: name, maxMessages: 1 });
    // The pull must be there before the deletion: both use one connection, in this order.
    await Promise.all([
      expect(pull).rejects.toMatchObject({ code: 5 }),
      cloud.subscriber.deleteSubscription({ subscription: name }),
    ]);
    expect(await streamEnd).toMatchObject({ code: 5 });
    await expect(cloud.subscriber.getSubscription({ subscription: name })).rejects.toMatchObject({ code: 5 });
    expect((await topic.getSubscriptions())[0]).toEqual([]);
  });

  test('with a filter gets only what matches', async () => {
    const { name, topic } = await create({
      filter: 'attributes.kind = "a" OR hasPrefix(attributes.kind, "b")',
    });
    for (const kind of ['a', 'ab', 'b', 'bc', 'c']) {
      await topic.publishMessage({ data: Buffer.from(kind), attributes: { kind } });
    }
    await publish(topic, 'no attributes');
    expect(await pulled(name)).toEqual(['a', 'b', 'bc']);
  });
});
