import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { OperationError } from '../../shared/operation/errors.ts';
import { closePools, pools } from '../../shared/postgres/process-pools.ts';
import type { Sql } from '../../shared/postgres/sql.ts';
import { formatTarget, type Target } from '../../shared/postgres/target.ts';
import { requireEnvironment } from '../environment.ts';

/** How long sessions have to say goodbye. */
const farewellMs = 1000;

/**
 * Does something with databases, as the login that DROVER_INSTANCES names, and closes the connections.
 *
 * @throws UsageError where the settings can't be used
 */
export async function withDatabases<T>(work: () => Promise<T>): Promise<T> {
  requireEnvironment();
  try {
    return await work();
  } finally {
    // One that can't be closed in time ends with the process.
    await Promise.race([closePools(0), pause(farewellMs, undefined, { ref: false })]);
  }
}

/**
 * Asks one database, in time.
 *
 * @throws OperationError `DEADLINE_EXCEEDED` where it doesn't answer, `TARGET_NOT_ALLOWED` where DROVER_INSTANCES
 *   doesn't cover it, and whatever connecting to it ends with
 */
export async function askDatabase(target: Target, query: Sql, timeoutMs: number): Promise<pg.QueryResult> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(noAnswer(target, timeoutMs)), timeoutMs);
  try {
    return await pools().withConnection(target, { signal: late.signal }, (client) =>
      client.query(query.text),
    );
  } catch (error) {
    throw forReaders(error);
  } finally {
    clearTimeout(timer);
  }
}

function noAnswer(target: Target, timeoutMs: number): OperationError {
  return new OperationError(
    'DEADLINE_EXCEEDED',
    `${formatTarget(target)} has not answered for ${timeoutMs / 1000} s`,
    { retryable: true },
  );
}

/** The pools' error says what is wrong; here it can be said what to do. */
function forReaders(error: unknown): unknown {
  if (!(error instanceof OperationError) || error.code !== 'TARGET_NOT_ALLOWED') return error;
  return new OperationError(
    error.code,
    `${error.message} Add one that says how to reach it, and as whom: any login may read who has access.`,
    { ...(error.details === undefined ? {} : { details: error.details }), cause: error },
  );
}
