import { describe, expect, test } from 'vitest';
import { GrpcError } from '../../../local/grpc/server.ts';
import {
  inSeconds,
  invalid,
  missing,
  newId,
  newSecret,
  newVersion,
  precondition,
  useSecretManager,
} from './fixture.ts';

const cloud = useSecretManager();
const topic = 'projects/test-project/topics/events';
const other = 'projects/other/topics/events';
const topics = [{ name: topic }];

const timestamp = expect.stringMatching(/^2026-03-01T04:00:00\.\d{6}-08:00$/);
const always = (secretId: string) => ({ dataFormat: 'JSON_API_V1', secretId, timestamp });
const typesAt = (name: string) =>
  cloud.published.flatMap(({ topic, attributes }) => (topic === name ? [attributes['eventType']] : []));

describe('topics', () => {
  test('get a test message before the secret is created, and then the event', async () => {
    const { name, etag } = await newSecret(cloud, { topics, labels: { team: 'a' } });
    expect(cloud.published).toEqual([
      { topic, resource: undefined, attributes: { eventType: 'TOPIC_CONFIGURED' } },
      {
        topic,
        resource: {
          name,
          replication: { automatic: {} },
          createTime: expect.stringMatching(/^2026-03-01T12:00:00(\.\d{3}|\.\d{6})?Z$/),
          labels: { team: 'a' },
          topics,
          etag,
        },
        attributes: { eventType: 'SECRET_CREATE', ...always(name) },
      },
    ]);
  });

  test('get a test message, all of them, whenever an update names them', async () => {
    const { name } = await newSecret(cloud, { topics });
    cloud.published.length = 0;
    const update = (...paths: string[]) =>
      cloud.client.updateSecret({
        secret: { name, topics: [...topics, { name: other }] },
        updateMask: { paths },
      });
    await update('labels');
    expect(typesAt(topic)).toEqual(['SECRET_UPDATE']);
    await update('topics');
    expect(typesAt(topic)).toEqual(['SECRET_UPDATE', 'TOPIC_CONFIGURED', 'SECRET_UPDATE']);
    expect(typesAt(other)).toEqual(['TOPIC_CONFIGURED', 'SECRET_UPDATE']);
  });

  test('get none for a secret that exists already', async () => {
    const secretId = newId();
    await newSecret(cloud, {}, secretId);
    await expect(newSecret(cloud, { topics }, secretId)).rejects.toMatchObject({ code: 6 });
    expect(cloud.published).toEqual([]);
  });

  test('let one secret be created of two by the same id that wait for them', async () => {
    const bothHere = Promise.withResolvers<void>();
    let waiting = 0;
    cloud.publish = async (_topic, _data, { eventType }) => {
      if (eventType === 'TOPIC_CONFIGURED') waiting += 1;
      if (waiting === 2) bothHere.resolve();
      await bothHere.promise;
    };
    const secretId = newId();
    const created = await Promise.allSettled([
      newSecret(cloud, { topics }, secretId),
      newSecret(cloud, { topics }, secretId),
    ]);
    expect(created.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(created).toContainEqual({ status: 'rejected', reason: expect.objectContaining({ code: 6 }) });
  });

  test('that cannot be published to are not taken', async () => {
    const { name, etag } = await newSecret(cloud);
    const update = () =>
      cloud.client.updateSecret({ secret: { name, topics }, updateMask: { paths: ['topics'] } });
    cloud.publish = () => Promise.reject(new GrpcError(5, 'Resource not found (resource=events).'));
    await expect(update()).rejects.toMatchObject(missing(`Topic [${topic}] not found.`));
    await expect(newSecret(cloud, { topics }, 'untold')).rejects.toMatchObject(missing(/Topic/));
    cloud.publish = () => {
      throw new GrpcError(7, 'not you');
    };
    await expect(update()).rejects.toMatchObject(
      precondition(/Permission 'pubsub.topics.publish' denied for pubsub topic: .* not you/),
    );
    expect((await cloud.client.getSecret({ name }))[0]).toMatchObject({ etag, topics: [] });
    cloud.publish = () => undefined;
    await newSecret(cloud, { topics }, 'untold');
  });

  test.each([
    [Array.from({ length: 11 }, (_, n) => ({ name: `${topic}-${n}` })), /No more than 10 topics/],
    [[...topics, ...topics], /distinct names/],
    [[{ name: 'events' }], /Failed to Publish to topic \[events\]/],
    [[{}], /Failed to Publish to topic \[\]/],
  ])('cannot be %j', async (wrong, details) => {
    await expect(newSecret(cloud, { topics: wrong })).rejects.toMatchObject(invalid(details));
    expect(cloud.published).toEqual([]);
  });
});

describe('a notification', () => {
  test('carries the secret as it is after an update, in the JSON of protobuf', async () => {
    const { name } = await newSecret(cloud, { topics });
    await newVersion(cloud, name);
    cloud.published.length = 0;
    const [{ etag }] = await cloud.client.updateSecret({
      secret: {
        name,
        versionAliases: { current: 1 },
        annotations: { owner: 'Ann' },
        rotation: {
          nextRotationTime: { ...inSeconds(3600), nanos: 250_000_000 },
          rotationPeriod: { seconds: 7200 },
        },
        ttl: { seconds: 86_400 },
      },
      updateMask: { paths: ['version_aliases', 'annotations', 'rotation', 'ttl'] },
    });
    expect(cloud.published).toMatchObject([
      {
        resource: {
          name,
          expireTime: '2026-03-02T12:00:00Z',
          etag,
          rotation: { nextRotationTime: '2026-03-01T13:00:00.250Z', rotationPeriod: '7200s' },
          versionAliases: { current: '1' },
          annotations: { owner: 'Ann' },
        },
        attributes: { eventType: 'SECRET_UPDATE', ...always(name) },
      },
    ]);
  });

  test('carries the secret as it was before it was deleted', async () => {
    const { name, etag } = await newSecret(cloud, { topics });
    await cloud.client.deleteSecret({ name });
    expect(cloud.published.at(-1)).toEqual({
      topic,
      resource: expect.objectContaining({ name, etag, topics }),
      attributes: { eventType: 'SECRET_DELETE', deleteType: 'REQUESTED', ...always(name) },
    });
  });

  test('comes with each change of a version, and never has its payload', async () => {
    const { name } = await newSecret(cloud, { topics });
    cloud.published.length = 0;
    const version = await newVersion(cloud, name, 'classified');
    await cloud.client.disableSecretVersion({ name: version.name });
    await cloud.client.enableSecretVersion({ name: version.name });
    const [{ etag }] = await cloud.client.destroySecretVersion({ name: version.name });
    expect(typesAt(topic)).toEqual([
      'SECRET_VERSION_ADD',
      'SECRET_VERSION_DISABLE',
      'SECRET_VERSION_ENABLE',
      'SECRET_VERSION_DESTROY',
    ]);
    expect(cloud.published.map(({ resource }) => resource?.['state'])).toEqual([
      'ENABLED',
      'DISABLED',
      'ENABLED',
      'DESTROYED',
    ]);
    expect(cloud.published.at(-1)).toEqual({
      topic,
      resource: {
        name: version.name,
        createTime: expect.any(String),
        destroyTime: expect.any(String),
        state: 'DESTROYED',
        replicationStatus: { automatic: {} },
        etag,
      },
      attributes: { eventType: 'SECRET_VERSION_DESTROY', versionId: version.name, ...always(name) },
    });
    const all = JSON.stringify(cloud.published);
    expect(all).not.toContain('classified');
    expect(all).not.toContain(Buffer.from('classified').toString('base64'));
  });

  test('does not come of reading, of policies, or of a call that is refused', async () => {
    const { name } = await newSecret(cloud, { topics });
    const version = await newVersion(cloud, name);
    cloud.published.length = 0;
    await cloud.client.getSecret({ name });
    await cloud.client.getSecretVersion({ name: version.name });
    await cloud.client.accessSecretVersion({ name: version.name });
    await cloud.client.listSecretVersions({ parent: name });
    await cloud.client.setIamPolicy({ resource: name, policy: {} });
    await expect(
      cloud.client.disableSecretVersion({ name: version.name, etag: '"0"' }),
    ).rejects.toMatchObject({ code: 9 });
    expect(cloud.published).toEqual([]);
  });

  test('that is lost is not the call’s concern', async () => {
    const { name } = await newSecret(cloud, { topics });
    cloud.publish = () => {
      throw new GrpcError(5, 'gone');
    };
    const version = await newVersion(cloud, name);
    cloud.publish = () => Promise.reject(new Error('no network'));
    await cloud.client.disableSecretVersion({ name: version.name });
    await cloud.client.deleteSecret({ name });
    await cloud.server.idle();
    expect(typesAt(topic)).toEqual(['TOPIC_CONFIGURED', 'SECRET_CREATE']);
  });

  test('that takes its time does not hold the call up, and idle() waits for it', async () => {
    const { name } = await newSecret(cloud, { topics });
    cloud.published.length = 0;
    const { promise, resolve } = Promise.withResolvers<void>();
    cloud.publish = () => promise;
    await newVersion(cloud, name);
    const idle = cloud.server.idle().then(() => typesAt(topic));
    expect(typesAt(topic)).toEqual([]);
    resolve();
    expect(await idle).toEqual(['SECRET_VERSION_ADD']);
  });
});
