import type pg from 'pg';
import type { ConnectionOptions, Pools } from './pools.ts';
import type { Target } from './target.ts';

/**
 * Lends a connection over which rows can be streamed. It is closed after the loan, and with it goes whatever COPY or
 * transaction is under way.
 *
 * In a pipeline node-postgres takes no query but its own class's, so the connection leaves that mode, for good.
 */
export function withCopySession<T>(
  pools: Pools,
  target: Target,
  options: ConnectionOptions,
  use: (client: pg.ClientBase) => Promise<T>,
): Promise<T> {
  return pools.withConnection(target, options, (client, loan) => {
    loan.discard();
    (client as { pipeline?: boolean }).pipeline = false;
    return use(client);
  });
}
