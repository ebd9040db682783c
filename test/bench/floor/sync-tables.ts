import type pg from 'pg';
import { createStaging, createTables } from '../../../functions/sync-repo-metadata/tables/definition.ts';
import { identifier, qualified, Sql, sql } from '../../../shared/postgres/sql.ts';
import { languages } from '../sync-repository.ts';

/**
 * Makes the product's tables in a schema of the floor's. The product computes what full text search finds in a table of its
 * session's, where documents wait; the floor has only this one, in which the same expression generates the same.
 */
export async function createFloorTables(client: pg.ClientBase, schema: string): Promise<void> {
  const documents = qualified(schema, 'documents');
  const tables = createTables(schema);
  const index = tables.find(({ text }) => text.includes('INDEX documents_search '));
  const [, vector] = /GENERATED ALWAYS AS \((.*)\) STORED/s.exec(stagingTable()) ?? [];
  if (index === undefined || vector === undefined) throw new Error('the product’s tables are made otherwise');
  const statements = [
    sql`CREATE SCHEMA ${identifier(schema)}`,
    ...tables,
    // The index goes with the column.
    sql`
ALTER TABLE ${documents}
  DROP COLUMN search,
  ADD COLUMN language text NOT NULL,
  ADD COLUMN words text NOT NULL,
  ADD COLUMN search tsvector NOT NULL GENERATED ALWAYS AS (${Sql.of(vector)}) STORED`,
    index,
  ];
  for (const { text } of statements) await client.query(text);
}

function stagingTable(): string {
  return createStaging([...new Set(Object.values(languages))], 'nobody')
    .map(({ text }) => text)
    .join(';');
}

export async function countRows(client: pg.ClientBase, schema: string): Promise<number> {
  const { rows } = await client.query<{ count: number }>(
    sql`SELECT count(*)::int AS count FROM ${qualified(schema, 'documents')}`.text,
  );
  return rows[0]?.count ?? 0;
}

/** How many rows aren't the same on both sides, but for their commits and times. */
export async function differingRows(client: pg.ClientBase, product: string, floor: string): Promise<number> {
  const compared = ['path', 'parts', 'blob', 'definition', 'title', 'metadata', 'text', 'refs', 'search'];
  const values = (table: string) => Sql.of(compared.map((column) => `${table}.${column}`).join(', '));
  const { rows } = await client.query<{ count: number }>(
    sql`
SELECT count(*)::int AS count
  FROM ${qualified(product, 'documents')} p
  FULL JOIN ${qualified(floor, 'documents')} f USING (repository, collection, key)
 WHERE (${values('p')}) IS DISTINCT FROM (${values('f')})`.text,
  );
  return rows[0]?.count ?? 0;
}
