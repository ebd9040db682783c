import { createHash } from 'node:crypto';
import type pg from 'pg';
import { OperationError } from '../operation/errors.ts';
import { identifier, Sql, sql } from './sql.ts';
import { isServerError } from './sqlstate.ts';

export interface TransactionOptions {
  /** The role to act as, until the transaction ends. */
  readonly acting: string;
  /** What is being changed, by name: one transaction at a time in this database. */
  readonly lock: string | readonly string[];
  /** No statement may take longer; where no time is left, a millisecond, for 0 would mean for ever. */
  readonly timeoutMs: number;
  /** The query that decides what to do, sent with the beginning of the transaction: one round trip. */
  readonly inspection: Sql;
}

/**
 * Begins a transaction, acts as the admin, waits for the lock and inspects, in one round trip. `decide` gets what was
 * found and returns the statements; they are sent without waiting for each other's answers, and committed only if
 * PostgreSQL did all of it.
 *
 * READ COMMITTED whatever the database's default is: the inspection has to see what was committed while the lock was
 * waited for, and not the world as it was before.
 *
 * @returns what `decide` returned
 */
export async function changeInTransaction<T extends { readonly statements: readonly Sql[] }>(
  client: pg.ClientBase,
  options: TransactionOptions,
  decide: (inspected: pg.QueryResult) => T,
): Promise<T> {
  try {
    const decision = decide(await begin(client, options));
    await execute(client, decision.statements);
    const committed = await client.query('COMMIT');
    if (committed.command !== 'COMMIT') throw new Error(`COMMIT ended as ${committed.command}`);
    return decision;
  } catch (error) {
    // On a broken connection this fails as well, and the server has rolled back anyway.
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/**
 * Begins a transaction as {@link changeInTransaction} does, for those whose statements can't be told of beforehand. They end
 * it themselves.
 *
 * @returns what the inspection found
 */
export async function begin(
  client: pg.ClientBase,
  { acting, lock, timeoutMs, inspection }: TransactionOptions,
) {
  const prologue = sql`
    BEGIN ISOLATION LEVEL READ COMMITTED;
    SET LOCAL ROLE ${identifier(acting)};
    SET LOCAL statement_timeout = ${Math.max(1, Math.ceil(timeoutMs))};
    ${takeLocks(lockKeys(lock))}
    ${inspection}`;
  try {
    // Several statements in one query give several results, which the types of node-postgres don't know.
    const results = (await client.query(prologue.text)) as unknown as pg.QueryResult[];
    const inspected = results.at(-1);
    if (inspected === undefined) throw new Error('PostgreSQL answered without a result');
    return inspected;
  } catch (error) {
    throw isUnprepared(error, acting) ? notPrepared(acting, error) : error;
  }
}

/** In one order for everybody, so that nobody holds what another waits for and the other way round. */
function lockKeys(lock: string | readonly string[]): string[] {
  const names = typeof lock === 'string' ? [lock] : lock;
  return [...new Set(names.map(lockKey))].sort();
}

function takeLocks(keys: readonly string[]): Sql {
  return Sql.of(keys.map((key) => `SELECT pg_catalog.pg_advisory_xact_lock(${key});`).join('\n    '));
}

/** 63 bits of a hash: locks of other applications are as unlikely to meet ours as ours each other. */
export function lockKey(name: string): string {
  return (createHash('sha256').update(`drover\0${name}`).digest().readBigUInt64BE() >> 1n).toString();
}

function isUnprepared(error: unknown, acting: string): boolean {
  return (
    isServerError(error) && ['22023', '42501'].includes(error.code) && error.message.includes(`"${acting}"`)
  );
}

function notPrepared(acting: string, cause: unknown): OperationError {
  return new OperationError(
    'INSTANCE_NOT_PREPARED',
    `This login can't act as ${acting}. Run the preparation SQL on the instance as its admin: drover prepare | psql …`,
    { cause },
  );
}

interface Notice {
  readonly severity?: string | undefined;
  readonly code?: string | undefined;
  readonly message?: string | undefined;
}

/**
 * Whether the server says good-bye: a crash of another process or an immediate shutdown is announced as a WARNING. What
 * that means shows in the connection, which breaks.
 */
function isFarewell({ code }: Notice): boolean {
  return code?.startsWith('57P') ?? false;
}

/** A WARNING is PostgreSQL's way to say that it did not do what was asked ("no privileges could be revoked"). */
async function execute(client: pg.ClientBase, statements: readonly Sql[]): Promise<void> {
  const warnings: string[] = [];
  const onNotice = (notice: Notice) => {
    if (notice.severity !== 'WARNING' || isFarewell(notice)) return;
    warnings.push(notice.message ?? 'without a message');
  };
  client.on('notice', onNotice);
  try {
    const results = await Promise.allSettled(statements.map(({ text }) => client.query(text)));
    // The first one failed; those behind it in the same transaction were refused because of it.
    const failed = results.findIndex(({ status }) => status === 'rejected');
    const result = results[failed];
    if (result?.status === 'rejected') throw withStatement(result.reason, statements[failed]);
  } finally {
    client.off('notice', onNotice);
  }
  if (warnings.length > 0) {
    throw new OperationError('NOT_DONE', `PostgreSQL did not do all that was asked: ${warnings.join('; ')}`, {
      details: { warnings },
    });
  }
}

function withStatement(error: unknown, statement: Sql | undefined): unknown {
  if (isServerError(error) && statement !== undefined)
    error.message += ` (in: ${statement.text.replace(verifier, '…')})`;
  return error;
}

/** What can be guessed from has no place in an error. */
const verifier = /SCRAM-SHA-256\$[^']*/g;
