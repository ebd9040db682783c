import { describe, expect, test } from 'vitest';
import { call, newDataset, newName, newTable, project, refusal, start, useBigQuery } from './fixture.ts';

const cloud = useBigQuery();
const schema = [{ name: 'n', type: 'INTEGER' }];

describe('a dataset', () => {
  test('has what it was made with, and the defaults', async () => {
    const id = newName();
    const settings = {
      friendlyName: 'Tenant',
      description: 'of acme',
      labels: { tenant: 'acme' },
      location: 'europe-WEST1',
      defaultTableExpirationMs: '3600000',
      defaultPartitionExpirationMs: '86400000',
    };
    const [dataset] = await cloud.client.createDataset(id, settings);
    const [metadata] = await dataset.getMetadata();
    expect(metadata).toEqual({
      ...settings,
      kind: 'bigquery#dataset',
      etag: expect.any(String),
      id: `${project}:${id}`,
      selfLink: expect.stringContaining(`/datasets/${id}`),
      datasetReference: { projectId: project, datasetId: id },
      access: [
        { role: 'WRITER', specialGroup: 'projectWriters' },
        { role: 'OWNER', specialGroup: 'projectOwners' },
        { role: 'OWNER', userByEmail: `local@${project}.iam.gserviceaccount.com` },
        { role: 'READER', specialGroup: 'projectReaders' },
      ],
      creationTime: String(start.getTime()),
      lastModifiedTime: String(start.getTime()),
      location: 'europe-west1',
      type: 'DEFAULT',
    });
    expect((await (await newDataset(cloud, { location: 'eu' })).getMetadata())[0].location).toBe('EU');
    expect((await (await newDataset(cloud)).getMetadata())[0].location).toBe('US');
  });

  test('is made once', async () => {
    const { id = '' } = await newDataset(cloud);
    await expect(cloud.client.createDataset(id)).rejects.toMatchObject(
      refusal(409, 'duplicate', `Already Exists: Dataset ${project}:${id}`),
    );
    await cloud.client.createDataset(id.toUpperCase());
  });

  test.each(['bad-id', 'a b', 'ä', 'a'.repeat(1025)])('has no id such as %s', async (id) => {
    await expect(cloud.client.createDataset(id)).rejects.toMatchObject(
      refusal(400, 'invalid', /^Invalid dataset ID/),
    );
  });

  test('of another project is refused', async () => {
    const datasetReference = { datasetId: newName(), projectId: 'other' };
    expect(await call(cloud, 'POST', 'datasets', { datasetReference })).toMatchObject({
      status: 400,
      body: { error: { message: 'Invalid project: other' } },
    });
  });

  test('that is not there is not found', async () => {
    const missing = refusal(404, 'notFound', `Not found: Dataset ${project}:none`);
    const dataset = cloud.client.dataset('none');
    await expect(dataset.getMetadata()).rejects.toMatchObject(missing);
    await expect(dataset.setMetadata({ description: '' })).rejects.toMatchObject(missing);
    await expect(dataset.delete()).rejects.toMatchObject(missing);
    await expect(dataset.getTables()).rejects.toMatchObject(missing);
    expect(await dataset.exists()).toEqual([false]);
  });

  test('is deleted when it is empty, or with its contents', async () => {
    const dataset = await newDataset(cloud);
    await newTable(cloud, { schema }, dataset);
    await expect(dataset.delete()).rejects.toMatchObject(
      refusal(400, 'resourceInUse', `Dataset ${project}:${dataset.id} is still in use`),
    );
    await dataset.delete({ force: true });
    expect(await dataset.exists()).toEqual([false]);
    await cloud.client.createDataset(dataset.id ?? '');
    expect((await dataset.getTables())[0]).toEqual([]);
    await dataset.delete();
  });
});

describe('a change of a dataset', () => {
  test('leaves what it does not name, merges labels and removes what is null', async () => {
    const dataset = await newDataset(cloud, { description: 'old', labels: { a: '1', b: '2' } });
    const [metadata] = await dataset.setMetadata({ friendlyName: 'New', labels: { b: null, c: '3' } });
    expect(metadata).toMatchObject({ friendlyName: 'New', description: 'old', labels: { a: '1', c: '3' } });
    expect(metadata.labels).not.toHaveProperty('b');
    expect((await dataset.setMetadata({ description: null }))[0]).not.toHaveProperty('description');
  });

  test('needs the current etag where one is given', async () => {
    const dataset = await newDataset(cloud);
    const [{ etag }] = await dataset.getMetadata();
    const [{ etag: next }] = await dataset.setMetadata({ description: 'mine', etag });
    expect(next).not.toBe(etag);
    await expect(dataset.setMetadata({ description: 'theirs', etag })).rejects.toMatchObject(
      refusal(412, 'conditionNotMet', 'Precondition check failed.'),
    );
    expect(
      await call(cloud, 'DELETE', `datasets/${dataset.id}`, undefined, { 'if-match': etag }),
    ).toMatchObject({
      status: 412,
    });
    expect((await dataset.getMetadata())[0].description).toBe('mine');
  });

  test('sets its time', async () => {
    const dataset = await newDataset(cloud);
    const [before] = await dataset.getMetadata();
    cloud.server.advance(60);
    const [after] = await dataset.setMetadata({ description: 'later' });
    expect(Number(after.lastModifiedTime) - Number(before.lastModifiedTime)).toBe(60_000);
    expect(after.creationTime).toBe(before.creationTime);
  });

  test('does not move it', async () => {
    const dataset = await newDataset(cloud, { location: 'EU' });
    await expect(dataset.setMetadata({ location: 'US' })).rejects.toMatchObject(
      refusal(400, 'invalid', /Cannot change the location/),
    );
    await dataset.setMetadata({ location: 'EU', description: 'still there' });
  });

  test('by update replaces all but access', async () => {
    const dataset = await newDataset(cloud, { description: 'old', labels: { a: '1' } });
    const [{ access }] = await dataset.getMetadata();
    const { body } = await call(cloud, 'PUT', `datasets/${dataset.id}`, { friendlyName: 'New' });
    expect(body).toMatchObject({ friendlyName: 'New', access });
    expect(body).not.toHaveProperty('labels');
    expect(body).not.toHaveProperty('description');
  });
});

