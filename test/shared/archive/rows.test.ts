import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { identifier, qualified } from '../../../shared/postgres/sql.ts';
import { connected } from '../../support/postgres.ts';
import { startWorld, type World } from './fixture.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world?.close());

/** PostgreSQL's text has no NUL, and no half of a character. */
const text = fc
  .oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      '\\N',
      '\\.',
      '\n',
      '\r\n',
      '\t',
      '\\',
      'null',
      '',
      ' ',
      '"',
      "'",
      '{}',
      '\u2028',
      '\ufeff',
    ),
  )
  .map((value) => value.replaceAll('\0', ''));
const nullable = <T>(value: fc.Arbitrary<T>) => fc.option(value, { freq: 5 });

const row = fc.record({
  words: nullable(text),
  list: nullable(fc.array(nullable(text), { maxLength: 4 })),
  bytes: nullable(fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes))),
  document: nullable(fc.json().map((json) => json.replaceAll('\\u0000', ''))),
  real: nullable(fc.double()),
  whole: nullable(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  exact: nullable(
    fc.constantFrom('NaN', 'Infinity', '-0.00000000000000000001', '123456789012345678901234567890.5'),
  ),
  at: nullable(fc.constantFrom('infinity', '-infinity', '4713-01-01 BC', '294276-12-31 23:59:59.999999+00')),
  lasting: nullable(
    fc.constantFrom('1 year -2 mons +3 days -04:05:06.789', '@ 178000000 years', '00:00:00.000001'),
  ),
  price: nullable(fc.constantFrom('$1,234.56', '-$0.01')),
});

/** A table and column of odd names. */
const name = text.filter((value) => value !== '' && Buffer.byteLength(value) <= 63);

const types =
  'words text, list text[], bytes bytea, document jsonb, real float8, whole bigint, exact numeric, at timestamptz, lasting interval, price money';

let count = 0;

test('whatever values rows have, and whatever tables and columns are called, they come back', async () => {
  await world.schema('rows', 'odd');
  await world.schema('rows_again', 'odd');
  const property = fc.asyncProperty(
    name,
    name,
    fc.array(row, { maxLength: 8 }),
    async (table, column, rows) => {
      const place = qualified('odd', table).text;
      const extra = types.includes(column) ? `${column}!` : column;
      const read = async (database: string) =>
        (
          await world.query<{ row: string }>(database, `SELECT t::text AS row FROM ${place} t ORDER BY 1`)
        ).map((found) => found.row);
      try {
        await world.as(
          'rows',
          'odd',
          `CREATE TABLE ${place} (${types}, ${identifier(extra).text} int DEFAULT 1)`,
        );
        await connected(world.cluster.superuserUrl('rows'), async (client) => {
          for (const one of rows) {
            await client.query(
              `INSERT INTO ${place} VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
              Object.values(one),
            );
          }
        });
        const prefix = `rows-${++count}`;

        await world.archive('rows', ['odd'], prefix);
        await world.restore(prefix, 'rows_again');

        const found = await read('rows_again');
        expect(found).toEqual(await read('rows'));
        expect(found.length).toBe(rows.length);
      } finally {
        for (const database of ['rows', 'rows_again'])
          await world.statements(database, [`DROP TABLE IF EXISTS ${place}`]);
      }
    },
  );
  await fc.assert(property, { numRuns: 8 });
});

test('a hundred thousand rows come back, and an empty table too', async () => {
  await world.schema('many', 'big');
  await world.as(
    'many',
    'big',
    'CREATE TABLE big.rows (id int PRIMARY KEY, text text)',
    `INSERT INTO big.rows SELECT n, repeat(md5(n::text), 1 + n % 9) FROM generate_series(1, 100000) n`,
    'CREATE TABLE big.none (id int)',
  );
  const sum = `SELECT count(*), md5(string_agg(t::text, '' ORDER BY id)) FROM big.rows t`;

  const { manifest } = await world.archive('many', ['big'], 'big');
  await world.schema('many_again', 'big');
  const restored = await world.restore('big', 'many_again');

  expect(manifest.tables.map(({ table, rows }) => [table, rows])).toEqual([
    ['none', 0],
    ['rows', 100_000],
  ]);
  expect(restored).toMatchObject({ tables: 2, rows: 100_000 });
  expect(await world.query('many_again', sum)).toEqual(await world.query('many', sum));
});
