import { describe, expect, test } from 'vitest';
import {
  invalid,
  missing,
  newId,
  newSecret,
  parent,
  project,
  projectNumber,
  type SecretFields,
  unsupported,
  useSecretManager,
} from './fixture.ts';

const cloud = useSecretManager();

describe('a secret', () => {
  test('is created, read and deleted, and answers have the number of its project', async () => {
    const id = newId();
    const labels = { team: 'payments' };
    const annotations = { 'drover.dev_owner': 'Ann\nBob' };
    const created = await newSecret(cloud, { labels, annotations }, id);
    expect(created).toMatchObject({
      name: `projects/${projectNumber}/secrets/${id}`,
      replication: { automatic: {} },
      createTime: { seconds: '1772366400' },
      etag: expect.stringMatching(/^"[0-9a-f]+"$/),
      labels,
      annotations,
      topics: [],
      versionAliases: {},
      rotation: null,
    });
    for (const name of [created.name, `${parent}/secrets/${id}`]) {
      expect((await cloud.client.getSecret({ name }))[0]).toMatchObject({ name: created.name, labels });
    }
    await cloud.client.deleteSecret({ name: created.name });
    const gone = missing(`Secret [${created.name}] not found.`);
    await expect(cloud.client.getSecret({ name: created.name })).rejects.toMatchObject(gone);
    await expect(cloud.client.deleteSecret({ name: created.name })).rejects.toMatchObject(gone);
  });

  test('cannot be created twice, but again once it is deleted', async () => {
    const { name } = await newSecret(cloud, {}, 'twice');
    await expect(newSecret(cloud, {}, 'twice')).rejects.toMatchObject({
      code: 6,
      details: `Secret [${name}] already exists.`,
    });
    await cloud.client.deleteSecret({ name });
    await newSecret(cloud, {}, 'twice');
  });

  test.each(['', 'a b', 'a.b', 'a/b', 'ä', 'x'.repeat(256)])('cannot have the id "%s"', async (id) => {
    await expect(newSecret(cloud, {}, id)).rejects.toMatchObject(invalid(/Secret ID/));
  });

  test.each(['A-z_09', 'x'.repeat(255)])('can have the id "%s"', async (id) => {
    expect((await newSecret(cloud, {}, id)).name).toBe(`projects/${projectNumber}/secrets/${id}`);
  });

  test.each([
    ['projects/other', 7, 'Permission denied on resource project other.'],
    [`projects/${project}/secrets/a`, 3, /does not match the expected format \[projects\/\*\]/],
    ['', 3, /expected format/],
    [`projects/${project}/locations/europe-west1`, 12, /regional secrets/],
  ])('cannot be created in "%s"', async (where, code, details) => {
    await expect(
      cloud.client.createSecret({
        parent: where,
        secretId: newId(),
        secret: { replication: { automatic: {} } },
      }),
    ).rejects.toMatchObject({ code, details: expect.stringMatching(details) });
  });

  test.each([
    ['secrets/a', 3],
    [`${parent}/secrets`, 3],
    [`${parent}/secrets/a/versions/1`, 3],
    ['projects/other/secrets/a', 7],
    [`${parent}/locations/europe-west1/secrets/a`, 12],
  ])('cannot be read as %s', async (name, code) => {
    await expect(cloud.client.getSecret({ name })).rejects.toMatchObject({ code });
  });
});

