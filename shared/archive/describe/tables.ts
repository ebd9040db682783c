import { type Sql, sql } from '../../postgres/sql.ts';
import { columnComments, columnDefinitions, columnSettings, dataColumns } from './columns.ts';
import { isOwn, namespaces, parameters, standsAlone } from './object.ts';

/**
 * Tables, each with what it inherits or is a partition of. Made by themselves and attached then: so their columns keep
 * their order, whatever became of the parents since.
 */
export function tables(schemas: readonly string[]): Sql {
  return sql`
WITH ${namespaces(schemas)}
SELECT 'pg_class/' || c.oid AS node, 'table' AS kind, nspname AS schema, name,
       array_remove(ARRAY[
         format(E'CREATE %sTABLE %s (%s\n)%s%s%s', CASE WHEN relpersistence = 'u' THEN 'UNLOGGED ' END, name,
                ${columnDefinitions},
                CASE WHEN relkind = 'p' THEN ' PARTITION BY ' || pg_get_partkeydef(c.oid) END,
                (SELECT format(' USING %I', amname) FROM pg_catalog.pg_am WHERE oid = relam AND amname <> 'heap'),
                ' WITH (' || nullif(concat_ws(', ', ${parameters('c.reloptions')},
                  (SELECT ${parameters('t.reloptions', 'toast.')} FROM pg_catalog.pg_class t WHERE t.oid = c.reltoastrelid)), '')
                || ')'),
         (SELECT format('ALTER TABLE %s OF %s', name, format_type(reloftype, NULL)) WHERE reloftype <> 0),
         (SELECT format('ALTER TABLE ONLY %s ATTACH PARTITION %s %s', parent.name, self.name,
                        pg_get_expr(c.relpartbound, c.oid))
            FROM pg_catalog.pg_inherits h
            JOIN pg_catalog.pg_class pc ON pc.oid = h.inhparent
            JOIN pg_catalog.pg_namespace pn ON pn.oid = pc.relnamespace
           CROSS JOIN LATERAL (SELECT format('%I.%I', pn.nspname, pc.relname) AS name) parent
           WHERE h.inhrelid = c.oid AND c.relispartition)]
         || ARRAY(
         SELECT format('ALTER TABLE %s INHERIT %I.%I', name, pn.nspname, pc.relname)
           FROM pg_catalog.pg_inherits h
           JOIN pg_catalog.pg_class pc ON pc.oid = h.inhparent
           JOIN pg_catalog.pg_namespace pn ON pn.oid = pc.relnamespace
          WHERE h.inhrelid = c.oid AND NOT c.relispartition
          ORDER BY h.inhseqno)
         || ${columnSettings}
         || ARRAY(
         SELECT format('ALTER SEQUENCE %I.%I OWNED BY %s.%I', sn.nspname, s.relname, name, a.attname)
           FROM ${ownedSequences}
           JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace
           JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
          ORDER BY sn.nspname, s.relname)
         || ARRAY[
         'ALTER TABLE ONLY ' || name || ' REPLICA IDENTITY ' || CASE relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING' END,
         'COMMENT ON TABLE ' || name || ' IS ' || quote_literal(obj_description(c.oid, 'pg_class'))]
         || ${columnComments}, NULL) AS statements,
       ARRAY(SELECT 'pg_class/' || s.oid FROM ${ownedSequences}) AS needs,
       c.relname AS "table",
       CASE WHEN relkind = 'r' THEN ${dataColumns} END AS columns,
       c.relforcerowsecurity AS forced
  FROM pg_catalog.pg_class c
  JOIN namespace n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, c.relname) AS name) self
 WHERE c.relkind IN ('r', 'p') AND ${isOwn('pg_class', 'c')}
 ORDER BY n.nspname, c.relname`;
}

/** Sequences that go with a column of the table `c`, but are no identity's. */
const ownedSequences = sql`pg_catalog.pg_depend d
           JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S' AND d.classid = 'pg_catalog.pg_class'::regclass
             AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = c.oid AND d.deptype = 'a'`;

/** Defaults that can't be told of with their table. */
export function defaults(schemas: readonly string[]): Sql {
  return sql`
WITH ${namespaces(schemas)}
SELECT 'pg_attrdef/' || d.oid AS node, 'default' AS kind, n.nspname AS schema,
       format('%I.%I.%I', n.nspname, c.relname, a.attname) AS name,
       ARRAY[format('ALTER TABLE ONLY %I.%I ALTER COLUMN %I SET DEFAULT %s', n.nspname, c.relname, a.attname,
                    pg_get_expr(d.adbin, d.adrelid))] AS statements,
       ARRAY['pg_class/' || c.oid] AS needs
  FROM pg_catalog.pg_attrdef d
  JOIN pg_catalog.pg_class c ON c.oid = d.adrelid
  JOIN namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
 WHERE ${standsAlone('d')} AND ${isOwn('pg_class', 'c')}`;
}

/** Row level security, switched on after the data. Its policies are told of apart, for they name roles. */
export function rowSecurity(schemas: readonly string[]): Sql {
  return sql`
WITH ${namespaces(schemas)}
SELECT 'row security/' || c.oid AS node, 'row security' AS kind, nspname AS schema, name,
       array_remove(ARRAY[
         CASE WHEN relrowsecurity THEN 'ALTER TABLE ' || name || ' ENABLE ROW LEVEL SECURITY' END,
         CASE WHEN relforcerowsecurity THEN 'ALTER TABLE ' || name || ' FORCE ROW LEVEL SECURITY' END], NULL) AS statements,
       ARRAY['pg_class/' || c.oid] AS needs
  FROM pg_catalog.pg_class c
  JOIN namespace n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, c.relname) AS name) self
 WHERE c.relkind IN ('r', 'p') AND (relrowsecurity OR relforcerowsecurity) AND ${isOwn('pg_class', 'c')}`;
}
