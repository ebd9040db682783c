import { sql } from '../sql.ts';
import type { Target } from '../target.ts';
import type { DatabaseOptions } from './database.ts';
import { databaseOwner } from './marker.ts';

/** Schemas of a database, but for the system's, in which there is something. */
export function filledSchemas(
  target: Target,
  { pools, signal }: Pick<DatabaseOptions, 'pools' | 'signal'>,
): Promise<string[]> {
  const { text } = sql`
    SELECT n.nspname AS name
      FROM pg_catalog.pg_namespace n
     WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
       AND (EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = n.oid)
         OR EXISTS (SELECT FROM pg_catalog.pg_proc WHERE pronamespace = n.oid)
         OR EXISTS (SELECT FROM pg_catalog.pg_type WHERE typnamespace = n.oid))
     ORDER BY 1`;
  return pools.withConnection(target, { signal }, async (client) => {
    const { rows } = await client.query<{ name: string }>(text);
    return rows.map(({ name }) => name);
  });
}

/** Whether there is a schema of this name in a database, and whose that is by its mark. */
export function lookAtSchema(
  target: Target,
  schema: string,
  { pools, signal }: Pick<DatabaseOptions, 'pools' | 'signal'>,
): Promise<{ readonly exists: boolean; readonly owner: string | undefined }> {
  const { text } = sql`
    SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = ${schema}) AS found,
           pg_catalog.shobj_description(oid, 'pg_database') AS comment
      FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()`;
  return pools.withConnection(target, { signal }, async (client) => {
    const { rows } = await client.query<{ found: boolean; comment: string | null }>(text);
    return { exists: rows[0]?.found === true, owner: databaseOwner(rows[0]?.comment ?? null) };
  });
}
