import { BigQuery } from '@google-cloud/bigquery';
import { describe, expect, test } from 'vitest';
import { call, insert, newTable, refusal, rowsOf, useBigQuery } from './fixture.ts';

const cloud = useBigQuery();
const schema = [
  { name: 'id', type: 'INTEGER', mode: 'REQUIRED' },
  { name: 'name', type: 'STRING' },
];

const path = (table: { id?: string | undefined; dataset: { id?: string | undefined } }) =>
  `datasets/${table.dataset.id}/tables/${table.id}`;

describe('a row', () => {
  test('comes back as it was inserted', async () => {
    const table = await newTable(cloud, {
      schema: [
        { name: 'text', type: 'STRING' },
        { name: 'bytes', type: 'BYTES' },
        { name: 'integer', type: 'INTEGER' },
        { name: 'float', type: 'FLOAT' },
        { name: 'numeric', type: 'NUMERIC' },
        { name: 'yes', type: 'BOOLEAN' },
        { name: 'at', type: 'TIMESTAMP' },
        { name: 'date', type: 'DATE' },
        { name: 'time', type: 'TIME' },
        { name: 'datetime', type: 'DATETIME' },
        { name: 'json', type: 'JSON' },
        { name: 'tags', type: 'STRING', mode: 'REPEATED' },
        {
          name: 'parts',
          type: 'RECORD',
          mode: 'REPEATED',
          fields: [
            { name: 'n', type: 'INTEGER' },
            { name: 'in', type: 'RECORD', fields: [{ name: 'at', type: 'TIMESTAMP' }] },
          ],
        },
        { name: 'nothing', type: 'STRING' },
        { name: 'none', type: 'STRING', mode: 'REPEATED' },
      ],
    });
    const at = BigQuery.timestamp('2026-03-01T12:34:56.789012Z');
    const row = {
      text: 'äöü',
      bytes: Buffer.from([0, 255, 16]),
      integer: 42,
      float: 0.1,
      yes: true,
      at,
      date: BigQuery.date('2026-03-01'),
      time: BigQuery.time('01:02:03.5'),
      datetime: BigQuery.datetime('2026-03-01T01:02:03'),
      tags: ['a', 'b'],
      parts: [
        { n: 1, in: { at } },
        { n: null, in: null },
      ],
    };
    await insert(table, { ...row, json: '{"a": [1, null]}', numeric: '12.50' });
    const [[found]] = await table.getRows({ parseJSON: true });
    expect(found).toMatchObject({ ...row, json: { a: [1, null] } });
    expect(String(found.numeric)).toBe('12.5');
    expect(found).toMatchObject({ nothing: null, none: [] });
  });

  test.each([
    ['INTEGER', '9223372036854775807', '9223372036854775807'],
    ['INTEGER', '-9223372036854775808', '-9223372036854775808'],
    ['INTEGER', 7.0, '7'],
    ['FLOAT', 1, '1.0'],
    ['FLOAT', 'NaN', 'NaN'],
    ['FLOAT', '-inf', '-Infinity'],
    ['NUMERIC', '-0.10', '-0.1'],
    ['BIGNUMERIC', `${'9'.repeat(38)}.${'1'.repeat(38)}`, `${'9'.repeat(38)}.${'1'.repeat(38)}`],
    ['BOOLEAN', 'Yes', 'true'],
    ['BOOLEAN', 0, 'false'],
    ['STRING', 12, '12'],
    ['DATE', '2024-2-29', '2024-02-29'],
    ['TIME', '1:02:03.120', '01:02:03.12'],
    ['DATETIME', '2026-03-01 10:00:00.000001', '2026-03-01T10:00:00.000001'],
    ['TIMESTAMP', '2026-03-01', '1772323200000000'],
    ['TIMESTAMP', '2026-03-01 01:00:00+01:00', '1772323200000000'],
    ['TIMESTAMP', '2026-03-01T00:00:00.123456Z', '1772323200123456'],
    ['TIMESTAMP', '2026-03-01 00:00:00 UTC', '1772323200000000'],
    ['TIMESTAMP', 1772323200, '1772323200000000'],
    ['TIMESTAMP', 1772323200.25, '1772323200250000'],
    ['TIMESTAMP', '1772323200.123456', '1772323200123456'],
    ['TIMESTAMP', '1969-12-31 23:59:59.5', '-500000'],
    ['TIMESTAMP', '0001-01-01', '-62135596800000000'],
    ['JSON', '[1, "a"]', '[1,"a"]'],
  ])('has for %s from %j the value %s', async (type, value, expected) => {
    const table = await newTable(cloud, { schema: [{ name: 'v', type }] });
    await insert(table, { v: value });
    const { body } = await call(cloud, 'GET', `${path(table)}/data?formatOptions.useInt64Timestamp=true`);
    expect(body['rows']).toEqual([{ f: [{ v: expected }] }]);
  });

  test.each([
    ['INTEGER', 'abc', /Cannot convert value to integer \(bad value\): abc/],
    ['INTEGER', '9223372036854775808', /Cannot convert value to integer/],
    ['INTEGER', '-9223372036854775809', /Cannot convert value to integer/],
    ['INTEGER', 1.5, /Cannot convert value to integer/],
    ['FLOAT', '', /Cannot convert value to floating point/],
    ['NUMERIC', `1${'0'.repeat(29)}`, /Invalid NUMERIC value/],
    ['NUMERIC', '0.0000000001', /Invalid NUMERIC value/],
    ['NUMERIC', '-', /Invalid NUMERIC value/],
    ['BOOLEAN', 'maybe', /Cannot convert value to boolean/],
    ['BYTES', '*', /Could not decode base64/],
    ['DATE', '2026-02-29', /Invalid date or time/],
    ['DATE', '01.03.2026', /Could not parse '01.03.2026' as a date/],
    ['TIME', '24:00:00', /Invalid date or time/],
    ['DATETIME', 'now', /Could not parse 'now' as datetime/],
    ['TIMESTAMP', 'soon', /Could not parse 'soon' as a timestamp/],
    ['TIMESTAMP', '2026-13-01', /Invalid date or time/],
    ['TIMESTAMP', 999999999999999, /out of range/],
    ['JSON', '{', /Invalid JSON value/],
    ['STRING', { a: 1 }, /This field: v is not a record./],
    ['STRING', ['a'], /Array specified for non-repeated field./],
  ])('with %s %j is refused', async (type, value, message) => {
    const table = await newTable(cloud, { schema: [{ name: 'v', type }] });
    const { body } = await call(cloud, 'POST', `${path(table)}/insertAll`, {
      rows: [{ json: { v: value } }],
    });
    expect(body).toEqual({
      kind: 'bigquery#tableDataInsertAllResponse',
      insertErrors: [
        {
          index: 0,
          errors: [
            { reason: 'invalid', location: 'v', debugInfo: '', message: expect.stringMatching(message) },
          ],
        },
      ],
    });
    expect(await rowsOf(table)).toEqual([]);
  });

  test.each([
    [{ id: 1, other: 2 }, 'no such field: other.', 'other'],
    [{ name: 'a' }, 'Missing required field: Msg_0_CLOUD_QUERY_TABLE.id.', ''],
    [{ id: null }, 'Missing required field: Msg_0_CLOUD_QUERY_TABLE.id.', ''],
    [{ id: 1, in: { x: { y: 1 } } }, 'no such field: in.x.', 'in.x'],
    [{ id: 1, in: 'x' }, 'This field: in is not a scalar.', 'in'],
    [{ id: 1, list: 'x' }, 'Repeated field must be imported as a JSON array.', 'list'],
    [{ id: 1, list: [null] }, 'Only optional fields can be set to NULL. Field: list; Value: NULL', 'list'],
  ])('that does not fit the schema is refused: %j', async (row, message, location) => {
    const table = await newTable(cloud, {
      schema: [
        ...schema,
        { name: 'in', type: 'RECORD', fields: [{ name: 'n', type: 'INTEGER' }] },
        { name: 'list', type: 'STRING', mode: 'REPEATED' },
      ],
    });
    const { body } = await call(cloud, 'POST', `${path(table)}/insertAll`, { rows: [{ json: row }] });
    expect(body['insertErrors']).toEqual([
      { index: 0, errors: [{ reason: 'invalid', location, debugInfo: '', message }] },
    ]);
  });

  test('has names of columns in any case, and nothing in columns that came later', async () => {
    const table = await newTable(cloud, { schema });
    await insert(table, { ID: 1, Name: 'a' });
    await table.setMetadata({ schema: [...schema, { name: 'late', type: 'STRING', mode: 'REPEATED' }] });
    expect(await rowsOf(cloud.client.dataset(table.dataset.id ?? '').table(table.id ?? ''))).toEqual([
      { id: 1, name: 'a', late: [] },
    ]);
  });
});

