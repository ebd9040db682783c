import { describe, expect, it, vi } from 'vitest';
import { callBigQuery, closeBigQuery } from '../../../shared/gcp/bigquery.ts';
import { newName, refuse, send, signal, useBigQuery } from '../bigquery/fixture.ts';

const cloud = useBigQuery();

const create = () => send('POST', 'datasets', { datasetReference: { datasetId: newName() } });

describe('a call of BigQuery', () => {
  it('needs no credentials where the server is another one, and looks for none', async () => {
    closeBigQuery();
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', '');
    vi.stubEnv('HOME', '/nowhere');
    vi.stubEnv('METADATA_SERVER_DETECTION', 'assume-present');
    const before = performance.now();
    await expect(send('GET', 'datasets')).resolves.toMatchObject({ kind: 'bigquery#datasetList' });
    expect(performance.now() - before).toBeLessThan(2_000);
  });

  it.each([
    [503, 'backendError'],
    [500, 'internalError'],
    [403, 'rateLimitExceeded'],
  ])('that only reads is repeated after %d %s', async (status, reason) => {
    const calls = refuse(cloud, 'datasets.list', [status, reason], { times: 2 });
    await send('GET', 'datasets');
    expect(calls).toHaveLength(3);
  });

  it('is given up after a few attempts', async () => {
    const calls = refuse(cloud, 'datasets.list', [503, 'backendError']);
    await expect(send('GET', 'datasets')).rejects.toMatchObject({
      code: 'GOOGLE_UNAVAILABLE',
      retryable: true,
    });
    expect(calls).toHaveLength(4);
  });

  it('that writes is repeated after a refusal by a quota, which did nothing', async () => {
    const calls = refuse(cloud, 'datasets.insert', [403, 'quotaExceeded'], { times: 1 });
    await create();
    expect(calls).toHaveLength(2);
  });

  it('that writes is not repeated where it may have been done', async () => {
    const calls = refuse(cloud, 'datasets.insert', [503, 'backendError'], { phase: 'after' });
    await expect(create()).rejects.toMatchObject({ code: 'GOOGLE_UNAVAILABLE', retryable: true });
    expect(calls).toHaveLength(1);
  });

  it.each([
    [403, 'accessDenied', 'GOOGLE_PERMISSION_DENIED', false],
    [400, 'invalid', 'GOOGLE_INVALID_ARGUMENT', false],
    [400, 'tableUnavailable', 'GOOGLE_UNAVAILABLE', true],
    [409, 'duplicate', 'GOOGLE_ALREADY_EXISTS', false],
    [412, 'conditionNotMet', 'GOOGLE_FAILED_PRECONDITION', false],
    [429, 'jobRateLimitExceeded', 'GOOGLE_RESOURCE_EXHAUSTED', true],
    [403, 'quotaExceeded', 'GOOGLE_RESOURCE_EXHAUSTED', true],
  ])('that is refused with %d %s fails with it', async (status, reason, code, retryable) => {
    refuse(cloud, 'datasets.insert', [status, reason]);
    await expect(create()).rejects.toMatchObject({
      code,
      retryable,
      message: expect.stringContaining(`${reason}, said the test`),
      details: { status, reason },
    });
  });

  it('that is denied says what to grant', async () => {
    refuse(cloud, 'datasets.insert', [403, 'accessDenied']);
    await expect(create()).rejects.toThrow(/needs roles\/bigquery\.dataOwner and roles\/bigquery\.jobUser/);
  });

  it('ends when its signal fires', async () => {
    const controller = new AbortController();
    cloud.server.intercept = async ({ phase }) => {
      if (phase === 'before') controller.abort(new Error('enough'));
      await new Promise((resolve) => setTimeout(resolve, 500));
    };
    await expect(callBigQuery({ method: 'GET', path: 'datasets' }, controller.signal)).rejects.toThrow(
      'enough',
    );
  });

  it('changes nothing that was changed since it was read', async () => {
    const id = newName();
    const { etag } = await send<{ etag: string }>('POST', 'datasets', {
      datasetReference: { datasetId: id },
    });
    const patch = (description: string) =>
      callBigQuery({ method: 'PATCH', path: `datasets/${id}`, body: { description }, etag }, signal);
    await patch('one');
    await expect(patch('two')).rejects.toMatchObject({ code: 'GOOGLE_FAILED_PRECONDITION' });
  });

  it('fails for now where nobody answers', async () => {
    closeBigQuery();
    vi.stubEnv('BIGQUERY_EMULATOR_HOST', 'http://127.0.0.1:1');
    await expect(create()).rejects.toMatchObject({ code: 'GOOGLE_UNAVAILABLE', retryable: true });
    closeBigQuery();
  });
});
