import { beforeAll, describe, expect, test } from 'vitest';
import { invalid, missing, newSecret, newVersion, parent, unsupported, useSecretManager } from './fixture.ts';

const cloud = useSecretManager();
const oldestFirst = ['alpha', 'beta', 'gamma', 'delta'];

/** Ids, as one call or one page of it answers. */
const idsOf = (resources: readonly { name?: string | null }[]) =>
  resources.map(({ name }) => name?.split('/').at(-1));

beforeAll(async () => {
  await newSecret(cloud, { labels: { team: 'a', tier: '' } }, 'alpha');
  await newSecret(cloud, { labels: { team: 'b' } }, 'beta');
  await newSecret(cloud, { labels: { team: 'a', 'env-1': 'x_y' } }, 'gamma');
  const { name } = await newSecret(cloud, {}, 'delta');
  for (let number = 1; number <= 5; number++) await newVersion(cloud, name);
  await cloud.client.disableSecretVersion({ name: `${name}/versions/2` });
  await cloud.client.destroySecretVersion({ name: `${name}/versions/3` });
});

const secretsPage = async (request: object) => {
  const [secrets, , answer] = await cloud.client.listSecrets({ parent, ...request }, { autoPaginate: false });
  return { ids: idsOf(secrets), token: answer.nextPageToken, total: answer.totalSize };
};
const versionsPage = async (request: object) => {
  const [versions, , answer] = await cloud.client.listSecretVersions(
    { parent: `${parent}/secrets/delta`, ...request },
    { autoPaginate: false },
  );
  return { ids: idsOf(versions), token: answer.nextPageToken, total: answer.totalSize };
};

describe('a list', () => {
  test('has the newest first', async () => {
    expect(await secretsPage({})).toEqual({ ids: oldestFirst.toReversed(), token: '', total: 4 });
    expect(await versionsPage({})).toEqual({ ids: ['5', '4', '3', '2', '1'], token: '', total: 5 });
  });

  test('comes in pages', async () => {
    const first = await versionsPage({ pageSize: 2 });
    expect(first).toMatchObject({ ids: ['5', '4'], total: 5 });
    const second = await versionsPage({ pageSize: 2, pageToken: first.token });
    expect(second).toMatchObject({ ids: ['3', '2'], total: 5 });
    expect(await versionsPage({ pageSize: 2, pageToken: second.token })).toMatchObject({
      ids: ['1'],
      token: '',
    });
  });

  test('has no item twice when others come between its pages', async () => {
    const first = await secretsPage({ pageSize: 2 });
    const { name } = await newSecret(cloud, {}, 'late');
    expect(await secretsPage({ pageSize: 2, pageToken: first.token })).toMatchObject({
      ids: ['beta', 'alpha'],
    });
    await cloud.client.deleteSecret({ name });
  });

  test('refuses page tokens that it did not give, and negative sizes', async () => {
    await expect(secretsPage({ pageToken: 'zzz' })).rejects.toMatchObject(invalid(/page token/));
    await expect(versionsPage({ pageSize: -1 })).rejects.toMatchObject(invalid(/negative/));
  });

  test('of the versions of a secret that is not there is refused', async () => {
    await expect(versionsPage({ parent: `${parent}/secrets/none` })).rejects.toMatchObject(missing(/none\]/));
  });
});

describe('a filter', () => {
  test.each([
    ['name:lph', ['alpha']],
    ['name:"eta"', ['beta']],
    ['labels.team=a', ['gamma', 'alpha']],
    ['labels.team = "b"', ['beta']],
    ['labels.team:*', ['gamma', 'beta', 'alpha']],
    ['labels.tier:*', ['alpha']],
    ['labels.tier=""', ['alpha']],
    ['labels.env-1=x_y', ['gamma']],
    ['labels.team=a AND name:gam', ['gamma']],
    ['labels.team=a name:gam', ['gamma']],
    ['  labels.team:*   labels.team=a AND labels.tier:* ', ['alpha']],
    ['labels.team=c', []],
  ])('of secrets: %s', async (filter, ids) => {
    expect(await secretsPage({ filter })).toEqual({ ids, token: '', total: 0 });
  });

  test.each([
    ['state:ENABLED', ['5', '4', '1']],
    ['state=disabled', ['2']],
    ['state:DESTROYED', ['3']],
    ['state:ENABLED AND state:DISABLED', []],
  ])('of versions: %s', async (filter, ids) => {
    expect(await versionsPage({ filter })).toEqual({ ids, token: '', total: 0 });
  });

  test('comes in pages, too', async () => {
    const filter = 'state:ENABLED';
    const first = await versionsPage({ filter, pageSize: 2 });
    expect(first.ids).toEqual(['5', '4']);
    expect(await versionsPage({ filter, pageSize: 2, pageToken: first.token })).toEqual({
      ids: ['1'],
      token: '',
      total: 0,
    });
  });

  test.each([
    'name:a OR name:b',
    'NOT name:a',
    '-name:a',
    'name:(a OR b)',
    'name=alpha',
    'name:al*',
    'labels.team!=a',
    'labels.team:a',
    'labels.team=a*',
    'annotations.owner:*',
    'create_time>2021-01-01T06:00:00Z',
    'replication.automatic:*',
    'expire_time:*',
    'alpha',
    'AND name:a',
    'name:"a',
    'state:ENABLED',
  ])('of secrets that is not supported: %s', async (filter) => {
    await expect(secretsPage({ filter })).rejects.toMatchObject(unsupported(/the filter/));
  });

  test('of versions by another field is not supported, by another state is wrong', async () => {
    await expect(versionsPage({ filter: 'name:1' })).rejects.toMatchObject(unsupported(/the filter/));
    await expect(versionsPage({ filter: 'state:PENDING' })).rejects.toMatchObject(invalid(/Invalid filter/));
  });
});
