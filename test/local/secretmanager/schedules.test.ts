import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { type Publish, startSecretManager } from '../../../local/secretmanager/index.ts';
import {
  answeredInSeconds,
  clientOf,
  inSeconds,
  invalid,
  missing,
  newSecret,
  parent,
  precondition,
  project,
  type SecretFields,
  start,
  useSecretManager,
} from './fixture.ts';

const cloud = useSecretManager();
const topics = [{ name: 'projects/test-project/topics/rotations' }];
const century = 3_153_600_000;

const hours = (count: number) => ({ seconds: count * 3600 });
const get = async (name: string) => (await cloud.client.getSecret({ name }))[0];

/** Where the server's time stands, as seconds after {@link start}: tests move it on for those that follow. */
let elapsed = 0;

async function advance(seconds: number): Promise<void> {
  elapsed += seconds;
  cloud.server.advance(seconds);
  await cloud.server.idle();
}

const later = (seconds: number) => inSeconds(elapsed + seconds);
const answeredLater = (seconds: number) => answeredInSeconds(elapsed + seconds);

// The next tests move time on for them as well.
afterEach(async () => {
  const [secrets] = await cloud.client.listSecrets({ parent });
  for (const { name = '' } of secrets) await cloud.client.deleteSecret({ name });
});

describe('a rotation', () => {
  test('that is due is announced, and the next one is a period later', async () => {
    const rotation = { nextRotationTime: later(3600), rotationPeriod: hours(2) };
    const { name, etag } = await newSecret(cloud, { topics, rotation });
    cloud.published.length = 0;
    await advance(3599);
    expect(await get(name)).toMatchObject({ etag, rotation: { nextRotationTime: answeredLater(1) } });
    expect(cloud.published).toEqual([]);
    await advance(1);
    const rotated = await get(name);
    expect(rotated.rotation).toMatchObject({
      nextRotationTime: answeredLater(7200),
      rotationPeriod: { seconds: '7200' },
    });
    expect(rotated.etag).not.toBe(etag);
    expect(cloud.published).toMatchObject([{ attributes: { eventType: 'SECRET_ROTATE', secretId: name } }]);
    await advance(4 * 3600);
    expect(cloud.published).toHaveLength(3);
  });

  test('without a period is announced once', async () => {
    const { name } = await newSecret(cloud, { topics, rotation: { nextRotationTime: later(300) } });
    await advance(300);
    expect((await get(name)).rotation).toBeNull();
    await advance(1_000_000);
    expect(cloud.published.map(({ attributes }) => attributes['eventType'])).toEqual([
      'TOPIC_CONFIGURED',
      'SECRET_CREATE',
      'SECRET_ROTATE',
    ]);
  });

  test('can be changed in part, and taken away', async () => {
    const rotation = { nextRotationTime: later(3600), rotationPeriod: hours(2) };
    const { name } = await newSecret(cloud, { topics, rotation });
    const update = async (fields: SecretFields, ...paths: string[]) =>
      (await cloud.client.updateSecret({ secret: { name, ...fields }, updateMask: { paths } }))[0].rotation;
    expect(
      await update({ rotation: { nextRotationTime: later(7200) } }, 'rotation.next_rotation_time'),
    ).toMatchObject({ nextRotationTime: answeredLater(7200), rotationPeriod: { seconds: '7200' } });
    expect(
      await update({ rotation: { rotationPeriod: hours(5) } }, 'rotation.rotation_period'),
    ).toMatchObject({ nextRotationTime: answeredLater(7200), rotationPeriod: { seconds: '18000' } });
    expect(await update({ rotation: { nextRotationTime: later(600) } }, 'rotation')).toMatchObject({
      nextRotationTime: answeredLater(600),
      rotationPeriod: null,
    });
    await expect(update({}, 'topics')).rejects.toMatchObject(invalid(/at least one topic/));
    expect(await update({}, 'rotation', 'topics')).toBeNull();
  });

  test('needs topics and a time', async () => {
    await expect(newSecret(cloud, { rotation: { nextRotationTime: later(3600) } })).rejects.toMatchObject(
      invalid(/at least one topic configured/),
    );
    await expect(newSecret(cloud, { topics, rotation: { rotationPeriod: hours(1) } })).rejects.toMatchObject(
      precondition(/Next rotation time must be set/),
    );
  });

  test.each([
    [299, 3600, /Next rotation time must be at least \[5m\]/],
    [century + 1, 3600, /Next rotation time cannot be more than \[876000h\]/],
    [300, 3599, /Rotation period cannot be shorter than \[1h\]/],
    [300, century + 1, /Rotation period cannot be longer than \[876000h\]/],
  ])('in %i s and then every %i s is refused', async (next, period, details) => {
    const rotation = { nextRotationTime: later(next), rotationPeriod: { seconds: period } };
    await expect(newSecret(cloud, { topics, rotation })).rejects.toMatchObject(invalid(details));
  });

  test('has a period in whole seconds', async () => {
    const rotation = { nextRotationTime: later(300), rotationPeriod: { seconds: 3600, nanos: 1_000_000 } };
    await expect(newSecret(cloud, { topics, rotation })).rejects.toMatchObject(invalid(/in seconds/));
  });

  test.each([
    [300, 3600],
    [century, century],
  ])('in %i s and then every %i s is taken', async (next, period) => {
    const rotation = { nextRotationTime: later(next), rotationPeriod: { seconds: period } };
    expect(await newSecret(cloud, { topics, rotation })).toMatchObject({
      rotation: { rotationPeriod: { seconds: String(period) } },
    });
  });
});

