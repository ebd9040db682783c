import { describe, expect, test } from 'vitest';
import { createTopic, newName, project, publish, useCloud } from './fixture.ts';

const cloud = useCloud();

const alreadyExists = (name: string) => ({
  code: 6,
  details: `Resource already exists in the project (resource=${name}).`,
});
const notFound = (name: string) => ({ code: 5, details: `Resource not found (resource=${name}).` });

describe('a topic', () => {
  test('can be created, read and deleted', async () => {
    const topic = await createTopic(cloud);
    expect((await topic.getMetadata())[0]).toMatchObject({ name: topic.name, state: 'ACTIVE' });
    await topic.delete();
    expect(await topic.exists()).toEqual([false]);
  });

  test('cannot be created twice, nor read or deleted or published to when it is not there', async () => {
    const topic = await createTopic(cloud);
    const id = topic.name.split('/').pop() ?? '';
    await expect(cloud.client.createTopic(id)).rejects.toMatchObject(alreadyExists(id));
    await topic.delete();
    await expect(topic.getMetadata()).rejects.toMatchObject(notFound(id));
    await expect(topic.delete()).rejects.toMatchObject(notFound(id));
    await expect(publish(topic, 'a')).rejects.toMatchObject(notFound(id));
  });

  test.each(['ab', '1abc', 'googabc', 'a b c', 'x'.repeat(256)])('cannot be named %s', async (name) => {
    await expect(
      cloud.publisher.createTopic({ name: `projects/${project}/topics/${name}` }),
    ).rejects.toMatchObject({
      code: 3,
      details: expect.stringContaining(
        `Invalid resource name given (name=projects/${project}/topics/${name})`,
      ),
    });
  });

  test('can have its labels and retention changed, and nothing that the mask leaves out', async () => {
    const [topic] = await cloud.client.createTopic({
      name: newName('topic'),
      labels: { team: 'a' },
    });
    await topic.setMetadata({ messageRetentionDuration: { seconds: 3600 } });
    await cloud.publisher.updateTopic({
      topic: { name: topic.name, labels: { team: 'b' } },
      updateMask: { paths: ['labels'] },
    });
    expect((await topic.getMetadata())[0]).toMatchObject({
      labels: { team: 'b' },
      messageRetentionDuration: { seconds: '3600' },
    });
  });

  test.each([
    [[], /must contain a non-empty paths list/],
    [['name'], /immutable/],
    [['messageRetentionDuration'], /not a known Topic field.*'push_config' rather than 'pushConfig'/],
  ])('refuses the update mask %j', async (paths, details) => {
    const topic = await createTopic(cloud);
    await expect(
      cloud.publisher.updateTopic({ topic: { name: topic.name }, updateMask: { paths } }),
    ).rejects.toMatchObject({ code: 3, details: expect.stringMatching(details) });
  });

  test.each([
    [{ kmsKeyName: 'projects/p/locations/l/keyRings/r/cryptoKeys/k' }, 'kms_key_name'],
    [{ schemaSettings: { schema: 'projects/p/schemas/s' } }, 'schema_settings'],
    [{ messageStoragePolicy: { allowedPersistenceRegions: ['europe-west1'] } }, 'message_storage_policy'],
    [{ tags: { '1/a': 'b' } }, 'tags'],
  ])('refuses %j instead of ignoring it', async (field, name) => {
    await expect(
      cloud.publisher.createTopic({ name: `projects/${project}/topics/${newName('topic')}`, ...field }),
    ).rejects.toMatchObject({ code: 12, details: expect.stringContaining(name) });
  });
});

describe('a list', () => {
  test('of topics comes in pages, of the asked project only', async () => {
    const names = ['alpha', 'beta', 'gamma'].map((id) => `projects/paged/topics/${id}`);
    for (const name of names) await cloud.publisher.createTopic({ name });
    await cloud.publisher.createTopic({ name: 'projects/other/topics/delta' });
    const paging = { autoPaginate: false };
    const [first, next, answer] = await cloud.publisher.listTopics(
      { project: 'projects/paged', pageSize: 2 },
      paging,
    );
    expect(first.map(({ name }) => name)).toEqual(names.slice(0, 2));
    // What comes and goes between two pages must not make an item appear twice or not at all.
    await cloud.publisher.deleteTopic({ topic: names[0] ?? '' });
    const pageToken = answer.nextPageToken ?? '';
    expect(next).toMatchObject({ pageToken });
    const [second] = await cloud.publisher.listTopics(
      { project: 'projects/paged', pageSize: 2, pageToken },
      paging,
    );
    expect(second.map(({ name }) => name)).toEqual(names.slice(2));
  });

  test('of subscriptions is of the topic, or of the project', async () => {
    const topic = await createTopic(cloud);
    const name = newName('sub');
    await topic.createSubscription(name);
    const [ofTopic] = await topic.getSubscriptions();
    expect(ofTopic.map((subscription) => subscription.name)).toEqual([
      `projects/${project}/subscriptions/${name}`,
    ]);
    const [ofProject] = await cloud.client.getSubscriptions();
    expect(ofProject.map((subscription) => subscription.name)).toContain(
      `projects/${project}/subscriptions/${name}`,
    );
  });

  test.each([{ pageToken: 'x' }, { pageSize: -1 }])('refuses %j', async (paging) => {
    await expect(
      cloud.publisher.listTopics({ project: `projects/${project}`, ...paging }, { autoPaginate: false }),
    ).rejects.toMatchObject({ code: 3 });
  });
});

describe('what the server does not do', () => {
  test('is UNIMPLEMENTED, never a silent success', async () => {
    const topic = await createTopic(cloud);
    const [subscription] = await topic.createSubscription(newName('sub'));
    const unimplemented = { code: 12 };
    await expect(cloud.client.createSchema('s', 'AVRO', '{}')).rejects.toMatchObject(unimplemented);
    await expect(subscription.createSnapshot('snapshot')).rejects.toMatchObject(unimplemented);
    await expect(subscription.seek(new Date())).rejects.toMatchObject(unimplemented);
    await expect(cloud.client.detachSubscription(subscription.name)).rejects.toMatchObject(unimplemented);
    await expect(topic.iam.getPolicy()).rejects.toMatchObject(unimplemented);
  });
});
