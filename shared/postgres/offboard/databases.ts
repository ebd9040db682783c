import type { Pools } from '../pools.ts';
import { sql } from '../sql.ts';
import type { Target } from '../target.ts';

/** The databases of an instance in which something can be: but for templates and Cloud SQL's own. */
export async function listDatabases(pools: Pools, target: Target, signal: AbortSignal): Promise<string[]> {
  const { text } = sql`
    SELECT datname FROM pg_catalog.pg_database
     WHERE datallowconn AND NOT datistemplate AND datname <> 'cloudsqladmin' ORDER BY datname`;
  return pools.withConnection(target, { signal }, async (client) => {
    const { rows } = await client.query<{ datname: string }>(text);
    return rows.map(({ datname }) => datname);
  });
}
