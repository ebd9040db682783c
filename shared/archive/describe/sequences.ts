import { type Sql, sql } from '../../postgres/sql.ts';
import { isOwn, namespaces, sequenceOptions } from './object.ts';

/** Sequences, but for those of identity columns, which their table brings. What owns them is told of with the table, too. */
export function sequences(schemas: readonly string[]): Sql {
  return sql`
WITH ${namespaces(schemas)}
SELECT 'pg_class/' || c.oid AS node, 'sequence' AS kind, n.nspname AS schema, s.name,
       array_remove(ARRAY[
         format('CREATE %sSEQUENCE %s AS %s %s', CASE WHEN c.relpersistence = 'u' THEN 'UNLOGGED ' END, s.name,
                format_type(q.seqtypid, NULL), ${sequenceOptions('q')}),
         'COMMENT ON SEQUENCE ' || s.name || ' IS ' || quote_literal(obj_description(c.oid, 'pg_class'))], NULL) AS statements
  FROM pg_catalog.pg_class c
  JOIN namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_sequence q ON q.seqrelid = c.oid
 CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, c.relname) AS name) s
 WHERE ${isOwn('pg_class', 'c')}
   AND NOT EXISTS (
     SELECT FROM pg_catalog.pg_depend i
      WHERE i.classid = 'pg_catalog.pg_class'::regclass AND i.objid = c.oid AND i.deptype = 'i')`;
}

/** All sequences, whose values are read one by one. */
export function sequenceNames(schemas: readonly string[]): Sql {
  return sql`
WITH ${namespaces(schemas)}
SELECT n.nspname AS schema, c.relname AS name
  FROM pg_catalog.pg_class c
  JOIN namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'S' AND ${isOwn('pg_class', 'c')}
 ORDER BY n.nspname, c.relname`;
}
