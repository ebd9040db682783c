import { type IndexedGrants, indexGrants } from '../../../shared/postgres/grants/found.ts';
import { grantsInspection, readGrants } from '../../../shared/postgres/grants/inspect.ts';
import type { Pools } from '../../../shared/postgres/pools.ts';
import { sql } from '../../../shared/postgres/sql.ts';
import type { Target } from '../../../shared/postgres/target.ts';

/** What a database has of that which manifests speak of. */
export interface Catalog {
  readonly grants: IndexedGrants;
  /** Owners of schemas, by their names. */
  readonly schemas: ReadonlyMap<string, string>;
}

/**
 * Looks at all schemas, roles and members of a database at once: one query, however many there are.
 *
 * @param principals to be looked for
 */
export async function inspectDatabase(
  pools: Pools,
  target: Target,
  principals: readonly string[],
  signal: AbortSignal,
): Promise<Catalog> {
  const members = grantsInspection({ database: target.database, roles: 'all', principals });
  const { text } = sql`
SELECT ${members} AS grants, (
  SELECT coalesce(json_object_agg(nspname, pg_get_userbyid(nspowner)), '{}')
    FROM pg_catalog.pg_namespace
   WHERE nspname !~ '^pg_') AS schemas`;
  const result = await pools.withConnection(target, { signal }, (client) => client.query(text));
  const { schemas } = result.rows[0] as { schemas: Record<string, string> };
  return { grants: indexGrants(readGrants(result)), schemas: new Map(Object.entries(schemas)) };
}
