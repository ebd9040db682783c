import type pg from 'pg';
import type { ConnectionOptions, Pools } from '../postgres/pools.ts';
import { identifier, Sql, sql } from '../postgres/sql.ts';
import type { Target } from '../postgres/target.ts';

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

/**
 * How values are written and read, whatever the database's defaults are: exactly, and the same everywhere. As pg_dump
 * sets it, and `lc_monetary` besides, which it leaves to chance.
 */
export const exactValues: Sql = sql`
    SET LOCAL search_path = '';
    SET LOCAL client_encoding = 'UTF8';
    SET LOCAL datestyle = 'ISO';
    SET LOCAL intervalstyle = 'postgres';
    SET LOCAL timezone = 'UTC';
    SET LOCAL lc_monetary = 'C';
    SET LOCAL extra_float_digits = 3;
    SET LOCAL bytea_output = 'hex';
    SET LOCAL xmloption = 'content';
    SET LOCAL standard_conforming_strings = on;
    SET LOCAL quote_all_identifiers = off;
    SET LOCAL check_function_bodies = off;`;

/** Acts as a role until the transaction ends or acts as another. */
export async function actAs(client: pg.ClientBase, role: string): Promise<void> {
  await client.query(sql`SET LOCAL ROLE ${identifier(role)}`.text);
}

/** Columns of a COPY; a table may have none. */
export function columnList(columns: readonly string[]): Sql {
  return columns.length === 0 ? Sql.of('') : sql` (${columns.map(identifier)})`;
}
