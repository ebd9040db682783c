import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, createCluster } from '../../../local/postgres/cluster.ts';
import { actingAs, identifier, keyword, qualified, Sql, sql } from '../../../shared/postgres/sql.ts';

let cluster: Cluster;
let client: pg.Client;

beforeAll(async () => {
  cluster = await createCluster({ superuser: 'postgres', password: 'secret' });
  client = new pg.Client(cluster.url('postgres', 'secret'));
  await client.connect();
});

afterAll(async () => {
  await client.end();
  await cluster.remove();
});

const text = fc.oneof(
  fc
    .array(
      fc.constantFrom('\\', "'", '"', '\n', '\r', '🐘', '$$', '--', '/*', ';', 'é', ' ', 'x', '%', '\u202e'),
      { maxLength: 12 },
    )
    .map((parts) => parts.join('')),
  fc.string({ unit: 'grapheme', maxLength: 40 }).filter((one) => !one.includes('\0')),
);
const name = text
  .filter((one) => one !== '')
  .map((one) => {
    let short = one;
    while (Buffer.byteLength(short) > 63) short = [...short].slice(0, -1).join('');
    return short;
  });

describe('whatever is put into a statement', () => {
  test('as a value comes out of PostgreSQL as it was', async () => {
    await fc.assert(
      fc.asyncProperty(text, async (value) => {
        const { rows } = await client.query(sql`SELECT ${value} AS value`.text);
        expect(rows).toEqual([{ value }]);
      }),
      { numRuns: 500 },
    );
  });

  test('as a value is the same with the old meaning of backslashes', async () => {
    await client.query('SET standard_conforming_strings = off');
    await fc.assert(
      fc.asyncProperty(text, async (value) => {
        const { rows } = await client.query(sql`SELECT ${value} AS value`.text);
        expect(rows).toEqual([{ value }]);
      }),
    );
    await client.query('SET standard_conforming_strings = on');
  });

  test('as a name is the name of what it creates', async () => {
    await fc.assert(
      fc.asyncProperty(name, async (one) => {
        const { fields } = await client.query(sql`SELECT 1 AS ${identifier(one)}`.text);
        expect(fields.map((field) => field.name)).toEqual([one]);
        await client.query('BEGIN');
        await client.query(sql`CREATE SCHEMA ${identifier(`s${one.slice(0, 12)}`)}`.text);
        await client.query(sql`CREATE TABLE ${qualified(`s${one.slice(0, 12)}`, one)} ()`.text);
        const { rows } = await client.query(
          sql`SELECT relname::text FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = ${`s${one.slice(0, 12)}`}`
            .text,
        );
        expect(rows).toEqual([{ relname: one }]);
        await client.query('ROLLBACK');
      }),
      { numRuns: 300 },
    );
  });

  test('as a list keeps its order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 5 }), async (values) => {
        const { rows } = await client.query(sql`SELECT ARRAY[${values}] AS list`.text);
        expect(rows).toEqual([{ list: values }]);
      }),
    );
  });
});

test('numbers, truth values and nothing are written as SQL has them', () => {
  expect(sql`SELECT ${1}, ${true}, ${null}, ${undefined}, ${sql`now()`}`.text).toBe(
    'SELECT 1, true, NULL, NULL, now()',
  );
});

test('a text with NUL in it, which would cut the statement off, is refused', () => {
  expect(() => sql`SELECT ${'a\0b'}`).toThrow('NUL');
  expect(() => identifier('a\0b')).toThrow('NUL');
});

test('a key word is nothing but capital letters and spaces', () => {
  expect(keyword('WITH GRANT OPTION').text).toBe('WITH GRANT OPTION');
  for (const text of ['select', 'SELECT; DROP', 'A  B', '', 'A"', 'SELECT\n']) {
    expect(() => keyword(text)).toThrow('not a key word');
  }
});

test('statements for somebody else begin with whom to act as and end with going back', () => {
  expect(actingAs('a"b', [Sql.of('SELECT 1')])).toEqual(['SET ROLE "a""b"', 'SELECT 1', 'RESET ROLE']);
});
