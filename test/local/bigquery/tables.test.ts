import { describe, expect, test } from 'vitest';
import { startBigQuery } from '../../../local/bigquery/index.ts';
import {
  call,
  change,
  clientOf,
  insert,
  newDataset,
  newName,
  newTable,
  project,
  refusal,
  start,
  useBigQuery,
} from './fixture.ts';

const cloud = useBigQuery();
const day = 86_400_000;
const schema = {
  fields: [
    { name: 'id', type: 'INTEGER', mode: 'REQUIRED' },
    { name: 'at', type: 'TIMESTAMP', description: 'when' },
    { name: 'tags', type: 'RECORD', mode: 'REPEATED', fields: [{ name: 'key', type: 'STRING' }] },
  ],
};

describe('a table', () => {
  test('has what it was made with', async () => {
    const dataset = await newDataset(cloud, { location: 'EU' });
    const settings = {
      schema,
      friendlyName: 'Events',
      description: 'of tenants',
      labels: { team: 'a' },
      timePartitioning: { type: 'DAY', field: 'at', expirationMs: String(day) },
      requirePartitionFilter: true,
      clustering: { fields: ['id'] },
    };
    const table = await newTable(cloud, settings, dataset);
    const [metadata] = await table.getMetadata();
    expect(metadata).toEqual({
      ...settings,
      kind: 'bigquery#table',
      etag: expect.any(String),
      id: `${project}:${dataset.id}.${table.id}`,
      selfLink: expect.stringContaining(`/tables/${table.id}`),
      tableReference: { projectId: project, datasetId: dataset.id, tableId: table.id },
      creationTime: String(start.getTime()),
      lastModifiedTime: String(start.getTime()),
      location: 'EU',
      type: 'TABLE',
      numRows: '0',
      numBytes: '0',
    });
  });

  test('is made once, and is not found before', async () => {
    const dataset = await newDataset(cloud);
    const missing = refusal(404, 'notFound', `Not found: Table ${project}:${dataset.id}.t`);
    await expect(dataset.table('t').getMetadata()).rejects.toMatchObject(missing);
    await expect(dataset.table('t').delete()).rejects.toMatchObject(missing);
    await dataset.createTable('t', { schema });
    await expect(dataset.createTable('t', { schema })).rejects.toMatchObject(
      refusal(409, 'duplicate', `Already Exists: Table ${project}:${dataset.id}.t`),
    );
    await dataset.table('t').delete();
    expect(await dataset.table('t').exists()).toEqual([false]);
  });

  test('has names of its own rules', async () => {
    const dataset = await newDataset(cloud);
    await dataset.createTable('Übersicht 2026-03', { schema });
    expect(await dataset.table('Übersicht 2026-03').exists()).toEqual([true]);
    for (const id of ['a.b', 'a$20260301', 'a'.repeat(1025)]) {
      await expect(dataset.createTable(id, { schema })).rejects.toMatchObject(
        refusal(400, 'invalid', /^Invalid table ID/),
      );
    }
  });

  test('is named where it is', async () => {
    const { id } = await newDataset(cloud);
    for (const reference of [{ projectId: 'other' }, { datasetId: 'other' }]) {
      const tableReference = { tableId: 't', ...reference };
      expect(await call(cloud, 'POST', `datasets/${id}/tables`, { tableReference, schema })).toMatchObject({
        status: 400,
      });
    }
  });

  test('expires', async () => {
    const expirationTime = String(start.getTime() + 60_000);
    const dataset = await newDataset(cloud);
    const table = await newTable(cloud, { schema, expirationTime }, dataset);
    cloud.server.advance(59);
    expect(await table.exists()).toEqual([true]);
    cloud.server.advance(1);
    expect(await table.exists()).toEqual([false]);
    await dataset.delete();
    await expect(newTable(cloud, { schema, expirationTime })).rejects.toMatchObject(
      refusal(400, 'invalid', /not in the future/),
    );
  });

  test('takes over when the dataset lets tables or partitions expire', async () => {
    const dataset = await newDataset(cloud, {
      defaultTableExpirationMs: '3600000',
      defaultPartitionExpirationMs: String(day),
    });
    const plain = await newTable(cloud, { schema }, dataset);
    expect(Number(plain.metadata.expirationTime) - Number(plain.metadata.creationTime)).toBe(3_600_000);
    const partitioned = await newTable(cloud, { schema, timePartitioning: { type: 'DAY' } }, dataset);
    expect(partitioned.metadata.timePartitioning).toEqual({ type: 'DAY', expirationMs: String(day) });
    expect(partitioned.metadata).not.toHaveProperty('expirationTime');
  });

  test('answers types by their old names', async () => {
    const fields = [
      { name: 'i', type: 'INT64' },
      { name: 'f', type: 'float64' },
      { name: 'b', type: 'BOOL' },
      { name: 's', type: 'STRUCT', fields: [{ name: 'x', type: 'STRING' }] },
    ];
    const { body } = await call(cloud, 'POST', `datasets/${(await newDataset(cloud)).id}/tables`, {
      tableReference: { tableId: 't' },
      schema: { fields },
    });
    const types = (body['schema'] as typeof schema).fields.map(({ type }) => type);
    expect(types).toEqual(['INTEGER', 'FLOAT', 'BOOLEAN', 'RECORD']);
  });

  test.each([
    [{ schema: [{ name: 'a-b', type: 'STRING' }] }, /Invalid field name "a-b"/],
    [{ schema: [{ name: '_PARTITIONTIME', type: 'STRING' }] }, /Invalid field name/],
    [{ schema: [{ name: 'a', type: 'TEXT' }] }, /The type TEXT of field a is not implemented/],
    [{ schema: [{ name: 'a', type: 'STRING', mode: 'OPTIONAL' }] }, /Invalid value for mode/],
    [{ schema: [{ name: 'a', type: 'RECORD' }] }, /Field a is type RECORD but has no schema/],
    [{ schema: ['a', 'A'].map((name) => ({ name, type: 'STRING' })) }, /Field A already exists in schema/],
    [{ schema: [{ name: 'a', type: 'STRING', policyTags: {} }] }, /policyTags of a field is not implemented/],
    [{ schema, timePartitioning: { type: 'WEEK' } }, /Invalid value for type/],
    [{ schema, timePartitioning: { type: 'DAY', field: 'none' } }, /time partitioning cannot be found.*none/],
    [{ schema, timePartitioning: { type: 'DAY', field: 'id' } }, /Field id of type INTEGER cannot be used/],
    [
      { schema: [{ name: 'on', type: 'DATE' }], timePartitioning: { type: 'HOUR', field: 'on' } },
      /Field on of type DATE cannot be used for partitioning by HOUR/,
    ],
    [{ schema, clustering: { fields: ['none'] } }, /clustering cannot be found in the schema.*none/],
    [{ schema, clustering: { fields: ['tags'] } }, /Field tags of type RECORD cannot be used/],
    [{ schema, clustering: { fields: [] } }, /Clustering needs 1 to 4 fields/],
    [{ schema, requirePartitionFilter: true }, /can only be set on a partitioned table/],
    [{ schema, rangePartitioning: {} }, /rangePartitioning of a table is not implemented/],
    [{ materializedView: { query: 'SELECT 1' } }, /materializedView of a table is not implemented/],
  ])('is not made with what is wrong or not supported: %j', async (settings, message) => {
    await expect(newTable(cloud, settings)).rejects.toMatchObject(refusal(400, 'invalid', message));
  });
});

