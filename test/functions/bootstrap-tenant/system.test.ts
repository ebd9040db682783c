import { describe, expect, it } from 'vitest';
import { bootstrapSystem } from '../../../functions/bootstrap-tenant/system.ts';
import { refuse, send, watch, writing } from '../../shared/bigquery/fixture.ts';
import { bootstrap, context, dataset, tablePath, useSystem } from './system-fixture.ts';

const cloud = useSystem();

describe('the platform', () => {
  it('gets its dataset with all tables and views', async () => {
    const { changes, notes, summary, result } = await bootstrap();
    expect(summary).toEqual({ created: 7, changed: 0, recreated: 0, existed: 0 });
    expect(notes).toEqual([]);
    expect(result).toEqual({ dataset: 'acme.drover' });
    expect(changes[0]).toEqual({ action: 'create', kind: 'dataset', name: dataset, detail: 'in EU' });
    expect(changes.slice(1).map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      'table drover.operation_events',
      'table drover.fleet_metrics',
      'view drover.events',
      'view drover.operations',
      'view drover.operation_changes',
      'view drover.tenant_usage',
    ]);
    await expect(send('GET', `datasets/${dataset}`)).resolves.toMatchObject({
      location: 'EU',
      labels: { 'managed-by': 'drover', 'drover-scope': 'system' },
    });
    await expect(send('GET', tablePath('operation_events'))).resolves.toMatchObject({
      timePartitioning: { type: 'DAY', field: 'publish_time' },
      clustering: { fields: ['message_id'] },
    });
    await expect(send('GET', tablePath('operations'))).resolves.toMatchObject({
      type: 'VIEW',
      view: { query: expect.stringContaining('FROM `acme.drover.events`'), useLegacySql: false },
    });
  });

  it('is left alone where it is as it should be', async () => {
    await bootstrap();
    const calls = watch(cloud);
    const outcome = await bootstrap();
    expect(outcome.changes).toEqual([]);
    expect(outcome.summary).toEqual({ created: 0, changed: 0, recreated: 0, existed: 7 });
    expect(calls).toHaveLength(7);
    expect(writing(calls)).toEqual([]);
  });

  it('is only looked at in a dry run, which says all calls that would be made', async () => {
    const calls = watch(cloud);
    const { changes, statements } = await bootstrap({}, { dryRun: true });
    expect(changes).toHaveLength(7);
    expect(statements).toHaveLength(7);
    expect(statements?.[0]).toMatch(
      /^POST datasets \{"datasetReference":\{"datasetId":"drover"\},"location":"EU"/,
    );
    expect(writing(calls)).toEqual([]);
  });

  it('is where the message says', async () => {
    await bootstrap({ region: 'europe-west1' });
    await expect(send('GET', `datasets/${dataset}`)).resolves.toMatchObject({ location: 'europe-west1' });
    expect((await bootstrap({ region: 'EUROPE-WEST1' })).changes).toEqual([]);
  });

  it('stays where it is', async () => {
    await bootstrap({ region: 'US' });
    const calls = watch(cloud);
    await expect(bootstrap()).rejects.toMatchObject({
      code: 'REGION_MISMATCH',
      retryable: false,
      details: { location: 'US', wanted: 'EU' },
    });
    expect(writing(calls)).toEqual([]);
  });

  it('takes no dataset that is somebody else’s, and says how it may', async () => {
    await send('POST', 'datasets', { datasetReference: { datasetId: dataset }, location: 'EU' });
    await expect(bootstrap()).rejects.toMatchObject({
      code: 'DATASET_EXISTS',
      retryable: false,
      message: expect.stringContaining(
        'bq update --set_label=managed-by:drover --set_label=drover-scope:system acme:drover',
      ),
    });
    const labels = { 'managed-by': 'drover', 'drover-scope': 'system', team: 'data' };
    await send('PATCH', `datasets/${dataset}`, { labels });
    expect((await bootstrap()).summary).toMatchObject({ created: 6, changed: 1 });
    await expect(send('GET', `datasets/${dataset}`)).resolves.toMatchObject({ labels });
  });

  it('is finished by whoever comes after a crash', async () => {
    refuse(cloud, 'tables.insert', [503, 'backendError'], { phase: 'after' });
    await expect(bootstrap()).rejects.toMatchObject({ code: 'GOOGLE_UNAVAILABLE', retryable: true });
    cloud.server.intercept = undefined;
    const { summary } = await bootstrap();
    expect(summary?.['existed']).toBeGreaterThan(1);
    expect(summary).toMatchObject({ changed: 0, recreated: 0 });
    expect((await bootstrap()).changes).toEqual([]);
  });

  it('is made once by many at a time', async () => {
    const outcomes = await Promise.all(Array.from({ length: 5 }, () => bootstrap()));
    const created = outcomes.map(({ summary }) => summary?.['created'] ?? 0);
    expect(created.reduce((sum, one) => sum + one)).toBe(7);
  });

  it('fails for good where it is denied, and says what to grant', async () => {
    refuse(cloud, 'datasets.insert', [403, 'accessDenied']);
    await expect(bootstrap()).rejects.toMatchObject({
      code: 'GOOGLE_PERMISSION_DENIED',
      retryable: false,
      message: expect.stringContaining('roles/bigquery.dataOwner'),
    });
  });

  it('ends when its signal fires', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(bootstrapSystem({ scope: 'system' }, { ...context(), signal })).rejects.toThrow('enough');
  });
});
