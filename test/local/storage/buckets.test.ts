import type { Bucket } from '@google-cloud/storage';
import { describe, expect, test } from 'vitest';
import {
  call,
  clientOf,
  conditionNotMet,
  conflict,
  invalid,
  missing,
  newBucket,
  newFile,
  start,
  unsupported,
  useStorage,
} from './fixture.ts';

const cloud = useStorage({ now: () => start, buckets: ['from-the-beginning'] });

async function metadataOf(bucket: Bucket) {
  const [metadata] = await bucket.getMetadata();
  return metadata;
}

test('a bucket that was asked for is there from the beginning', async () => {
  expect(await metadataOf(cloud.client.bucket('from-the-beginning'))).toMatchObject({ location: 'US' });
});

test('a bucket has the service’s defaults', async () => {
  const { name } = await newBucket(cloud);
  expect(await metadataOf(cloud.client.bucket(name))).toEqual({
    kind: 'storage#bucket',
    selfLink: `http://${cloud.server.host}/storage/v1/b/${name}`,
    id: name,
    name,
    projectNumber: expect.any(String),
    metageneration: '1',
    location: 'US',
    locationType: 'multi-region',
    storageClass: 'STANDARD',
    etag: 'CAE=',
    timeCreated: start.toISOString(),
    updated: start.toISOString(),
    iamConfiguration: {
      bucketPolicyOnly: { enabled: true },
      uniformBucketLevelAccess: { enabled: true },
      publicAccessPrevention: 'inherited',
    },
    softDeletePolicy: { retentionDurationSeconds: '0' },
  });
});

test('a bucket has what it was created with', async () => {
  const settings = {
    location: 'EUROPE-WEST1',
    storageClass: 'NEARLINE',
    labels: { team: 'data' },
    lifecycle: { rule: [{ action: { type: 'Delete' }, condition: { age: 30 } }] },
    iamConfiguration: { uniformBucketLevelAccess: { enabled: true }, publicAccessPrevention: 'enforced' },
  };
  const bucket = await newBucket(cloud, { ...settings, location: 'europe-west1' });
  expect(await metadataOf(bucket)).toMatchObject({ ...settings, locationType: 'region' });
});

test('a name is used once', async () => {
  const { name } = await newBucket(cloud);
  await expect(cloud.client.createBucket(name)).rejects.toEqual(conflict(/you already own it/));
});

test.each(['ab', 'Upper', '-x-', 'x'.repeat(64), '10.0.0.1', 'goog-x', 'a-google-b'])(
  'a bucket cannot be named %s',
  async (name) => {
    await expect(cloud.client.createBucket(name)).rejects.toEqual(invalid(`Invalid bucket name: '${name}'`));
  },
);

test.each([
  [{ location: 'nowhere' }, invalid(/location constraint/)],
  [{ storageClass: 'COLD' }, invalid(/storage class COLD/)],
  [{ labels: { Team: 'x' } }, invalid(/label key Team/)],
  [{ labels: { team: 'X' } }, invalid(/label value X/)],
  [{ lifecycle: { rule: [{}] } }, invalid(/lifecycle/)],
  [{ versioning: { enabled: true } }, unsupported(/versioning/)],
  [{ retentionPolicy: { retentionPeriod: '60' } }, unsupported(/retentionPolicy/)],
  [{ cors: [] }, unsupported(/cors/)],
  [{ iamConfiguration: { uniformBucketLevelAccess: { enabled: false } } }, unsupported(/ACLs/)],
  [{ softDeletePolicy: { retentionDurationSeconds: '604800' } }, unsupported(/softDeletePolicy/)],
])('a bucket cannot have %j', async (settings, refusal) => {
  await expect(cloud.client.createBucket('refused', settings as never)).rejects.toEqual(refusal);
  expect(await cloud.client.bucket('refused').exists()).toEqual([false]);
});

