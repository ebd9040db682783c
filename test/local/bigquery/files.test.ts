import { gunzipSync, gzipSync } from 'node:zlib';
import type { Table } from '@google-cloud/bigquery';
import { type Bucket, Storage } from '@google-cloud/storage';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiError } from '../../../local/http/api-error.ts';
import { type LocalStorage, startStorage } from '../../../local/storage/index.ts';
import {
  ended,
  insert,
  newDataset,
  newName,
  newTable,
  project,
  refusal,
  rowsOf,
  useBigQuery,
} from './fixture.ts';

let storage: LocalStorage;
let bucket: Bucket;
beforeAll(async () => {
  storage = await startStorage({ project, buckets: ['archive'] });
  const client = new Storage({ apiEndpoint: `http://${storage.host}`, projectId: project });
  bucket = client.bucket('archive');
});
afterAll(() => storage.close());
const cloud = useBigQuery(() => ({ storageHost: storage.host, rowsPerFile: 3 }));

const schema = [
  { name: 'id', type: 'INTEGER', mode: 'REQUIRED' },
  { name: 'name', type: 'STRING' },
];
const json = { format: 'json' };

async function extract(table: Table, name: string, options: object) {
  const [job] = await table.createExtractJob(bucket.file(name), { ...options });
  return ended(job);
}

async function load(table: Table, names: string[], options: object = {}) {
  const sources = names.map((name) => bucket.file(name));
  const [job] = await table.createLoadJob(sources, { sourceFormat: 'NEWLINE_DELIMITED_JSON', ...options });
  return ended(job);
}

const contentOf = async (name: string) => (await bucket.file(name).download())[0];
const namesOf = async (prefix: string) => (await bucket.getFiles({ prefix }))[0].map(({ name }) => name);

describe('an extract job', () => {
  test('writes every type as JSON, one row a line', async () => {
    const types = ['STRING', 'BYTES', 'INTEGER', 'FLOAT', 'NUMERIC', 'BOOLEAN', 'TIMESTAMP', 'DATE'];
    const more = ['TIME', 'DATETIME', 'JSON'];
    const table = await newTable(cloud, {
      schema: [
        ...[...types, ...more].map((type) => ({ name: type, type })),
        { name: 'list', type: 'INTEGER', mode: 'REPEATED' },
        { name: 'record', type: 'RECORD', fields: [{ name: 'at', type: 'TIMESTAMP' }] },
      ],
    });
    const at = '2026-03-01T00:00:00.5Z';
    await insert(table, {
      STRING: 'a "b"',
      BYTES: 'AP8=',
      INTEGER: '9007199254740993',
      FLOAT: 1.5,
      NUMERIC: '1.10',
      BOOLEAN: true,
      TIMESTAMP: at,
      DATE: '2026-03-01',
      TIME: '01:02:03',
      DATETIME: '2026-03-01 01:02:03',
      JSON: '{"a":[1]}',
      list: [1],
      record: { at: '1969-12-31 23:59:59.75' },
    });
    await insert(table, {});
    const { status, statistics } = await extract(table, 'types.json', json);
    expect(status).toEqual({ state: 'DONE' });
    expect(statistics.extract).toMatchObject({ destinationUriFileCounts: ['1'] });
    const [first, second, ...rest] = (await contentOf('types.json')).toString().split('\n');
    expect(JSON.parse(first ?? '')).toEqual({
      STRING: 'a "b"',
      BYTES: 'AP8=',
      INTEGER: '9007199254740993',
      FLOAT: 1.5,
      NUMERIC: '1.1',
      BOOLEAN: true,
      TIMESTAMP: '2026-03-01 00:00:00.5 UTC',
      DATE: '2026-03-01',
      TIME: '01:02:03',
      DATETIME: '2026-03-01T01:02:03',
      JSON: { a: [1] },
      list: ['1'],
      record: { at: '1969-12-31 23:59:59.75 UTC' },
    });
    expect(JSON.parse(second ?? '')).toEqual({ list: [] });
    expect(rest).toEqual(['']);
  });

  test('numbers files where the name has a wildcard', async () => {
    const table = await newTable(cloud, { schema });
    await insert(table, ...[1, 2, 3, 4].map((id) => ({ id })));
    const { statistics } = await extract(table, 'parts/rows-*.json.gz', { ...json, gzip: true });
    expect(statistics.extract.destinationUriFileCounts).toEqual(['2']);
    expect(await namesOf('parts/')).toEqual([
      'parts/rows-000000000000.json.gz',
      'parts/rows-000000000001.json.gz',
    ]);
    expect(gunzipSync(await contentOf('parts/rows-000000000001.json.gz')).toString()).toBe('{"id":"4"}\n');
    const { status } = await extract(table, 'whole.json', json);
    expect(status.errorResult).toMatchObject({
      reason: 'invalid',
      message: expect.stringMatching(/too large to be exported to a single file/),
    });
  });

  test('writes a file for a table without rows, too', async () => {
    await extract(await newTable(cloud, { schema }), 'empty-*.csv', {});
    expect((await contentOf('empty-000000000000.csv')).toString()).toBe('id,name\n');
  });

  test('writes CSV with quotes where they are needed', async () => {
    const table = await newTable(cloud, { schema });
    await insert(table, { id: 1, name: 'a;"b"' }, { id: 2, name: '' }, { id: 3 });
    await extract(table, 'rows.csv', { fieldDelimiter: ';', printHeader: false });
    expect((await contentOf('rows.csv')).toString()).toBe('1;"a;""b"""\n2;""\n3;\n');
    const nested = await newTable(cloud, { schema: [{ name: 'list', type: 'STRING', mode: 'REPEATED' }] });
    expect((await extract(nested, 'nested.csv', {})).status.errorResult).toMatchObject({
      reason: 'invalid',
      message: 'Operation cannot be performed on a nested schema. Field: list',
    });
  });

  test('fails where there is no bucket or no table', async () => {
    const table = await newTable(cloud, { schema });
    const [job] = await table.createExtractJob(bucket.storage.bucket('none').file('x.json'));
    expect((await ended(job)).status.errorResult).toEqual({
      reason: 'notFound',
      message: 'Not found: URI gs://none/x.json',
    });
    const { status } = await extract(table.dataset.table('none'), 'x.json', json);
    expect(status.errorResult).toMatchObject({ reason: 'notFound', message: expect.stringMatching(/Table/) });
  });

  test('fails as Cloud Storage does', async () => {
    const table = await newTable(cloud, { schema });
    for (const [code, reason] of [
      [403, 'accessDenied'],
      [503, 'backendError'],
    ] as const) {
      storage.intercept = () => {
        throw new ApiError(code, 'forbidden', 'No.');
      };
      const { status } = await extract(table, 'x.json', json);
      expect(status.errorResult).toMatchObject({ reason });
    }
    storage.intercept = undefined;
  });

  test.each([
    [{ destinationFormat: 'AVRO' }, 501, 'notImplemented', /destinationFormat AVRO/],
    [{ compression: 'SNAPPY' }, 400, 'invalid', /Invalid value for compression/],
    [{ useAvroLogicalTypes: true }, 400, 'invalid', /useAvroLogicalTypes/],
  ])('that is not supported is refused: %j', async (options, code, reason, message) => {
    const table = await newTable(cloud, { schema });
    await expect(extract(table, 'x', options)).rejects.toMatchObject(refusal(code, reason, message));
    await expect(extract(table, 'a*b*', json)).rejects.toMatchObject(
      refusal(400, 'invalid', /at most one wildcard/),
    );
  });
});

