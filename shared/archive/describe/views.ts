import { type Sql, sql } from '../../postgres/sql.ts';
import { columnComments, columnSettings } from './columns.ts';
import { isOwn, namespaces, parameters } from './object.ts';

/** Views and materialized views, the latter empty. */
export function views(schemas: readonly string[]): Sql {
  return sql`
WITH ${namespaces(schemas)}
SELECT 'pg_class/' || c.oid AS node, 'view' AS kind, nspname AS schema, name,
       array_remove(ARRAY[
         format(E'CREATE %s %s%s%s AS\n%s%s', word, name,
                (SELECT format(' USING %I', amname) FROM pg_catalog.pg_am WHERE oid = relam AND amname <> 'heap'),
                ' WITH (' || nullif(concat_ws(', ', ${parameters('c.reloptions')},
                  (SELECT ${parameters('t.reloptions', 'toast.')} FROM pg_catalog.pg_class t WHERE t.oid = c.reltoastrelid)), '')
                || ')',
                rtrim(pg_get_viewdef(c.oid), ';'), CASE WHEN relkind = 'm' THEN E'\nWITH NO DATA' END)]
         || CASE WHEN relkind = 'm' THEN ${columnSettings} END
         || ARRAY['COMMENT ON ' || word || ' ' || name || ' IS ' || quote_literal(obj_description(c.oid, 'pg_class'))]
         || ${columnComments}, NULL) AS statements
  FROM pg_catalog.pg_class c
  JOIN namespace n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL (
   SELECT format('%I.%I', n.nspname, c.relname) AS name,
          CASE relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END AS word) self
 WHERE c.relkind IN ('v', 'm') AND ${isOwn('pg_class', 'c')}`;
}

/** Fills materialized views. What one reads of another is there before, for it was made before. */
export function refreshes(schemas: readonly string[]): Sql {
  return sql`
WITH ${namespaces(schemas)}
SELECT 'refresh/' || c.oid AS node, 'refresh' AS kind, nspname AS schema, name,
       ARRAY['REFRESH MATERIALIZED VIEW ' || name] AS statements,
       ARRAY['pg_class/' || c.oid] AS needs
  FROM pg_catalog.pg_class c
  JOIN namespace n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, c.relname) AS name) self
 WHERE c.relkind = 'm' AND c.relispopulated AND ${isOwn('pg_class', 'c')}`;
}
