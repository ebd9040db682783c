import { describe, expect, it } from 'vitest';
import { ApiError } from '../../../local/http/api-error.ts';
import type { Table } from '../../../shared/bigquery/model.ts';
import { listTables } from '../../../shared/bigquery/resources.ts';
import {
  insertRows,
  newOperation,
  readRows,
  refuse,
  send,
  signal,
  watch,
  writing,
} from '../../shared/bigquery/fixture.ts';
import { bootstrap, dataset, tablePath, useSystem } from './system-fixture.ts';

const cloud = useSystem();

const confirm = 'acme.drover';
const forced = { forceRecreate: { tables: ['operation_events'], confirm } };
const row = (id: string) => ({ message_id: id });
const idsIn = async (table: string) => (await readRows(dataset, table)).map(([, id]) => id);
const copies = async () => (await listTables(dataset, signal)).filter((name) => name.includes('_backup_'));

/** The platform with two events. */
async function used(): Promise<void> {
  await bootstrap();
  await insertRows(dataset, 'operation_events', row('one'), row('two'));
}

describe('making tables anew', () => {
  it.each(['', 'drover', 'acme.Drover', 'acme:drover'])('is not confirmed by %o', async (wrong) => {
    await used();
    const calls = watch(cloud);
    const message = { forceRecreate: { tables: '*' as const, confirm: wrong } };
    await expect(bootstrap(message)).rejects.toMatchObject({
      code: 'CONFIRMATION_NEEDED',
      retryable: false,
      message: expect.stringContaining('"confirm": "acme.drover"'),
    });
    expect(calls).toEqual([]);
  });

  it('is for tables of ours only', async () => {
    const message = { forceRecreate: { tables: ['operations'], confirm } };
    await expect(bootstrap(message)).rejects.toMatchObject({ code: 'UNKNOWN_TABLE', retryable: false });
  });

  it('copies them first, and says where the rows are', async () => {
    await used();
    await send('PATCH', tablePath('operation_events'), { labels: { old: 'yes' } });
    const { changes, summary } = await bootstrap(forced);
    const [copy = ''] = await copies();
    expect(copy).toMatch(/^operation_events_backup_[0-9a-f]{12}$/);
    expect(summary).toEqual({ created: 0, changed: 0, recreated: 1, existed: 6 });
    expect(changes).toEqual([
      {
        action: 'create',
        kind: 'table',
        name: `drover.${copy}`,
        detail: 'copy of drover.operation_events, 2 rows',
      },
      {
        action: 'alter',
        kind: 'table',
        name: 'drover.operation_events',
        detail: `made anew; its rows are in drover.${copy}`,
      },
    ]);
    expect(await idsIn(copy)).toEqual(['one', 'two']);
    expect(await idsIn('operation_events')).toEqual([]);
    expect((await send<Table>('GET', tablePath('operation_events'))).labels).not.toHaveProperty('old');
  });

  it('makes all of them anew where the message says so', async () => {
    await used();
    const { summary } = await bootstrap({ forceRecreate: { tables: '*', confirm } });
    expect(summary).toMatchObject({ recreated: 2 });
    expect(await copies()).toHaveLength(2);
  });

  it('simply makes those that are not there', async () => {
    expect((await bootstrap(forced)).summary).toMatchObject({ created: 7, recreated: 0 });
    expect(await copies()).toEqual([]);
  });

  it('changes nothing in a dry run, which says all calls that would be made', async () => {
    await used();
    const calls = watch(cloud);
    const { changes, statements } = await bootstrap(forced, { dryRun: true });
    expect(changes).toHaveLength(2);
    expect(statements?.map((statement) => statement.split(' ').slice(0, 2).join(' '))).toEqual([
      'POST jobs',
      'DELETE datasets/drover/tables/operation_events',
      'POST datasets/drover/tables',
    ]);
    expect(writing(calls)).toEqual([]);
  });

  it('happens once for an operation that is delivered again, and again for another', async () => {
    await used();
    const id = newOperation();
    const first = await bootstrap(forced, { id });
    await insertRows(dataset, 'operation_events', row('three'));
    const calls = watch(cloud);
    expect((await bootstrap(forced, { id })).changes).toEqual(first.changes);
    expect(writing(calls)).toEqual([]);
    expect(await idsIn('operation_events')).toEqual(['three']);
    await bootstrap(forced);
    expect(await copies()).toHaveLength(2);
  });

  it.each([
    ['jobs.insert', 'before'],
    ['jobs.insert', 'after'],
    ['jobs.get', 'before'],
    ['tables.delete', 'before'],
    ['tables.delete', 'after'],
    ['tables.insert', 'before'],
    ['tables.insert', 'after'],
  ] as const)('loses no row where an attempt ends %s, %s it', async (method, phase) => {
    await used();
    const id = newOperation();
    const calls = refuse(cloud, method, [503, 'backendError'], { phase, times: 4 });
    await expect(bootstrap(forced, { id })).rejects.toMatchObject({ retryable: true });
    cloud.server.intercept = undefined;
    const tables = [...(await copies()), 'operation_events'];
    const rows = await Promise.all(tables.map((table) => idsIn(table).catch(() => [])));
    expect(rows).toContainEqual(['one', 'two']);

    expect((await bootstrap(forced, { id })).summary).toMatchObject({ recreated: 1, existed: 6 });
    const [copy = ''] = await copies();
    expect(await copies()).toHaveLength(1);
    expect(await idsIn(copy)).toEqual(['one', 'two']);
    expect(await idsIn('operation_events')).toEqual([]);
    expect(calls).toContain(method);
  });

  it('takes a copy of its own for rows that came after the first one', async () => {
    await used();
    const id = newOperation();
    refuse(cloud, 'tables.delete', [503, 'backendError']);
    await expect(bootstrap(forced, { id })).rejects.toMatchObject({ retryable: true });
    cloud.server.intercept = undefined;
    await insertRows(dataset, 'operation_events', row('three'));
    const { changes } = await bootstrap(forced, { id });
    const [, copy = ''] = await copies();
    expect(copy).toMatch(/_1$/);
    expect(changes[1]?.detail).toContain(copy);
    expect(await idsIn(copy)).toEqual(['one', 'two', 'three']);
  });

  it('leaves a table alone into which rows come while it is copied', async () => {
    await used();
    cloud.server.intercept = async ({ method, phase }) => {
      if (method !== 'Job' || phase !== 'after') return;
      cloud.server.intercept = undefined;
      await insertRows(dataset, 'operation_events', row('three'));
    };
    await expect(bootstrap(forced)).rejects.toMatchObject({ code: 'TABLE_BEING_WRITTEN', retryable: true });
    expect(await idsIn('operation_events')).toEqual(['one', 'two', 'three']);
  });

  it('leaves a table alone that was changed after it was compared', async () => {
    await used();
    refuse(cloud, 'tables.delete', [412, 'conditionNotMet']);
    await expect(bootstrap(forced)).rejects.toMatchObject({ code: 'TABLE_BEING_WRITTEN', retryable: true });
  });

  it('makes another copy where one failed, at the next attempt', async () => {
    await used();
    const id = newOperation();
    cloud.server.intercept = ({ method, phase }) => {
      if (method === 'Job' && phase === 'before') throw new ApiError(503, 'backendError', 'not now');
    };
    await expect(bootstrap(forced, { id })).rejects.toMatchObject({
      code: 'GOOGLE_UNAVAILABLE',
      retryable: true,
    });
    cloud.server.intercept = undefined;
    expect((await bootstrap(forced, { id })).summary).toMatchObject({ recreated: 1 });
    const [copy = ''] = await copies();
    expect(await idsIn(copy)).toEqual(['one', 'two']);
  });

  it('deletes nothing once its lease may be over', async () => {
    await used();
    const calls = watch(cloud);
    const assertHeld = () => {
      if (calls.includes('jobs.get')) throw new Error('lost');
    };
    await expect(bootstrap(forced, { assertHeld })).rejects.toThrow('lost');
    expect(calls).not.toContain('tables.delete');
  });

  it('is not for what is no table', async () => {
    await used();
    await send('DELETE', tablePath('operation_events'));
    await send('POST', `datasets/${dataset}/tables`, {
      tableReference: { datasetId: dataset, tableId: 'operation_events' },
      view: { query: 'SELECT 1', useLegacySql: false },
    });
    await expect(bootstrap(forced)).rejects.toMatchObject({ code: 'NOT_A_TABLE', retryable: false });
  });
});