describe('a load job', () => {
  const put = (name: string, content: string | Buffer) =>
    bucket.file(name).save(content, { resumable: false });

  test('brings back what was extracted', async () => {
    const table = await newTable(cloud, {
      schema: [
        ...schema,
        { name: 'at', type: 'TIMESTAMP' },
        { name: 'json', type: 'JSON' },
        { name: 'in', type: 'RECORD', mode: 'REPEATED', fields: [{ name: 'f', type: 'FLOAT' }] },
      ],
    });
    const row = { name: 'ä\n"', at: '2026-03-01T00:00:00.123456Z', json: '{"a":"b"}', in: [{ f: 0.5 }] };
    await insert(table, ...[1, 2, 3, 4].map((id) => ({ id, ...row })), { id: 5 });
    await extract(table, 'back/*.gz', { ...json, gzip: true });
    const restored = table.dataset.table(newName('t'));
    const { status, statistics } = await load(restored, ['back/*.gz'], { schema: table.metadata.schema });
    expect(status).toEqual({ state: 'DONE' });
    expect(statistics.load).toMatchObject({ inputFiles: '2', outputRows: '5', badRecords: '0' });
    expect(await rowsOf(restored)).toEqual(await rowsOf(table));
  });

  test('makes a table with a schema, and appends to one that has it', async () => {
    await put('one.json', '{"id":1,"name":"a"}\n\n{"id":"2"}');
    const table = (await newDataset(cloud)).table(newName('t'));
    await expect(load(table, ['one.json'])).rejects.toMatchObject(
      refusal(400, 'invalid', 'No schema specified on job or table.'),
    );
    const shape = { schema: { fields: schema }, clustering: { fields: ['id'] } };
    await load(table, ['one.json'], { ...shape, timePartitioning: { type: 'MONTH' } });
    expect((await table.getMetadata())[0]).toMatchObject({ ...shape, timePartitioning: { type: 'MONTH' } });
    await load(table, ['one.json']);
    expect(await rowsOf(table)).toHaveLength(4);
    await load(table, ['one.json'], { writeDisposition: 'WRITE_TRUNCATE' });
    expect((await table.getMetadata())[0]).toMatchObject({ ...shape, timePartitioning: { type: 'MONTH' } });
    expect(await rowsOf(table)).toEqual([
      { id: 1, name: 'a' },
      { id: 2, name: null },
    ]);
  });

  test('leaves the partitioning as it is', async () => {
    const table = await newTable(cloud, { schema, timePartitioning: { type: 'MONTH' } });
    const options = { timePartitioning: { type: 'DAY' }, writeDisposition: 'WRITE_TRUNCATE' };
    await expect(load(table, ['one.json'], options)).rejects.toMatchObject(
      refusal(400, 'invalid', /Cannot change partitioning spec/),
    );
  });

  test('finds files on all pages of a list', async () => {
    await put('pages/a.json', '{"id":1}');
    await put('pages/b.json', '{"id":2}');
    storage.intercept = ({ method, phase, request, answer }) => {
      if (method !== 'objects.list' || phase !== 'after' || request['pageToken'] || !answer) return;
      answer['items'] = (answer['items'] as unknown[]).slice(0, 1);
      answer['nextPageToken'] = Buffer.from('pages/a.json').toString('base64');
    };
    const table = await newTable(cloud, { schema });
    await load(table, ['pages/*']);
    storage.intercept = undefined;
    expect(await rowsOf(table)).toMatchObject([{ id: 1 }, { id: 2 }]);
  });

  test('reads several files, compressed or not', async () => {
    await put('many/a.json', '{"id":1}');
    await put('many/b.json', gzipSync('{"id":2}'));
    await put('many/c.txt', 'no row');
    const table = await newTable(cloud, { schema });
    await load(table, ['many/*.json', 'many/a.json']);
    expect(await rowsOf(table)).toMatchObject([{ id: 1 }, { id: 2 }, { id: 1 }]);
  });

  test('fails with all of its rows where some don’t fit, unless that many may', async () => {
    await put('bad.json', '{"id":1}\n{"id":"x"}\n{"id":3,"other":1}\n[]\n');
    const table = await newTable(cloud, { schema });
    const { status } = await load(table, ['bad.json']);
    const location = 'gs://archive/bad.json';
    const prefix = 'Error while reading data, error message: JSON';
    expect(status.errorResult).toEqual({
      reason: 'invalid',
      location,
      message: `${prefix} table encountered too many errors, giving up. Rows: 3; errors: 3. Please look into the errors[] collection for more details.`,
    });
    expect(status.errors[1]).toEqual({
      reason: 'invalid',
      location,
      message: `${prefix} parsing error in row starting at position 9: Cannot convert value to integer (bad value): x`,
    });
    expect(status.errors[2].message).toMatch(/position 20: no such field: other/);
    expect(await rowsOf(table)).toEqual([]);
    const { statistics } = await load(table, ['bad.json'], { maxBadRecords: 2, ignoreUnknownValues: true });
    expect(statistics.load).toMatchObject({ outputRows: '2', badRecords: '2' });
    expect(await rowsOf(table)).toMatchObject([{ id: 1 }, { id: 3 }]);
  });

  test('fails where there is no file', async () => {
    const table = await newTable(cloud, { schema });
    for (const name of ['none.json', 'none-*.json']) {
      const { status } = await load(table, [name]);
      expect(status.errorResult).toEqual({
        reason: 'notFound',
        message: `Not found: URI gs://archive/${name}`,
      });
    }
  });

  test('needs the schema that the table has', async () => {
    await put('other.json', '{"id":1,"more":"x"}');
    const table = await newTable(cloud, { schema });
    const fields = [...schema, { name: 'more', type: 'STRING' }];
    const { status } = await load(table, ['other.json'], { schema: { fields } });
    expect(status.errorResult.message).toMatch(/^Provided Schema does not match Table .* \(field: more\)$/);
  });

  test.each([
    [{ sourceFormat: 'CSV' }, 501, 'notImplemented', /sourceFormat CSV/],
    [{ autodetect: true }, 400, 'invalid', /autodetect/],
    [{ schemaUpdateOptions: ['ALLOW_FIELD_ADDITION'] }, 400, 'invalid', /schemaUpdateOptions/],
  ])('that is not supported is refused: %j', async (options, code, reason, message) => {
    const table = await newTable(cloud, { schema });
    await expect(load(table, ['x.json'], options)).rejects.toMatchObject(refusal(code, reason, message));
  });
});
