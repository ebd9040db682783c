import type pg from 'pg';
import type { ObjectPlace } from '../gcp/storage/client.ts';
import { listObjects } from '../gcp/storage/folder.ts';
import type { StoredObject } from '../gcp/storage/objects.ts';
import { roleName } from '../postgres/names.ts';
import { qualified, sql } from '../postgres/sql.ts';
import type { Target } from '../postgres/target.ts';
import { copyOut, rowsNote } from './copy.ts';
import type { DescribedTable } from './describe/describe.ts';
import type { ArchivedTable } from './manifest.ts';
import { dataObjectName, inArchive } from './place.ts';
import { actAs } from './session.ts';

export interface ArchivedRows {
  readonly tables: ArchivedTable[];
  /** How many of them an earlier attempt had written. */
  readonly resumed: number;
}

/**
 * Writes the rows of tables, each as its schema's owner. A table whose object has the note that it should have, of as many
 * rows and the same columns, was written by an earlier attempt.
 */
export async function archiveRows(
  client: pg.ClientBase,
  { database }: Target,
  described: readonly DescribedTable[],
  place: ObjectPlace,
  signal: AbortSignal,
): Promise<ArchivedRows> {
  const listed = await listObjects(inArchive(place, 'data/'), signal);
  const written = new Map(listed.map((object) => [object.name, object]));
  const tables: ArchivedTable[] = [];
  let resumed = 0;
  for (const table of described) {
    const { schema, columns } = table;
    const object = dataObjectName(schema, table.table);
    const at = inArchive(place, object);
    await actAs(client, roleName(database, schema, 'owner'));
    const rows = await countRows(client, table);
    const there = written.get(at.name);
    const complete = there !== undefined && hasNote(there, rowsNote(rows, columns));
    if (complete) resumed += 1;
    const { bytes, crc32c } = complete ? there : await copyOut(client, table, rows, at, signal);
    tables.push({ schema, table: table.table, object, columns: [...columns], rows, bytes, crc32c });
  }
  return { tables, resumed };
}

async function countRows(client: pg.ClientBase, { schema, table }: DescribedTable): Promise<number> {
  const counted = await client.query<{ count: string }>(
    sql`SELECT count(*) FROM ONLY ${qualified(schema, table)}`.text,
  );
  return Number(counted.rows[0]?.count);
}

function hasNote({ metadata }: StoredObject, note: Readonly<Record<string, string>>): boolean {
  return Object.entries(note).every(([key, value]) => metadata[key] === value);
}