describe('a change of a table', () => {
  const fields = schema.fields;

  test('leaves what it does not name, and takes other settings', async () => {
    const table = await newTable(cloud, { schema, description: 'old', labels: { a: '1' } });
    const metadata = await change(table, { labels: { b: '2' }, clustering: { fields: ['id'] } });
    expect(metadata).toMatchObject({ description: 'old', labels: { a: '1', b: '2' }, schema });
    expect(metadata.clustering).toEqual({ fields: ['id'] });
    expect(await change(table, { clustering: null })).not.toHaveProperty('clustering');
  });

  test('needs the current etag where one is given', async () => {
    const table = await newTable(cloud, { schema });
    const [{ etag }] = await table.getMetadata();
    await table.setMetadata({ description: 'mine', etag });
    await expect(table.setMetadata({ description: 'theirs', etag })).rejects.toMatchObject(
      refusal(412, 'conditionNotMet', 'Precondition check failed.'),
    );
  });

  test('may add columns and relax required ones, at all levels', async () => {
    const table = await newTable(cloud, { schema });
    const [id, at, tags] = fields;
    const next = [
      { ...id, mode: 'NULLABLE' },
      { ...at, description: 'later' },
      { ...tags, fields: [...(tags?.fields ?? []), { name: 'value', type: 'STRING' }] },
      { name: 'note', type: 'STRING', mode: 'REPEATED' },
    ];
    const [metadata] = await table.setMetadata({ schema: next });
    expect(metadata.schema.fields).toEqual(next);
  });

  test.each([
    ['drops a column', fields.slice(1), 'Field id is missing in new schema'],
    ['renames one', [{ ...fields[0], name: 'key' }, ...fields.slice(1)], 'Field id is missing in new schema'],
    [
      'retypes one',
      [{ ...fields[0], type: 'STRING' }, ...fields.slice(1)],
      'Field id has changed type from INTEGER to STRING',
    ],
    [
      'requires one',
      [fields[0], { ...fields[1], mode: 'REQUIRED' }, fields[2]],
      'Field at has changed mode from NULLABLE to REQUIRED',
    ],
    [
      'makes one a list',
      [fields[0], { ...fields[1], mode: 'REPEATED' }, fields[2]],
      'Field at has changed mode from NULLABLE to REPEATED',
    ],
    [
      'adds a required one',
      [...fields, { name: 'must', type: 'STRING', mode: 'REQUIRED' }],
      'Cannot add required fields to an existing schema. (field: must)',
    ],
    [
      'drops one within another',
      [fields[0], fields[1], { ...fields[2], fields: [{ name: 'other', type: 'STRING' }] }],
      'Field tags.key is missing in new schema',
    ],
  ])('never %s', async (_, next, message) => {
    const table = await newTable(cloud, { schema });
    await expect(change(table, { schema: next })).rejects.toMatchObject(
      refusal(
        400,
        'invalid',
        `Provided Schema does not match Table ${project}:${table.dataset.id}.${table.id}. ${message}`,
      ),
    );
    expect((await table.getMetadata())[0].schema).toEqual(schema);
  });

  test('keeps the partitioning, but not how long partitions are kept', async () => {
    const plain = await newTable(cloud, { schema });
    await expect(plain.setMetadata({ timePartitioning: { type: 'DAY' } })).rejects.toMatchObject(
      refusal(400, 'invalid', 'Cannot convert non-partitioned table to partitioned table.'),
    );
    const table = await newTable(cloud, { schema, timePartitioning: { type: 'DAY' } });
    for (const timePartitioning of [{ type: 'HOUR' }, { field: 'at' }, null]) {
      await expect(change(table, { timePartitioning })).rejects.toMatchObject(
        refusal(400, 'invalid', /Cannot change partitioning spec/),
      );
    }
    const [metadata] = await table.setMetadata({ timePartitioning: { expirationMs: '1000' } });
    expect(metadata.timePartitioning).toEqual({ type: 'DAY', expirationMs: '1000' });
  });

  test('by update replaces all', async () => {
    const table = await newTable(cloud, { schema, description: 'old' });
    const path = `datasets/${table.dataset.id}/tables/${table.id}`;
    expect((await call(cloud, 'PUT', path, { friendlyName: 'New' })).status).toBe(400);
    const { body } = await call(cloud, 'PUT', path, { friendlyName: 'New', schema });
    expect(body).toMatchObject({ friendlyName: 'New', schema });
    expect(body).not.toHaveProperty('description');
  });
});