describe('access', () => {
  const reader = { role: 'READER', userByEmail: 'ada@example.com' };

  test('is replaced as a whole, and roles get their old names', async () => {
    const dataset = await newDataset(cloud, { access: [reader] });
    expect((await dataset.getMetadata())[0].access).toEqual([reader]);
    const access = [
      { role: 'roles/bigquery.dataEditor', groupByEmail: 'team@example.com' },
      { role: 'roles/bigquery.metadataViewer', iamMember: 'principal://iam.googleapis.com/x' },
      { role: 'READER', specialGroup: 'projectReaders' },
      { view: { projectId: project, datasetId: 'd', tableId: 'v' } },
    ];
    const [metadata] = await dataset.setMetadata({ access });
    expect(metadata.access).toEqual([
      { role: 'WRITER', groupByEmail: 'team@example.com' },
      ...access.slice(1),
    ]);
  });

  test.each([
    [{ role: 'READER' }, /must have exactly one of/],
    [{ ...reader, groupByEmail: 'team@example.com' }, /must have exactly one of/],
    [{ userByEmail: 'ada@example.com' }, /Required parameter is missing: role/],
    [{ role: 'ADMIN', userByEmail: 'ada@example.com' }, /Invalid role: ADMIN/],
    [{ role: 'READER', userByEmail: 'ada' }, /Invalid value for userByEmail/],
    [{ role: 'READER', specialGroup: 'everybody' }, /Invalid value for specialGroup/],
    [{ role: 'READER', view: { projectId: project, datasetId: 'd', tableId: 'v' } }, /needs an empty role/],
    [{ ...reader, condition: { expression: 'true' } }, /condition of an access entry is not implemented/],
  ])('is not %j', async (entry, message) => {
    await expect(newDataset(cloud, { access: [entry] })).rejects.toMatchObject(
      refusal(400, 'invalid', message),
    );
  });
});

describe('settings', () => {
  test.each([
    [{ labels: { Team: 'a' } }, /Label key Team/],
    [{ labels: { team: 'A' } }, /Label value A/],
    [{ defaultTableExpirationMs: '1000' }, /at least 3600000/],
    [{ defaultTableExpirationMs: 'soon' }, /Invalid value for defaultTableExpirationMs/],
    [{ description: 1 }, /Invalid value for description/],
    [{ isCaseInsensitive: true }, /The field isCaseInsensitive of a dataset is not implemented here/],
    [{ nonsense: 1 }, /The field nonsense of a dataset/],
  ])('that are wrong or not supported are refused: %j', async (settings, message) => {
    await expect(newDataset(cloud, settings)).rejects.toMatchObject(refusal(400, 'invalid', message));
  });
});

describe('a list of datasets', () => {
  test('has them by name, in pages, and with the labels that a filter asks for', async () => {
    for (const [id, labels] of [
      ['list_b', { team: 'x', tier: '' }],
      ['list_a', { team: 'x' }],
      ['list_c', { team: 'y' }],
      ['_list_hidden', { team: 'x' }],
    ] as const) {
      await cloud.client.createDataset(id, { labels });
    }
    const ids = async (options: object) => (await cloud.client.getDatasets(options))[0].map(({ id }) => id);
    expect(await ids({ filter: 'labels.team' })).toEqual(['list_a', 'list_b', 'list_c']);
    expect(await ids({ filter: 'labels.team:x' })).toEqual(['list_a', 'list_b']);
    expect(await ids({ filter: 'labels.team:x labels.tier' })).toEqual(['list_b']);
    expect(await ids({ filter: 'labels.team:x', all: true })).toEqual(['_list_hidden', 'list_a', 'list_b']);
    const page = { filter: 'labels.team', maxResults: 2, autoPaginate: false };
    const [first, next] = await cloud.client.getDatasets(page);
    expect(first.map(({ id }) => id)).toEqual(['list_a', 'list_b']);
    await cloud.client.createDataset('list_aa', { labels: { team: 'x' } });
    const [second, none] = await cloud.client.getDatasets({ ...page, ...next });
    expect(second.map(({ id }) => id)).toEqual(['list_c']);
    expect(none).toBeNull();
    await expect(cloud.client.getDatasets({ pageToken: 'zzz' })).rejects.toMatchObject(
      refusal(400, 'invalid', /page token/),
    );
    await expect(cloud.client.getDatasets({ filter: 'team:x' })).rejects.toMatchObject(
      refusal(400, 'invalid', /filter/),
    );
  });
});
