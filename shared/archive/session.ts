import type pg from 'pg';
import { identifier, Sql, sql } from '../postgres/sql.ts';

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