describe('a partition', () => {
  const second = 1000;

  test.each([
    ['HOUR', '2026-05-17T10:00:00Z'],
    ['DAY', '2026-05-17T00:00:00Z'],
    ['MONTH', '2026-05-01T00:00:00Z'],
    ['YEAR', '2026-01-01T00:00:00Z'],
  ])('of a column expires so long after its %s began', async (type, begin) => {
    const now = Date.parse('2026-05-17T10:30:00Z');
    const expirationMs = String(now - Date.parse(begin) + second);
    const clock = await startBigQuery({ project, now: () => new Date(now) });
    const table = await newTable(
      { server: clock, client: clientOf(clock) },
      { schema, timePartitioning: { type, field: 'at', expirationMs } },
    );
    await insert(table, { id: 1, at: '2026-05-17T10:29:00Z' }, { id: 2 }, { id: 3, at: '2027-01-01' });
    const ids = async () => (await table.getRows())[0].map(({ id }: { id: number }) => id);
    expect(await ids()).toEqual([1, 2, 3]);
    clock.advance(1);
    expect(await ids()).toEqual([2, 3]);
    await clock.close();
  });

  test('of a column of dates, or of the time of arrival', async () => {
    const midnight = Date.parse('2026-05-18T00:00:00Z');
    const clock = await startBigQuery({ project, now: () => new Date(midnight - second) });
    const fixture = { server: clock, client: clientOf(clock) };
    const timePartitioning = { type: 'DAY', expirationMs: String(day) };
    const dates = await newTable(fixture, {
      schema: [{ name: 'on', type: 'DATE' }],
      timePartitioning: { ...timePartitioning, field: 'on' },
    });
    await insert(dates, { on: '2026-05-17' });
    const arrivals = await newTable(fixture, { schema, timePartitioning });
    await insert(arrivals, { id: 1 });
    const counts = () =>
      Promise.all([dates, arrivals].map(async (table) => (await table.getMetadata())[0].numRows));
    expect(await counts()).toEqual(['1', '1']);
    clock.advance(1);
    expect(await counts()).toEqual(['0', '0']);
    await clock.close();
  });
});

