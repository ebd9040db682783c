import type pg from 'pg';
import type { OperationContext } from '../../operation/definition.ts';
import { roleName } from '../names.ts';
import type { Sql } from '../sql.ts';
import { begin } from '../transaction.ts';

/** What a transaction is about. */
export interface OwnerScope {
  readonly database: string;
  readonly schema: string;
  /** What is being changed, by name: one transaction at a time in this database. */
  readonly lock: string | readonly string[];
  readonly operation: Pick<OperationContext, 'remainingMs' | 'assertHeld'>;
}

/**
 * A transaction as the owner of a schema, which is committed by a worker only that still has its lease. The session is a
 * login's that is a member of that owner and of nothing else: see `withOwnerLogin`.
 */
export async function asOwner<T>(
  client: pg.ClientBase,
  { database, schema, lock, operation }: OwnerScope,
  inspection: Sql,
  use: (inspected: pg.QueryResult) => Promise<T>,
): Promise<T> {
  const acting = roleName(database, schema, 'owner');
  try {
    const inspected = await begin(client, { acting, lock, timeoutMs: operation.remainingMs(), inspection });
    const result = await use(inspected);
    operation.assertHeld();
    const committed = await client.query('COMMIT');
    if (committed.command !== 'COMMIT') throw new Error(`COMMIT ended as ${committed.command}`);
    return result;
  } catch (error) {
    // On a broken connection this fails as well, and the server has rolled back anyway.
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
