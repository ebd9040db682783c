import type { Pools } from './pools.ts';
import type { Target } from './target.ts';

/** The time by a database's own clock, which decides when a grant is over. */
export async function readClock(pools: Pools, target: Target, signal: AbortSignal): Promise<Date> {
  return pools.withConnection(target, { signal }, async (client) => {
    const { rows } = await client.query<{ now: Date }>('SELECT pg_catalog.clock_timestamp() AS now');
    const [row] = rows;
    if (row === undefined) throw new Error('PostgreSQL told no time');
    return row.now;
  });
}
