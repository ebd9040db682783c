import { describe, expect, test } from 'vitest';
import {
  invalid,
  newSecret,
  newVersion,
  type SecretFields,
  staleEtag,
  unsupported,
  useSecretManager,
} from './fixture.ts';

const cloud = useSecretManager();

async function update(secret: SecretFields, ...paths: string[]) {
  const [updated] = await cloud.client.updateSecret({ secret, updateMask: { paths } });
  return updated;
}

describe('an update', () => {
  test('takes over what its mask names, and nothing else', async () => {
    const labels = { team: 'a' };
    const { name } = await newSecret(cloud, { labels, annotations: { owner: 'Ann', level: '1' } });
    const updated = await update(
      { name, labels: { team: 'b' }, annotations: { owner: 'Bob' } },
      'annotations',
    );
    expect(updated).toMatchObject({ labels, annotations: { owner: 'Bob' } });
    expect(updated.annotations).not.toHaveProperty('level');
    expect((await cloud.client.getSecret({ name }))[0]).toEqual(updated);
  });

  test('clears what its mask names and it leaves out', async () => {
    const { name } = await newSecret(cloud, { labels: { team: 'a' }, ttl: { seconds: 3600 } });
    const updated = await update({ name }, 'labels', 'ttl');
    expect(updated.labels).toEqual({});
    expect(updated).not.toHaveProperty('expireTime');
  });

  test('needs a mask', async () => {
    const { name } = await newSecret(cloud);
    await expect(cloud.client.updateSecret({ secret: { name } })).rejects.toMatchObject(
      invalid('Field [update_mask] is required.'),
    );
  });

  test('with an empty mask changes the etag only', async () => {
    const created = await newSecret(cloud, { labels: { team: 'a' } });
    const updated = await update({ name: created.name, labels: {} });
    expect(updated).toMatchObject({ labels: { team: 'a' } });
    expect(updated.etag).not.toBe(created.etag);
  });

  test.each(['nonsense', 'labels.team', '*', 'versionAliases', 'toString'])(
    'refuses the path %s',
    async (path) => {
      const { name } = await newSecret(cloud);
      await expect(update({ name }, path)).rejects.toMatchObject(
        invalid('Request contains an invalid argument.'),
      );
    },
  );

  test.each(['replication', 'secret_type', 'policy_member'])('cannot change %s', async (path) => {
    const { name } = await newSecret(cloud);
    const replication = { userManaged: { replicas: [{ location: 'europe-west1' }] } };
    await expect(update({ name, replication }, path)).rejects.toMatchObject(
      invalid(`Field '${path}' is immutable and cannot be updated.`),
    );
  });

  test.each(['version_destroy_ttl', 'customer_managed_encryption', 'tags', 'replication.automatic'])(
    'of %s is not supported',
    async (path) => {
      const { name } = await newSecret(cloud);
      await expect(update({ name }, path)).rejects.toMatchObject(unsupported(new RegExp(path)));
    },
  );

  test('that is refused changes nothing', async () => {
    const created = await newSecret(cloud, { labels: { team: 'a' } });
    const wrong = { name: created.name, labels: { team: 'b' }, annotations: { '-': '' } };
    await expect(update(wrong, 'labels', 'annotations')).rejects.toMatchObject({ code: 3 });
    expect((await cloud.client.getSecret({ name: created.name }))[0]).toMatchObject({
      labels: { team: 'a' },
      etag: created.etag,
    });
  });
});

describe('the etag of a secret', () => {
  test('changes with each update, even one that changes nothing', async () => {
    const created = await newSecret(cloud, { labels: { team: 'a' } });
    const updated = await update({ name: created.name, labels: { team: 'a' }, etag: created.etag }, 'labels');
    expect(updated.etag).not.toBe(created.etag);
    expect((await cloud.client.getSecret({ name: created.name }))[0].etag).toBe(updated.etag);
  });

  test('does not change with the versions', async () => {
    const { name, etag } = await newSecret(cloud);
    const version = await newVersion(cloud, name);
    await cloud.client.disableSecretVersion({ name: version.name });
    await cloud.client.destroySecretVersion({ name: version.name });
    expect((await cloud.client.getSecret({ name }))[0].etag).toBe(etag);
  });

  test('has to be the current one where it is given', async () => {
    const { name, etag } = await newSecret(cloud);
    await update({ name }, 'labels');
    await expect(update({ name, etag, labels: { a: 'b' } }, 'labels')).rejects.toMatchObject(staleEtag);
    await expect(cloud.client.deleteSecret({ name, etag })).rejects.toMatchObject(staleEtag);
    const [current] = await cloud.client.getSecret({ name });
    expect(current.labels).toEqual({});
    const unquoted = current.etag?.replaceAll('"', '') ?? '';
    await expect(update({ name, etag: unquoted }, 'labels')).rejects.toMatchObject(staleEtag);
    await update({ name, etag: '', labels: { a: 'b' } }, 'labels');
    const [{ etag: last = '' }] = await cloud.client.getSecret({ name });
    await cloud.client.deleteSecret({ name, etag: last });
  });

  test('lets one of many concurrent updates through', async () => {
    const { name, etag } = await newSecret(cloud);
    const updates = await Promise.allSettled(
      Array.from({ length: 10 }, (_, n) => update({ name, etag, labels: { n: String(n) } }, 'labels')),
    );
    expect(updates.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test('lets one of two updates through that wait for the test of their topics', async () => {
    const { name, etag } = await newSecret(cloud);
    const topics = [{ name: 'projects/p/topics/t' }];
    const bothHere = Promise.withResolvers<void>();
    let waiting = 0;
    cloud.publish = async () => {
      waiting += 1;
      if (waiting === 2) bothHere.resolve();
      await bothHere.promise;
    };
    const updates = await Promise.allSettled([
      update({ name, etag, topics }, 'topics'),
      update({ name, etag, topics }, 'topics'),
    ]);
    expect(updates.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(updates).toContainEqual({ status: 'rejected', reason: expect.objectContaining(staleEtag) });
  });
});
