import type pg from 'pg';
import { OperationError } from '../operation/errors.ts';
import { roleName } from '../postgres/names.ts';
import { sql } from '../postgres/sql.ts';
import type { Target } from '../postgres/target.ts';
import { describeSchemas } from './describe/describe.ts';

/**
 * Refuses other names for schemas where something has an old one in a text of its own: the body or the settings of a
 * routine, or a string within an expression. Everything else PostgreSQL keeps by number, and writes with the new name.
 *
 * @param names of the archive's schemas here
 * @throws OperationError `RESTORE_NAME_IN_TEXT`
 */
export async function refuseOldNames(
  client: pg.ClientBase,
  { database }: Target,
  names: ReadonlyMap<string, string>,
): Promise<void> {
  const renamed = [...names].filter(([archived, own]) => archived !== own);
  if (renamed.length === 0) return;
  const owners = new Map([...names.values()].map((schema) => [schema, roleName(database, schema, 'owner')]));
  const { objects } = await describeSchemas(client, owners);
  const { rows } = await client.query<{ name: string }>(
    sql`
    SELECT p.oid::regprocedure::text AS name
      FROM pg_catalog.pg_proc p
      JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
     WHERE n.nspname IN (${[...names.values()]})
       AND concat_ws(' ', CASE WHEN p.prosqlbody IS NULL THEN p.prosrc END, p.proconfig::text)
           ~ ${`\\m(${renamed.map(([archived]) => archived).join('|')})\\M`}`.text,
  );
  const inText = renamed.map(([archived]) => new RegExp(`'(?:[^']|'')*\\b${archived}"?\\.(?:[^']|'')*'`));
  const found = [
    ...rows.map(({ name }) => `routine ${name}`),
    ...objects
      .filter(
        ({ kind, statements }) =>
          kind !== 'routine' && inText.some((pattern) => pattern.test(withoutComments(statements))),
      )
      .map(({ kind, name }) => `${kind} ${name}`),
  ];
  if (found.length === 0) return;
  throw new OperationError(
    'RESTORE_NAME_IN_TEXT',
    `These have the name of a schema in a text, and would go on using it: ${found.join(', ')}. Restore under the old name.`,
    { details: { objects: found } },
  );
}

function withoutComments(statements: readonly string[]): string {
  return statements.filter((statement) => !statement.startsWith('COMMENT ON ')).join('\n');
}
