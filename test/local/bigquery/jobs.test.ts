import type { Dataset, Job, Table } from '@google-cloud/bigquery';
import { describe, expect, test } from 'vitest';
import { ApiError } from '../../../local/http/api-error.ts';
import {
  call,
  createJob,
  ended,
  insert,
  newDataset,
  newName,
  newTable,
  project,
  refusal,
  rowsOf,
  start,
  useBigQuery,
} from './fixture.ts';

const cloud = useBigQuery();
const schema = [
  { name: 'id', type: 'INTEGER', mode: 'REQUIRED' },
  { name: 'name', type: 'STRING' },
];

const fullName = (table: Table) => `${project}:${table.dataset.id}.${table.id}`;

async function filled(dataset?: Dataset, ...ids: number[]): Promise<Table> {
  const table = await newTable(cloud, { schema }, dataset);
  await insert(table, ...ids.map((id) => ({ id })));
  return table;
}

/** Begins a copy job and waits until it is over. */
async function copy(source: Table | Table[], destination: Table, options: object = {}) {
  const sources = Array.isArray(source) ? source : [source];
  const [job] = await destination.createCopyFromJob(sources, options);
  return ended(job);
}

describe('a copy job', () => {
  test('makes a table of the same shape and rows', async () => {
    const dataset = await newDataset(cloud);
    const shape = {
      schema: { fields: schema },
      timePartitioning: { type: 'DAY' },
      requirePartitionFilter: true,
      clustering: { fields: ['id'] },
    };
    const source = await newTable(cloud, { ...shape, description: 'mine', labels: { a: '1' } }, dataset);
    await insert(source, { id: 1, name: 'a' }, { id: 2 });
    const destination = dataset.table(newName('t'));
    const { configuration, statistics, status } = await copy(source, destination);
    expect(status).toEqual({ state: 'DONE' });
    expect(configuration.jobType).toBe('COPY');
    expect(statistics).toMatchObject({ copy: { copiedRows: '2' }, endTime: expect.any(String) });
    const [metadata] = await destination.getMetadata();
    expect(metadata).toMatchObject({ ...shape, numRows: '2' });
    expect(metadata).not.toHaveProperty('description');
    expect(metadata).not.toHaveProperty('labels');
    expect(await rowsOf(destination)).toEqual(await rowsOf(source));
    await insert(source, { id: 3 });
    expect(await rowsOf(destination)).toHaveLength(2);
  });

  test('puts several tables into one', async () => {
    const dataset = await newDataset(cloud);
    const sources = [await filled(dataset, 1), await filled(dataset, 2, 3)];
    const destination = dataset.table(newName('t'));
    await copy(sources, destination);
    expect(await rowsOf(destination)).toMatchObject([{ id: 1 }, { id: 2 }, { id: 3 }]);
  });

  test.each([
    ['WRITE_EMPTY', [9], { reason: 'duplicate' }],
    ['WRITE_APPEND', [9, 1], undefined],
    ['WRITE_TRUNCATE', [1], undefined],
  ])('into a table with rows: %s', async (writeDisposition, ids, error) => {
    const dataset = await newDataset(cloud);
    const destination = await filled(dataset, 9);
    const { status } = await copy(await filled(dataset, 1), destination, { writeDisposition });
    if (error)
      expect(status.errorResult).toMatchObject({
        ...error,
        message: `Already Exists: Table ${fullName(destination)}`,
      });
    else expect(status).not.toHaveProperty('errorResult');
    expect(await rowsOf(destination)).toMatchObject(ids.map((id) => ({ id })));
  });

  test('needs an empty table unless it says otherwise', async () => {
    const dataset = await newDataset(cloud);
    const source = await filled(dataset, 1);
    expect((await copy(source, await filled(dataset, 9))).status.errorResult).toMatchObject({
      reason: 'duplicate',
    });
    const empty = await newTable(cloud, { schema }, dataset);
    expect((await copy(source, empty)).status).toEqual({ state: 'DONE' });
  });

  test('makes no table where it must not', async () => {
    const dataset = await newDataset(cloud);
    const destination = dataset.table('none');
    const options = { createDisposition: 'CREATE_NEVER' };
    const { status } = await copy(await filled(dataset, 1), destination, options);
    const error = { reason: 'notFound', message: `Not found: Table ${fullName(destination)}` };
    expect(status).toEqual({ state: 'DONE', errorResult: error, errors: [error] });
    expect(await destination.exists()).toEqual([false]);
  });

  test('fails where there is no source, or where it has no rows of its own', async () => {
    const dataset = await newDataset(cloud);
    const view = await newTable(cloud, { view: 'SELECT 1' }, dataset);
    const to = dataset.table(newName('t'));
    expect((await copy(dataset.table('none'), to)).status.errorResult).toMatchObject({ reason: 'notFound' });
    expect((await copy(view, to)).status.errorResult).toMatchObject({
      reason: 'invalid',
      message: expect.stringMatching(/it is currently a VIEW/),
    });
    expect((await copy(await filled(dataset, 1), view)).status.errorResult).toMatchObject({
      reason: 'invalid',
    });
  });

  test('appends nothing of another shape', async () => {
    const dataset = await newDataset(cloud);
    const other = await newTable(cloud, { schema: [...schema, { name: 'more', type: 'STRING' }] }, dataset);
    await insert(other, { id: 2 });
    const destination = await filled(dataset, 1);
    const { status } = await copy(other, destination, { writeDisposition: 'WRITE_APPEND' });
    expect(status.errorResult.message).toBe(
      `Provided Schema does not match Table ${fullName(destination)}. Cannot add fields (field: more)`,
    );
    expect(await rowsOf(destination)).toMatchObject([{ id: 1 }]);
  });

  test('of one partition is not here', async () => {
    const source = await filled(undefined, 1);
    const partition = source.dataset.table(`${source.id}$20260301`);
    await expect(copy(partition, source.dataset.table('t'))).rejects.toMatchObject(
      refusal(400, 'invalid', /decorator of .* is not implemented/),
    );
  });

  test('takes over when the destination’s dataset lets tables expire', async () => {
    const dataset = await newDataset(cloud, { defaultTableExpirationMs: '3600000' });
    const destination = dataset.table(newName('t'));
    await copy(await filled(undefined, 1), destination);
    expect((await destination.getMetadata())[0]).toHaveProperty('expirationTime');
  });
});

