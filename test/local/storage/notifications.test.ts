import type { Bucket, CreateNotificationOptions } from '@google-cloud/storage';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  call,
  invalid,
  metadataOf,
  missing,
  newBucket,
  newFile,
  start,
  unsupported,
  useStorage,
} from './fixture.ts';

const topic = 'projects/test-project/topics/objects';
let publishing: () => unknown = () => undefined;
const cloud = useStorage({
  now: () => start,
  publish: async (name, data, attributes) => {
    await publishing();
    const resource = data.length > 0 ? JSON.parse(data.toString()) : undefined;
    cloud.published.push({ topic: name, resource, attributes });
  },
});
let bucket: Bucket;

beforeEach(async () => {
  bucket = await newBucket(cloud);
});
afterEach(() => {
  publishing = () => undefined;
});

async function tell(options: CreateNotificationOptions = {}) {
  const [notification] = await bucket.createNotification(topic, options);
  return notification;
}

async function events(): Promise<string[]> {
  await cloud.server.idle();
  return cloud.published.map(({ attributes }) => `${attributes['eventType']} ${attributes['objectId']}`);
}

describe('a notification config', () => {
  test('is kept as it was asked for', async () => {
    const notification = await tell({
      eventTypes: ['OBJECT_FINALIZE'],
      objectNamePrefix: 'in/',
      customAttributes: { source: 'test' },
    });
    const expected = {
      kind: 'storage#notification',
      id: notification.id,
      selfLink: `http://${cloud.server.host}/storage/v1/b/${bucket.name}/notificationConfigs/${notification.id}`,
      etag: expect.any(String),
      topic: `//pubsub.googleapis.com/${topic}`,
      payload_format: 'JSON_API_V1',
      event_types: ['OBJECT_FINALIZE'],
      object_name_prefix: 'in/',
      custom_attributes: { source: 'test' },
    };
    expect((await notification.getMetadata())[0]).toEqual(expected);
    const [all] = await bucket.getNotifications();
    expect(all.map(({ metadata }) => metadata)).toEqual([expected]);
  });

  test('tells nothing after its deletion', async () => {
    const notification = await tell();
    await notification.delete();
    await newFile(bucket, 'x');
    expect(await events()).toEqual([]);
    expect((await bucket.getNotifications())[0]).toEqual([]);
    await expect(notification.getMetadata()).rejects.toEqual(missing(/not found/));
  });

  test.each([
    [{ eventTypes: ['OBJECT_EXPLODE'] }, invalid(/event type/)],
    [{ payloadFormat: 'XML' }, invalid(/payload format/)],
    [{ colour: 'red' }, unsupported(/field colour/)],
  ])('cannot have %j', async (options, refusal) => {
    await expect(tell(options as CreateNotificationOptions)).rejects.toEqual(refusal);
    expect((await bucket.getNotifications())[0]).toEqual([]);
  });

  test('needs a topic', async () => {
    const path = `/storage/v1/b/${bucket.name}/notificationConfigs`;
    const post = async (body: object) =>
      (await call(cloud, path, { method: 'POST', body: JSON.stringify(body) })).status;
    expect(await post({ payload_format: 'NONE' })).toBe(400);
    expect(await post({ payload_format: 'NONE', topic })).toBe(400);
    expect(await post({ payload_format: 'NONE', topic: `//pubsub.googleapis.com/${topic}` })).toBe(200);
  });
});

describe('a topic is told', () => {
  test('what was made, as the API shows it', async () => {
    const { id = '' } = await tell({ customAttributes: { source: 'test' } });
    const file = await newFile(bucket, 'dir/x', 'hello', { metadata: { a: '1' } });
    await events();
    const resource = await metadataOf(file);
    expect(cloud.published).toEqual([
      {
        topic,
        resource,
        attributes: {
          source: 'test',
          notificationConfig: `projects/_/buckets/${bucket.name}/notificationConfigs/${id}`,
          eventType: 'OBJECT_FINALIZE',
          payloadFormat: 'JSON_API_V1',
          bucketId: bucket.name,
          objectId: 'dir/x',
          objectGeneration: resource.generation,
          eventTime: expect.stringMatching(/^2026-03-01T12:00:00\.\d{6}Z$/),
        },
      },
    ]);
  });

  test('which generation took the place of which', async () => {
    const file = await newFile(bucket, 'x');
    const first = (await metadataOf(file)).generation;
    await tell();
    await newFile(bucket, 'x');
    const second = (await metadataOf(file)).generation;
    await events();
    expect(cloud.published.map(({ attributes }) => attributes)).toMatchObject([
      { eventType: 'OBJECT_FINALIZE', objectGeneration: second, overwroteGeneration: first },
      { eventType: 'OBJECT_DELETE', objectGeneration: first, overwrittenByGeneration: second },
    ]);
    expect(cloud.published[0]?.attributes).not.toHaveProperty('overwrittenByGeneration');
    expect(cloud.published[1]?.attributes).not.toHaveProperty('overwroteGeneration');
  });

  test('of changes, deletions, copies and compositions', async () => {
    await tell();
    const file = await newFile(bucket, 'x');
    await file.setMetadata({ cacheControl: 'no-cache' });
    await file.copy('y');
    await bucket.combine(['x', 'y'], 'z');
    await file.delete();
    await file.save('hello', { chunkSize: 256 * 1024 });
    expect(await events()).toEqual([
      'OBJECT_FINALIZE x',
      'OBJECT_METADATA_UPDATE x',
      'OBJECT_FINALIZE y',
      'OBJECT_FINALIZE z',
      'OBJECT_DELETE x',
      'OBJECT_FINALIZE x',
    ]);
    expect(cloud.published[1]?.resource).toMatchObject({ metageneration: '2', cacheControl: 'no-cache' });
    expect(cloud.published[4]?.resource).toMatchObject({ name: 'x', metageneration: '2' });
  });

  test('only what its config asks for', async () => {
    await tell({ eventTypes: ['OBJECT_DELETE'], objectNamePrefix: 'in/', payloadFormat: 'NONE' });
    for (const name of ['in/x', 'out/x']) await (await newFile(bucket, name)).delete();
    expect(await events()).toEqual(['OBJECT_DELETE in/x']);
    expect(cloud.published[0]).toMatchObject({ resource: undefined, attributes: { payloadFormat: 'NONE' } });
  });

  test('once for each config, and of its own bucket only', async () => {
    await tell();
    await tell();
    await newFile(bucket, 'x');
    await newFile(await newBucket(cloud), 'y');
    expect(await events()).toEqual(['OBJECT_FINALIZE x', 'OBJECT_FINALIZE x']);
  });

  test('nothing of what was refused', async () => {
    await tell();
    await expect(bucket.file('x').delete()).rejects.toEqual(missing(/No such object/));
    await expect(newFile(bucket, 'x', 'hello', { crc32c: 'AAAAAA==' })).rejects.toEqual(invalid(/match/));
    expect(await events()).toEqual([]);
  });
});

test('a notification that is lost or late is not the call’s concern', async () => {
  await tell();
  publishing = () => Promise.reject(new Error('no network'));
  await newFile(bucket, 'lost');
  const held = Promise.withResolvers<void>();
  publishing = () => held.promise;
  await newFile(bucket, 'late');
  expect(cloud.published).toEqual([]);
  const idle = events();
  held.resolve();
  expect(await idle).toEqual(['OBJECT_FINALIZE late']);
});