describe('an insertion', () => {
  test('is all or nothing, unless invalid rows are to be skipped', async () => {
    const table = await newTable(cloud, { schema });
    const rows = [{ id: 1 }, { id: 'x' }, { id: 3 }];
    const error = await insert(table, ...rows).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      name: 'PartialFailureError',
      errors: [
        { row: { id: 1 }, errors: [{ reason: 'stopped', message: '' }] },
        { row: { id: 'x' }, errors: [{ reason: 'invalid', message: expect.stringMatching(/integer/) }] },
        { row: { id: 3 }, errors: [{ reason: 'stopped' }] },
      ],
    });
    expect(await rowsOf(table)).toEqual([]);
    const skipping = table.insert(rows, { skipInvalidRows: true, partialRetries: 0 });
    await expect(skipping).rejects.toMatchObject({ errors: [{ row: { id: 'x' } }] });
    expect(await rowsOf(table)).toMatchObject([{ id: 1 }, { id: 3 }]);
  });

  test('leaves out unknown values if asked to', async () => {
    const table = await newTable(cloud, { schema });
    await table.insert([{ id: 1, other: 2 }], { ignoreUnknownValues: true });
    expect(await rowsOf(table)).toEqual([{ id: 1, name: null }]);
  });

  test('with an id that was used within a minute adds nothing', async () => {
    const table = await newTable(cloud, { schema });
    const row = (id: number) => ({ insertId: 'once', json: { id } });
    await table.insert([row(1), row(2)], { raw: true });
    cloud.server.advance(59);
    await table.insert([row(3)], { raw: true });
    expect(await rowsOf(table)).toMatchObject([{ id: 1 }]);
    cloud.server.advance(1);
    await table.insert([row(4)], { raw: true });
    expect(await rowsOf(table)).toMatchObject([{ id: 1 }, { id: 4 }]);
  });

  test('that was refused may come again with its id', async () => {
    const table = await newTable(cloud, { schema });
    const rows = [{ insertId: 'again', json: { id: 1 } }];
    const invalid = { insertId: 'bad', json: {} };
    await expect(table.insert([...rows, invalid], { raw: true, partialRetries: 0 })).rejects.toThrow();
    await table.insert(rows, { raw: true });
    expect(await rowsOf(table)).toMatchObject([{ id: 1 }]);
  });

  test('needs rows, a schema and a table', async () => {
    const table = await newTable(cloud, {});
    await expect(insert(table, { id: 1 })).rejects.toMatchObject(
      refusal(400, 'invalid', 'The destination table has no schema.'),
    );
    await expect(insert(table.dataset.table('none'), { id: 1 })).rejects.toMatchObject(
      refusal(404, 'notFound', /^Not found: Table/),
    );
    const full = await newTable(cloud, { schema });
    expect(await call(cloud, 'POST', `${path(full)}/insertAll`, { rows: [] })).toMatchObject({ status: 400 });
    const suffix = { rows: [{ json: { id: 1 } }], templateSuffix: '_x' };
    expect(await call(cloud, 'POST', `${path(full)}/insertAll`, suffix)).toMatchObject({
      status: 400,
      body: { error: { message: expect.stringMatching(/templateSuffix/), status: 'INVALID_ARGUMENT' } },
    });
  });
});