describe('a change', () => {
  test('merges labels, and keeps what it doesn’t name', async () => {
    const bucket = await newBucket(cloud, { labels: { team: 'data', env: 'dev' } });
    await bucket.addLifecycleRule({ action: { type: 'Delete' }, condition: { age: 1 } });
    await bucket.setLabels({ env: 'prod', team: null } as never);
    expect(await metadataOf(bucket)).toMatchObject({
      labels: { env: 'prod' },
      lifecycle: { rule: [{ condition: { age: 1 } }] },
      metageneration: '3',
      etag: 'CAM=',
    });
    await bucket.setMetadata({ labels: null, lifecycle: null } as never);
    expect(Object.keys(await metadataOf(bucket))).not.toContain('labels');
    expect(Object.keys(await metadataOf(bucket))).not.toContain('lifecycle');
  });

  test('is refused where somebody else’s came first', async () => {
    const bucket = await newBucket(cloud);
    const change = (team: string) => bucket.setMetadata({ labels: { team } }, { ifMetagenerationMatch: 1 });
    await change('a');
    await expect(change('b')).rejects.toEqual(conditionNotMet);
    await expect(bucket.delete({ ifMetagenerationNotMatch: 2 } as never)).rejects.toEqual(conditionNotMet);
    expect(await metadataOf(bucket)).toMatchObject({ labels: { team: 'a' } });
  });
});

test('a bucket stays where it is', async () => {
  const bucket = await newBucket(cloud, { location: 'EU' });
  await bucket.setMetadata({ location: 'eu', storageClass: 'COLDLINE' });
  await expect(bucket.setMetadata({ location: 'US' })).rejects.toEqual(invalid(/location of a bucket/));
  expect(await metadataOf(bucket)).toMatchObject({
    location: 'EU',
    storageClass: 'COLDLINE',
    metageneration: '2',
  });
});

test('a bucket is deleted when it is empty', async () => {
  const bucket = await newBucket(cloud);
  const file = await newFile(bucket, 'x');
  await expect(bucket.delete()).rejects.toEqual(conflict('The bucket you tried to delete is not empty.'));
  await file.delete();
  await bucket.delete();
  await expect(bucket.getMetadata()).rejects.toEqual(missing('The specified bucket does not exist.'));
  await expect(bucket.getFiles()).rejects.toEqual(missing('The specified bucket does not exist.'));
});

test('buckets are listed by name, in pages', async () => {
  for (const name of ['list-b', 'list-a', 'list-c']) await cloud.client.createBucket(name);
  const namesOf = (buckets: Bucket[]) => buckets.map(({ name }) => name);
  const [all] = await cloud.client.getBuckets({ prefix: 'list-' });
  expect(namesOf(all)).toEqual(['list-a', 'list-b', 'list-c']);
  const [page, next] = await cloud.client.getBuckets({ prefix: 'list-', maxResults: 2, autoPaginate: false });
  expect(namesOf(page)).toEqual(['list-a', 'list-b']);
  expect(namesOf((await cloud.client.getBuckets(next as object))[0])).toEqual(['list-c']);
});

test('another project is refused', async () => {
  const other = clientOf(cloud.server, { projectId: 'other' });
  await expect(other.createBucket('others')).rejects.toMatchObject({ code: 403 });
  await expect(other.getBuckets()).rejects.toMatchObject({ code: 403 });
});

test('what isn’t here is refused', async () => {
  const bucket = await newBucket(cloud);
  await expect(bucket.iam.getPolicy()).rejects.toEqual(unsupported(/GET .*\/iam /));
  await expect(bucket.acl.get()).rejects.toEqual(unsupported(/acl/));
  await expect(bucket.getMetadata({ userProject: 'x' })).rejects.toEqual(
    unsupported(/parameter userProject/),
  );
  expect((await call(cloud, `/storage/v1/b/${bucket.name}`, { method: 'PUT' })).status).toBe(501);
});