describe('a job', () => {
  const begin = (source: Table, destination: Table, options: object = {}): Promise<[Job]> =>
    source.createCopyJob(destination, options) as unknown as Promise<[Job]>;

  test('is answered while it runs', async () => {
    const source = await filled(undefined, 1);
    const held = Promise.withResolvers<void>();
    cloud.server.intercept = ({ method, phase }) =>
      method === 'Job' && phase === 'before' ? held.promise : undefined;
    const destination = source.dataset.table(newName('t'));
    const [job] = await begin(source, destination);
    expect(job.metadata).toMatchObject({
      kind: 'bigquery#job',
      id: `${project}:US.${job.id}`,
      jobReference: { projectId: project, jobId: job.id, location: 'US' },
      user_email: `local@${project}.iam.gserviceaccount.com`,
      status: { state: 'RUNNING' },
    });
    expect((await job.getMetadata())[0].status).toEqual({ state: 'RUNNING' });
    expect(await destination.exists()).toEqual([false]);
    held.resolve();
    expect((await ended(job)).status).toEqual({ state: 'DONE' });
    expect(await destination.exists()).toEqual([true]);
  });

  test('is made once by its id', async () => {
    const source = await filled(undefined, 1);
    const jobId = newName('job-');
    const destination = source.dataset.table(newName('t'));
    const options = () => ({ jobId, writeDisposition: 'WRITE_APPEND' });
    await ended((await begin(source, destination, options()))[0]);
    await expect(begin(source, destination, options())).rejects.toMatchObject(
      refusal(409, 'duplicate', `Already Exists: Job ${project}:US.${jobId}`),
    );
    expect(await rowsOf(destination)).toHaveLength(1);
  });

  test('runs where its datasets are, and is found there only', async () => {
    const dataset = await newDataset(cloud, { location: 'europe-west1' });
    const source = await filled(dataset, 1);
    const [job] = await begin(source, dataset.table(newName('t')));
    expect(job.metadata?.jobReference?.location).toBe('europe-west1');
    expect((await ended(job)).status.state).toBe('DONE');
    const missing = (where: string) =>
      refusal(404, 'notFound', `Not found: Job ${project}:${where}${job.id}`);
    await expect(cloud.client.job(job.id ?? '').getMetadata()).rejects.toMatchObject(missing(''));
    await expect(cloud.client.job(job.id ?? '', { location: 'US' }).getMetadata()).rejects.toMatchObject(
      missing('US.'),
    );
    const inEurope = await newDataset(cloud, { location: 'EU' });
    const [other] = await begin(await filled(inEurope, 1), inEurope.table(newName('t')));
    await cloud.client.job(other.id ?? '').getMetadata();
  });

  test('sees no dataset of another location', async () => {
    const here = await filled(await newDataset(cloud, { location: 'EU' }), 1);
    const there = await newDataset(cloud);
    await expect(begin(here, there.table('t'))).rejects.toMatchObject(
      refusal(404, 'notFound', `Not found: Dataset ${project}:${there.id} was not found in location EU`),
    );
    const reference = (table: Table) => ({ datasetId: table.dataset.id, tableId: table.id });
    const configuration = {
      copy: { sourceTable: reference(here), destinationTable: reference(here.dataset.table('t2')) },
    };
    await expect(createJob(cloud, { configuration, location: 'US' })).rejects.toMatchObject(
      refusal(404, 'notFound', /was not found in location US/),
    );
    await expect(begin(here, cloud.client.dataset('none').table('t'))).rejects.toMatchObject(
      refusal(404, 'notFound', `Not found: Dataset ${project}:none`),
    );
  });

  test.each([
    [{ query: { query: 'SELECT 1' } }, 501, 'notImplemented', /a query job/],
    [{ dryRun: true, copy: {} }, 400, 'invalid', /dryRun/],
    [{}, 400, 'required', /one of copy, extract, load/],
    [{ copy: {} }, 400, 'invalid', /Required parameter is missing: sourceTables/],
    [{ copy: { operationType: 'SNAPSHOT' } }, 400, 'invalid', /Invalid value for operationType/],
    [{ copy: { destinationExpirationTime: 'x' } }, 400, 'invalid', /destinationExpirationTime/],
    [{ extract: {} }, 501, 'notImplemented', /an extract job without a Cloud Storage/],
    [{ load: {} }, 501, 'notImplemented', /a load job without a Cloud Storage/],
  ])('that is wrong or not supported is refused: %j', async (configuration, code, reason, message) => {
    await expect(createJob(cloud, { configuration })).rejects.toMatchObject(refusal(code, reason, message));
  });

  test('has labels, and times of the server', async () => {
    const source = await filled(undefined, 1);
    const reference = (tableId: string) => ({ datasetId: source.dataset.id, tableId });
    const job = await createJob(cloud, {
      configuration: {
        labels: { purpose: 'archive' },
        copy: { sourceTable: reference(source.id ?? ''), destinationTable: reference(newName('t')) },
      },
    });
    const { configuration, statistics } = await ended(job);
    expect(configuration.labels).toEqual({ purpose: 'archive' });
    const now = String(start.getTime());
    expect(statistics).toMatchObject({ creationTime: now, startTime: now, endTime: now });
  });

  test('is in the list, the newest first', async () => {
    const source = await filled(undefined, 1);
    for (const jobId of ['list-1', 'list-2', 'list-3']) {
      await ended((await begin(source, source.dataset.table(jobId.replace('-', '_')), { jobId }))[0]);
    }
    const page = { maxResults: 2, autoPaginate: false };
    const [first, next] = await cloud.client.getJobs(page);
    expect(first.map(({ id }) => id)).toEqual(['list-3', 'list-2']);
    expect((await cloud.client.getJobs({ ...page, ...next }))[0][0]?.id).toBe('list-1');
    expect(first[0]?.metadata).toMatchObject({ state: 'DONE', status: { state: 'DONE' } });
    expect(first[0]?.metadata).not.toHaveProperty('configuration');
    const [[full]] = await cloud.client.getJobs({ ...page, projection: 'full' });
    expect(full?.metadata?.configuration).toMatchObject({ jobType: 'COPY' });
  });

  test('that is not there, and what is not here', async () => {
    await expect(cloud.client.job('none', { location: 'EU' }).getMetadata()).rejects.toMatchObject(
      refusal(404, 'notFound', `Not found: Job ${project}:EU.none`),
    );
    await expect(cloud.client.job('none').cancel()).rejects.toMatchObject(
      refusal(501, 'notImplemented', /POST .*jobs\/none\/cancel is not implemented here/),
    );
    await expect(cloud.client.job('none').getQueryResults()).rejects.toMatchObject(
      refusal(501, 'notImplemented', /queries/),
    );
    expect(await call(cloud, 'POST', 'queries', { query: 'SELECT 1' })).toMatchObject({ status: 501 });
  });

  test('fails as a fault on demand says', async () => {
    const source = await filled(undefined, 1);
    cloud.server.intercept = ({ method, phase }) => {
      if (method === 'Job' && phase === 'before') throw new ApiError(503, 'backendError', 'Retry the job.');
    };
    const destination = source.dataset.table(newName('t'));
    const [job] = await begin(source, destination);
    expect((await ended(job)).status.errorResult).toEqual({
      reason: 'backendError',
      message: 'Retry the job.',
    });
    expect(await destination.exists()).toEqual([false]);
  });
});