describe('a secret that expires', () => {
  test.each([
    ['ttl', () => ({ ttl: { seconds: 3600 } })],
    ['expireTime', () => ({ expireTime: later(3600) })],
  ])('by %s says when, is there until then, and not afterwards', async (_, fields) => {
    const { name } = await newSecret(cloud, { ...fields(), topics }, 'passing');
    expect(await get(name)).toMatchObject({ expireTime: answeredLater(3600) });
    await advance(3599);
    await get(name);
    await advance(1);
    await expect(get(name)).rejects.toMatchObject(missing(/not found/));
    expect(cloud.published.at(-1)).toMatchObject({
      resource: { name },
      attributes: { eventType: 'SECRET_DELETE', deleteType: 'EXPIRATION', secretId: name },
    });
  });

  test('is not rotated any more', async () => {
    const rotation = { nextRotationTime: later(3600), rotationPeriod: hours(1) };
    await newSecret(cloud, { topics, rotation, ttl: { seconds: 9000 } });
    await advance(10 * 3600);
    const own = cloud.published.slice(2).map(({ attributes }) => attributes['eventType']);
    expect(own).toEqual(['SECRET_ROTATE', 'SECRET_ROTATE', 'SECRET_DELETE']);
  });

  test.each([
    [59, /Expiration time must be at least \[1m\]/],
    [century + 1, /Expiration time cannot be more than \[876000h\]/],
  ])('in %i s is refused', async (seconds, details) => {
    await expect(newSecret(cloud, { ttl: { seconds } })).rejects.toMatchObject(invalid(details));
    await expect(newSecret(cloud, { expireTime: later(seconds) })).rejects.toMatchObject(invalid(details));
  });
});

describe('what is due', () => {
  const secret = { replication: { automatic: {} }, ttl: { seconds: 60 } };

  async function startAt(now: () => Date, publish?: Publish) {
    const server = await startSecretManager({ project, now, ...(publish && { publish }) });
    const client = clientOf(server);
    onTestFinished(async () => {
      await client.close();
      await server.close();
    });
    return { server, client };
  }

  test('is seen by whoever asks, before the timer sees it', async () => {
    let now = start;
    const { client } = await startAt(() => now);
    await client.createSecret({ parent, secretId: 'one', secret });
    await client.createSecret({ parent, secretId: 'two', secret });
    now = new Date(start.getTime() + 60_000);
    await client.createSecret({ parent, secretId: 'one', secret });
    expect((await client.listSecrets({ parent }))[0]).toHaveLength(1);
  });

  test('is seen by the timer where nobody asks', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    let now = start;
    const types: unknown[] = [];
    const { server, client } = await startAt(
      () => now,
      (_topic, _data, { eventType }) => types.push(eventType),
    );
    await client.createSecret({ parent, secretId: 'one', secret: { ...secret, topics } });
    now = new Date(start.getTime() + 60_000);
    vi.advanceTimersByTime(1_000);
    await server.idle();
    expect(types).toEqual(['TOPIC_CONFIGURED', 'SECRET_CREATE', 'SECRET_DELETE']);
  });
});