describe('replication', () => {
  test('may be managed by the user', async () => {
    const replication = {
      userManaged: { replicas: [{ location: 'europe-west1' }, { location: 'us-east1' }] },
    };
    const { name, replication: answered } = await newSecret(cloud, { replication });
    expect(answered).toMatchObject(replication);
    const [version] = await cloud.client.addSecretVersion({
      parent: name,
      payload: { data: Buffer.from('a') },
    });
    expect(version.replicationStatus).toMatchObject(replication);
  });

  test.each([
    [null, /replication must be provided/],
    [{}, /replication must be provided/],
    [{ userManaged: {} }, /at least one location/],
    [{ userManaged: { replicas: [{}] } }, /at least one location/],
    [{ userManaged: { replicas: [{ location: 'a' }, { location: 'a' }] } }, /each once/],
  ] as [SecretFields['replication'], RegExp][])('cannot be %j', async (replication, details) => {
    await expect(newSecret(cloud, { replication: replication ?? null })).rejects.toMatchObject(
      invalid(details),
    );
  });

  const kmsKeyName = 'projects/p/locations/l/keyRings/r/cryptoKeys/k';
  test.each([
    { automatic: { customerManagedEncryption: { kmsKeyName } } },
    {
      userManaged: {
        replicas: [{ location: 'europe-west1', customerManagedEncryption: { kmsKeyName } }],
      },
    },
  ])('with keys of the customer is refused: %j', async (replication) => {
    await expect(newSecret(cloud, { replication })).rejects.toMatchObject(
      unsupported(/customer_managed_encryption/),
    );
  });
});

describe('what is not supported', () => {
  test.each([
    [{ versionDestroyTtl: { seconds: 86_400 } }, 'version_destroy_ttl'],
    [{ customerManagedEncryption: { kmsKeyName: 'k' } }, 'customer_managed_encryption'],
    [{ tags: { '123/environment': 'production' } }, 'tags'],
    [{ secretType: 'OTHER' }, 'secret_type'],
  ] as [SecretFields, string][])('is refused: %j', async (fields, name) => {
    await expect(newSecret(cloud, fields)).rejects.toMatchObject(
      unsupported(`The local Secret Manager does not support ${name}.`),
    );
  });

  test('is refused: managed rotation', async () => {
    const { name } = await newSecret(cloud);
    await expect(cloud.client.rotateSecret({ parent: name })).rejects.toMatchObject({ code: 12 });
    await expect(cloud.client.enableManagedRotation({ parent: name })).rejects.toMatchObject({ code: 12 });
  });
});

describe('labels and annotations', () => {
  const many = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 'v']));

  test.each([
    { labels: { a: '', 'k-1_x': 'v-1_x', é: '東京', [`x${'y'.repeat(62)}`]: 'z'.repeat(63) } },
    { labels: many(64) },
    { annotations: { A: 'any value\n', 'a.b-c_d': '', ['x'.repeat(63)]: '!' } },
    { annotations: { k: 'x'.repeat(16 * 1024 - 1) } },
  ])('are taken: %j', async (fields) => {
    expect(await newSecret(cloud, fields)).toMatchObject(fields);
  });

  test.each([
    [{ labels: many(65) }, /at most 64 entries allowed but found 65/],
    [{ labels: { Team: 'a' } }, /key "Team" does not conform/],
    [{ labels: { '1a': 'a' } }, /key "1a" does not conform/],
    [{ labels: { '': 'a' } }, /key "" does not conform/],
    [{ labels: { ['x'.repeat(64)]: 'a' } }, /does not conform/],
    [{ labels: { a: 'B' } }, /"labels.a"; value "B" does not conform/],
    [{ labels: { a: 'x'.repeat(64) } }, /does not conform/],
    [{ labels: { a: '東'.repeat(43) } }, /exceeds maximum byte length 128/],
    [{ annotations: { 'a-': '' } }, /\[a-\] must follow pattern/],
    [{ annotations: { 'a b': '' } }, /must follow pattern/],
    [{ annotations: { 'drover/owner': '' } }, /must follow pattern/],
    [{ annotations: { '': '' } }, /must follow pattern/],
    [{ annotations: { ['x'.repeat(64)]: '' } }, /must follow pattern/],
    [{ annotations: { k: 'x'.repeat(16 * 1024) } }, /must not exceed 16kib/],
  ])('are refused: %j', async (fields, details) => {
    await expect(newSecret(cloud, fields)).rejects.toMatchObject(invalid(details));
  });
});
