import type pg from 'pg';
import { OperationError } from '../operation/errors.ts';
import { roleName } from '../postgres/names.ts';
import { qualified, Sql, sql } from '../postgres/sql.ts';
import { formatTarget, type Target } from '../postgres/target.ts';
import { type Levels, levelsOf } from './access.ts';
import { roles } from './describe/access.ts';
import { type DescribedSequence, describeSchemas, type SchemasDescription } from './describe/describe.ts';
import type { Manifest } from './manifest.ts';
import { actAs, exactValues } from './session.ts';

/** What is read of the source beside rows. */
export interface Source {
  readonly server: Pick<Manifest['source'], 'serverVersion' | 'encoding'>;
  readonly description: SchemasDescription;
  readonly levels: Levels;
  readonly comments: ReadonlyMap<string, string | null>;
}

interface FoundSchema {
  readonly name: string;
  readonly owner: string;
  readonly comment: string | null;
}

/** So many tables are locked, and sequences read, by one statement. */
const atATime = 200;

/**
 * Begins a transaction that sees one state of the database, in which no table can be altered or dropped, and describes
 * the schemas in it. The snapshot is taken once the locks are held, so that nothing comes in between.
 *
 * @throws OperationError `SCHEMA_NOT_FOUND`, `SCHEMA_NOT_MANAGED`; retryable: `CONCURRENT_UPDATE`
 */
export async function beginReading(
  client: pg.ClientBase,
  target: Target,
  schemas: readonly string[],
  timeoutMs: number,
): Promise<Source> {
  const before = await tableNames(client, schemas);
  const timeout = Math.max(1, Math.ceil(timeoutMs));
  await client.query(
    sql`
    BEGIN ISOLATION LEVEL REPEATABLE READ;
    SET LOCAL statement_timeout = ${timeout};
    SET LOCAL idle_in_transaction_session_timeout = ${timeout};
    SET LOCAL row_security = off;
    SET LOCAL synchronize_seqscans = off;
    ${exactValues}`.text,
  );
  for (const [schema, tables] of before) {
    await actAs(client, roleName(target.database, schema, 'owner'));
    for (const some of parts(tables)) {
      await client.query(
        sql`LOCK TABLE ONLY ${some.map((table) => qualified(schema, table))} IN ACCESS SHARE MODE`.text,
      );
    }
  }
  const found = await foundSchemas(client, schemas);
  const owners = ownersOf(target, schemas, found);
  const after = await tableNames(client, schemas);
  if (JSON.stringify([...before]) !== JSON.stringify([...after])) {
    throw new OperationError(
      'CONCURRENT_UPDATE',
      `Somebody makes or drops tables in ${formatTarget(target)} while its schemas are archived.`,
      { retryable: true },
    );
  }
  const description = await describeSchemas(client, owners);
  const { rows: known } = await client.query<{ name: string; comment: string }>(roles(target.database).text);
  const { rows: servers } = await client.query<Source['server']>(`
    SELECT current_setting('server_version_num')::int AS "serverVersion", current_setting('server_encoding') AS encoding`);
  const [server] = servers;
  if (server === undefined) throw new Error('PostgreSQL answered without a result');
  return {
    server,
    description,
    levels: levelsOf(known, schemas),
    comments: new Map(found.map(({ name, comment }) => [name, comment])),
  };
}

async function tableNames(client: pg.ClientBase, schemas: readonly string[]): Promise<Map<string, string[]>> {
  const { rows } = await client.query<{ schema: string; tables: string[] }>(
    sql`
    SELECT n.nspname AS schema, array_agg(c.relname::text ORDER BY c.relname) AS tables
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND c.relowner = n.nspowner AND n.nspname IN (${schemas})
     GROUP BY n.nspname
     ORDER BY n.nspname`.text,
  );
  return new Map(rows.map(({ schema, tables }) => [schema, tables]));
}

async function foundSchemas(client: pg.ClientBase, schemas: readonly string[]): Promise<FoundSchema[]> {
  const { rows } = await client.query<FoundSchema>(
    sql`
    SELECT nspname AS name, pg_get_userbyid(nspowner) AS owner, obj_description(oid, 'pg_namespace') AS comment
      FROM pg_catalog.pg_namespace WHERE nspname IN (${schemas})`.text,
  );
  return rows;
}

function ownersOf(
  target: Target,
  schemas: readonly string[],
  found: readonly FoundSchema[],
): Map<string, string> {
  return new Map(
    schemas.map((schema) => {
      const name = `${formatTarget(target)}.${schema}`;
      const owner = found.find((one) => one.name === schema)?.owner;
      if (owner === undefined) throw new OperationError('SCHEMA_NOT_FOUND', `There is no schema ${name}.`);
      const expected = roleName(target.database, schema, 'owner');
      if (owner === expected) return [schema, owner];
      throw new OperationError(
        'SCHEMA_NOT_MANAGED',
        `The schema ${name} belongs to ${owner}, and not to ${expected}.`,
      );
    }),
  );
}

/** The values of sequences, read as their owners. They are no part of any snapshot. */
export async function readSequences(
  client: pg.ClientBase,
  target: Target,
  sequences: readonly DescribedSequence[],
): Promise<Manifest['sequences']> {
  const values: Manifest['sequences'] = [];
  for (const [schema, own] of Map.groupBy(sequences, (sequence) => sequence.schema)) {
    await actAs(client, roleName(target.database, schema, 'owner'));
    for (const some of parts(own)) {
      const selects = some.map(
        ({ name }) => sql`
    SELECT ${schema} AS schema, ${name} AS name, last_value::text AS "lastValue", is_called AS "isCalled"
      FROM ${qualified(schema, name)}`,
      );
      const query = Sql.of(selects.map(({ text }) => text).join('\n     UNION ALL'));
      values.push(...(await client.query<Manifest['sequences'][number]>(query.text)).rows);
    }
  }
  return values;
}

function parts<T>(list: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(list.length / atATime) }, (_, part) =>
    list.slice(part * atATime, (part + 1) * atATime),
  );
}