describe('a view', () => {
  const view = { query: 'SELECT 1 AS one', useLegacySql: false };

  test('keeps its query, and has no rows', async () => {
    const table = await newTable(cloud, { view });
    expect((await table.getMetadata())[0]).toMatchObject({ type: 'VIEW', view });
    expect((await table.getMetadata())[0]).not.toHaveProperty('numRows');
    await expect(table.getRows()).rejects.toMatchObject(
      refusal(400, 'invalid', 'Cannot list a table of type VIEW.'),
    );
    await expect(insert(table, { one: 1 })).rejects.toMatchObject(
      refusal(400, 'invalid', 'Cannot add rows to a table of type VIEW.'),
    );
    const [metadata] = await table.setMetadata({ view: 'SELECT 2 AS two' });
    expect(metadata.view).toEqual({ query: 'SELECT 2 AS two', useLegacySql: false });
  });

  test('is legacy SQL unless it says otherwise, has no schema, and stays a view', async () => {
    const table = await newTable(cloud, { view: { query: 'SELECT 1' } });
    expect(table.metadata.view).toEqual({ query: 'SELECT 1', useLegacySql: true });
    await expect(newTable(cloud, { view, schema })).rejects.toMatchObject(
      refusal(400, 'invalid', /Schema field shouldn't be used/),
    );
    await expect(change(await newTable(cloud, { schema }), { view, schema: null })).rejects.toMatchObject(
      refusal(400, 'invalid', /Cannot change the type/),
    );
  });
});

describe('a list of tables', () => {
  test('has them by name, in pages', async () => {
    const dataset = await newDataset(cloud);
    for (const id of ['b', 'a', 'c']) await dataset.createTable(id, { schema, labels: { id } });
    await dataset.createTable(newName('v'), { view: 'SELECT 1' });
    const page = { maxResults: 2, autoPaginate: false };
    const [first, next] = await dataset.getTables(page);
    const [second, none] = await dataset.getTables({ ...page, ...next });
    expect([...first, ...second].map(({ id }) => id)).toEqual(['a', 'b', 'c', expect.stringMatching(/^v/)]);
    expect(none).toBeNull();
    expect(first[0]?.metadata).toMatchObject({ type: 'TABLE', labels: { id: 'a' } });
    expect(second[1]?.metadata).toMatchObject({ type: 'VIEW', view: { useLegacySql: false } });
    expect(first[0]?.metadata).not.toHaveProperty('schema');
  });
});
