import { beforeEach, describe, expect, it } from 'vitest';
import type { Table } from '../../../shared/bigquery/model.ts';
import { refuse, send, watch, writing } from '../../shared/bigquery/fixture.ts';
import { bootstrap, dataset, tablePath, useSystem } from './system-fixture.ts';

const cloud = useSystem();

const eventFields = [
  { name: 'subscription_name', type: 'STRING' },
  { name: 'message_id', type: 'STRING' },
  { name: 'publish_time', type: 'TIMESTAMP' },
];

/** The table of events as somebody else might have made it. */
async function makeEvents(settings: object): Promise<void> {
  await send('POST', `datasets/${dataset}/tables`, {
    tableReference: { datasetId: dataset, tableId: 'operation_events' },
    timePartitioning: { type: 'DAY', field: 'publish_time' },
    schema: { fields: eventFields },
    ...settings,
  });
}

const events = () => send<Table & Record<string, unknown>>('GET', tablePath('operation_events'));

beforeEach(async () => {
  const labels = { 'managed-by': 'drover', 'drover-scope': 'system' };
  await send('POST', 'datasets', { datasetReference: { datasetId: dataset }, location: 'EU', labels });
});

describe('a table that is there', () => {
  it('gets the columns that it lacks, a description and its clustering, and keeps what it has', async () => {
    const mine = { name: 'mine', type: 'INTEGER' };
    await makeEvents({ schema: { fields: [mine, ...eventFields] }, labels: { team: 'data' } });
    const { changes, summary } = await bootstrap();
    expect(summary).toEqual({ created: 5, changed: 2, recreated: 0, existed: 0 });
    expect(changes[1]).toEqual({
      action: 'alter',
      kind: 'table',
      name: 'drover.operation_events',
      detail: expect.stringMatching(
        /column data added; column attributes added; clustering by message_id; description$/,
      ),
    });
    const table = await events();
    expect(table.schema?.fields?.map(({ name }) => name)).toEqual([
      'mine',
      'subscription_name',
      'message_id',
      'publish_time',
      'data',
      'attributes',
    ]);
    expect(table).toMatchObject({ labels: { team: 'data' }, clustering: { fields: ['message_id'] } });
    const calls = watch(cloud);
    expect((await bootstrap()).changes).toEqual([]);
    expect(writing(calls)).toEqual([]);
  });

  it('no longer requires what need not be there', async () => {
    const [first, ...rest] = eventFields;
    await makeEvents({ schema: { fields: [{ ...first, mode: 'REQUIRED' }, ...rest] } });
    await bootstrap();
    expect((await events()).schema?.fields?.[0]?.mode).toBe('NULLABLE');
  });

  it('is told about where a column is something else, and gets the others', async () => {
    const [, ...rest] = eventFields;
    await makeEvents({ schema: { fields: [{ name: 'Subscription_Name', type: 'INTEGER' }, ...rest] } });
    const { notes, partial } = await bootstrap();
    expect(partial).toBe(true);
    expect(notes).toEqual([
      {
        code: 'TABLE_DIFFERS',
        message: expect.stringMatching(/column Subscription_Name is INTEGER, not STRING.*forceRecreate/),
      },
    ]);
    const { schema } = await events();
    expect(schema?.fields?.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'Subscription_Name INTEGER',
      'message_id STRING',
      'publish_time TIMESTAMP',
      'data JSON',
      'attributes JSON',
    ]);
    const calls = watch(cloud);
    expect((await bootstrap()).notes).toHaveLength(1);
    expect(writing(calls)).toEqual([]);
  });

  it('is told about where it is partitioned in another way', async () => {
    await makeEvents({ timePartitioning: { type: 'MONTH', field: 'publish_time' } });
    expect((await bootstrap()).notes?.[0]?.message).toContain(
      'it is partitioned by MONTH of publish_time, not partitioned by DAY of publish_time',
    );
  });

  it('keeps its partitions as long as somebody said', async () => {
    await bootstrap();
    const timePartitioning = { type: 'DAY', field: 'collected_at', expirationMs: '86400000000' };
    await send('PATCH', tablePath('fleet_metrics'), { timePartitioning });
    expect(await bootstrap()).toMatchObject({ changes: [], notes: [] });
    await expect(send('GET', tablePath('fleet_metrics'))).resolves.toMatchObject({ timePartitioning });
  });

  it('is told about where it is a view', async () => {
    const view = { query: 'SELECT 1', useLegacySql: false };
    await makeEvents({ view, schema: undefined, timePartitioning: undefined });
    expect((await bootstrap()).notes?.[0]?.message).toContain('it is a VIEW, not a TABLE');
    expect((await events()).type).toBe('VIEW');
  });

  it('is looked at again where somebody else changed it meanwhile', async () => {
    await makeEvents({});
    const calls = refuse(cloud, 'tables.patch', [412, 'conditionNotMet'], { times: 1 });
    await bootstrap();
    expect(calls.filter((method) => method === 'tables.patch')).toHaveLength(2);
    expect((await events()).schema?.fields).toHaveLength(5);
  });

  it('is left for later where somebody else changes it all the time', async () => {
    await makeEvents({});
    refuse(cloud, 'tables.patch', [412, 'conditionNotMet']);
    await expect(bootstrap()).rejects.toMatchObject({ code: 'DATASET_CHANGED', retryable: true });
  });
});

describe('a view that is there', () => {
  it('gets the query that this version has', async () => {
    await bootstrap();
    await send('PATCH', tablePath('operations'), { view: { query: 'SELECT 1', useLegacySql: false } });
    const { changes } = await bootstrap();
    expect(changes).toEqual([{ action: 'alter', kind: 'view', name: 'drover.operations', detail: 'query' }]);
    expect((await bootstrap()).changes).toEqual([]);
  });
});