describe('a list of rows', () => {
  const many = { length: 5 };

  test('comes in pages, or from an index', async () => {
    const table = await newTable(cloud, { schema });
    await insert(table, ...Array.from(many, (_, id) => ({ id })));
    const ids = (rows: { id: number }[]) => rows.map(({ id }) => id);
    const page = { maxResults: 2, autoPaginate: false };
    const [first, next, answer] = await table.getRows(page);
    expect(ids(first)).toEqual([0, 1]);
    expect(answer).toMatchObject({ kind: 'bigquery#tableDataList', totalRows: '5' });
    const [second, , last] = await table.getRows({ ...next, maxResults: 3 });
    expect(ids(second)).toEqual([2, 3, 4]);
    expect(last).not.toHaveProperty('pageToken');
    expect(ids((await table.getRows({ startIndex: '3' }))[0])).toEqual([3, 4]);
    await expect(table.getRows({ pageToken: 'zzz' })).rejects.toMatchObject(
      refusal(400, 'invalid', /page token/),
    );
  });

  test('has the selected fields only', async () => {
    const table = await newTable(cloud, {
      schema: [
        ...schema,
        {
          name: 'in',
          type: 'RECORD',
          fields: [
            { name: 'a', type: 'STRING' },
            { name: 'b', type: 'STRING' },
          ],
        },
      ],
    });
    await insert(table, { id: 1, name: 'x', in: { a: 'y', b: 'z' } });
    expect((await table.getRows({ selectedFields: 'name,id' }))[0]).toEqual([{ id: 1, name: 'x' }]);
    expect((await table.getRows({ selectedFields: 'in.b' }))[0]).toEqual([{ in: { b: 'z' } }]);
    await expect(table.getRows({ selectedFields: 'in.c' })).rejects.toMatchObject(
      refusal(400, 'invalid', 'No such field: in.c.'),
    );
  });

  test('has timestamps in microseconds or in seconds', async () => {
    const table = await newTable(cloud, { schema: [{ name: 'at', type: 'TIMESTAMP' }] });
    await insert(table, { at: '2026-03-01T00:00:00.120001Z' });
    const old = await newTable(cloud, { schema: [{ name: 'at', type: 'TIMESTAMP' }] });
    await insert(old, { at: '1969-12-31 23:59:59.5' });
    expect((await call(cloud, 'GET', `${path(old)}/data`)).body['rows']).toEqual([{ f: [{ v: '-0.5' }] }]);
    const { body } = await call(cloud, 'GET', `${path(table)}/data`);
    expect(body['rows']).toEqual([{ f: [{ v: '1772323200.120001' }] }]);
    const seconds = await table.getRows({ 'formatOptions.useInt64Timestamp': false });
    expect(seconds[0][0].at.value).toMatch(/^2026-03-01T00:00:00\.12/);
    expect((await table.getRows())[0][0].at.value).toBe('2026-03-01T00:00:00.120001000Z');
    await expect(
      table.getRows({ 'formatOptions.timestampOutputFormat': 'ISO8601_STRING' }),
    ).rejects.toMatchObject(refusal(501, 'notImplemented', /timestampOutputFormat/));
  });

  test('counts rows and bytes in the table', async () => {
    const table = await newTable(cloud, { schema });
    await insert(table, { id: 1, name: 'abc' }, { id: 2 });
    expect((await table.getMetadata())[0]).toMatchObject({ numRows: '2', numBytes: '21' });
  });
});
