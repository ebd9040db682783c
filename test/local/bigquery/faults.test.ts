import { BigQuery } from '@google-cloud/bigquery';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { startBigQuery } from '../../../local/bigquery/index.ts';
import { ApiError } from '../../../local/http/api-error.ts';
import {
  clientOf,
  ended,
  failing,
  insert,
  newDataset,
  newName,
  newTable,
  project,
  refusal,
  rowsOf,
  start,
  unavailable,
  useBigQuery,
} from './fixture.ts';

const cloud = useBigQuery();
const schema = [{ name: 'id', type: 'INTEGER' }];

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('a fault on demand', () => {
  test.each([
    [new ApiError(403, 'accessDenied', 'Access Denied'), 403],
    [new ApiError(403, 'rateLimitExceeded', 'Exceeded rate limits'), 403],
    [unavailable, 503],
  ])('before a call is all that happens: %s', async (error, code) => {
    const id = newName();
    cloud.server.intercept = failing('datasets.insert', 'before', error);
    await expect(cloud.client.createDataset(id)).rejects.toMatchObject(
      refusal(code, error.reason, error.message),
    );
    expect(await cloud.client.dataset(id).exists()).toEqual([false]);
  });

  test('after a call loses the answer only', async () => {
    const id = newName();
    cloud.server.intercept = failing('datasets.insert', 'after', unavailable);
    await expect(cloud.client.createDataset(id)).rejects.toMatchObject({ code: 503 });
    expect(await cloud.client.dataset(id).exists()).toEqual([true]);
  });

  test('is told what the call is about, and may change its answer', async () => {
    const { id } = await newDataset(cloud, { description: 'true' });
    cloud.server.intercept = ({ method, phase, request, answer }) => {
      if (method !== 'datasets.get' || phase !== 'after' || !answer) return;
      answer['description'] = `of ${request['dataset']}`;
    };
    const dataset = cloud.client.dataset(id ?? '');
    expect((await dataset.getMetadata())[0].description).toBe(`of ${id}`);
    cloud.server.intercept = undefined;
    expect((await dataset.getMetadata())[0].description).toBe('true');
  });

  test('that passes is survived by a client that repeats', async () => {
    const repeating = clientOf(cloud.server, { retryOptions: { autoRetry: true } });
    const id = newName();
    cloud.server.intercept = failing('datasets.insert', 'before', unavailable);
    await repeating.createDataset(id);
    const jobId = newName('job-');
    const table = await newTable(cloud, { schema }, repeating.dataset(id));
    cloud.server.intercept = failing('jobs.insert', 'after', unavailable);
    const lost = table.createCopyJob(table.dataset.table('copy'), { jobId });
    await expect(lost).rejects.toMatchObject({ code: 409 });
    expect((await ended(repeating.job(jobId))).status).toEqual({ state: 'DONE' });
  });
});

describe('the streaming buffer', () => {
  test('keeps rows from jobs for a while, not from reads', async () => {
    const server = await startBigQuery({ project, bufferSeconds: 60, now: () => start });
    const client = clientOf(server);
    const table = await newTable({ server, client }, { schema });
    await insert(table, { id: 1 });
    const copy = async () => {
      const destination = table.dataset.table(newName('t'));
      const [job] = await table.createCopyJob(destination, {});
      await ended(job);
      return rowsOf(destination);
    };
    expect(await rowsOf(table)).toEqual([{ id: 1 }]);
    expect((await table.getMetadata())[0]).toMatchObject({
      numRows: '0',
      streamingBuffer: { estimatedRows: '1', estimatedBytes: '8', oldestEntryTime: expect.any(String) },
    });
    expect(await copy()).toEqual([]);
    const [before] = await table.getMetadata();
    expect(before.lastModifiedTime).toBe(before.creationTime);
    server.advance(60);
    expect(await copy()).toEqual([{ id: 1 }]);
    const [after] = await table.getMetadata();
    expect(after).not.toHaveProperty('streamingBuffer');
    expect(Number(after.lastModifiedTime) - Number(before.lastModifiedTime)).toBe(60_000);
    await server.close();
  });
});

describe('the server', () => {
  test('closes while jobs run', async () => {
    const server = await startBigQuery({ project });
    const client = clientOf(server);
    const table = await newTable({ server, client }, { schema });
    server.intercept = ({ method }) => (method === 'Job' ? new Promise<never>(() => undefined) : undefined);
    await table.createCopyJob(table.dataset.table('t2'), {});
    await server.close();
  });

  test('has one project', async () => {
    const other = clientOf(cloud.server, { projectId: 'other' });
    await expect(other.getDatasets()).rejects.toMatchObject(
      refusal(404, 'notFound', 'Not found: Project other'),
    );
  });

  test('is found by BIGQUERY_EMULATOR_HOST, which needs its protocol', async () => {
    const { id } = await newDataset(cloud);
    vi.stubEnv('BIGQUERY_EMULATOR_HOST', `http://${cloud.server.host}`);
    expect(await new BigQuery({ projectId: project }).dataset(id ?? '').exists()).toEqual([true]);
    vi.stubEnv('BIGQUERY_EMULATOR_HOST', cloud.server.host);
    const client = new BigQuery({ projectId: project, retryOptions: { autoRetry: false } });
    await expect(client.getDatasets()).rejects.toThrow('Invalid URL');
  });
});
