import { expect } from 'vitest';
import type { Manifest } from '../../../shared/archive/manifest.ts';
import { roleName } from '../../../shared/postgres/names.ts';
import { readFacts } from './catalog.ts';
import { everything, someRows } from './everything.ts';
import type { World } from './fixture.ts';

export async function fillWithEverything(world: World, database: string, schema: string): Promise<void> {
  await world.schema(database, schema);
  await world.as(database, schema, ...everything(schema, (level) => roleName(database, schema, level)));
  await world.as(database, schema, ...someRows(schema));
}

/** Rows of all tables of a schema, and values of its sequences, as PostgreSQL itself shows them. */
export async function readRows(world: World, database: string, schema: string) {
  const tables = await world.query<{ name: string; row: string }>(
    database,
    `SELECT format('%I.%I t', nspname, relname) AS name,
            CASE relkind WHEN 'S' THEN 'last_value || '' '' || is_called' ELSE 't::text' END AS row
       FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
      WHERE nspname = '${schema}' AND relkind IN ('r', 'm', 'S') AND relispopulated ORDER BY relname`,
  );
  return Promise.all(
    tables.map(async ({ name, row }) => {
      const text = `SELECT ${row} AS row FROM ONLY ${name} ORDER BY 1`;
      return { name, rows: (await world.query<{ row: string }>(database, text)).map((found) => found.row) };
    }),
  );
}

/** All that two archives of the same thing have in common. */
const content = ({ createdAt: _, source: __, ...rest }: Manifest) => rest;

/**
 * Archives a schema with everything in it, restores it to another database and archives that.
 *
 * @param rows how many it has
 */
export async function proveRoundTrip(world: World, schema: string, rows: number): Promise<void> {
  await fillWithEverything(world, 'app', schema);
  const facts = await readFacts(world, 'app', schema);
  const values = await readRows(world, 'app', schema);
  const first = await world.archive('app', [schema], `${schema}-first`);

  await world.schema('second', schema);
  const restored = await world.restore(`${schema}-first`, 'second');
  const again = await world.archive('second', [schema], `${schema}-again`);

  expect(await readFacts(world, 'second', schema)).toEqual(facts);
  expect(await readRows(world, 'second', schema)).toEqual(values);
  expect(restored).toMatchObject({ leftOut: [], rows });
  expect(content(again.manifest)).toEqual(content(first.manifest));
}
