import { Sql, sql } from '../../postgres/sql.ts';
import { isOwn, namespaces } from './object.ts';

/** Triggers, with whether they are enabled; a partition's copy of one comes with the partitioned table's. */
export function triggers(schemas: readonly string[]): Sql {
  return sql`
WITH ${namespaces(schemas)}, own AS (
  SELECT g.*, n.nspname, format('%I.%I', n.nspname, c.relname) AS on_table
    FROM pg_catalog.pg_trigger g
    JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
    JOIN namespace n ON n.oid = c.relnamespace
   WHERE NOT g.tgisinternal AND ${isOwn('pg_class', 'c')}
)
SELECT 'pg_trigger/' || g.oid AS node, 'trigger' AS kind, nspname AS schema, format('%s.%I', on_table, tgname) AS name,
       array_remove(ARRAY[
         pg_get_triggerdef(g.oid),
         CASE WHEN tgenabled <> 'O' THEN ${enabling('g')} END]
         || ARRAY(
         SELECT ${enabling('copy')}
           FROM own copy
          WHERE copy.tgparentid <> 0 AND copy.tgname = g.tgname AND copy.tgenabled <> g.tgenabled
            AND copy.tgrelid IN (SELECT relid FROM pg_partition_tree(g.tgrelid))
          ORDER BY copy.on_table)
         || ARRAY[format('COMMENT ON TRIGGER %I ON %s IS ', tgname, on_table)
                    || quote_literal(obj_description(g.oid, 'pg_trigger'))], NULL) AS statements
  FROM own g
 WHERE tgparentid = 0`;
}

/** What brings a trigger into the state that it is in. */
function enabling(trigger: 'g' | 'copy'): Sql {
  const t = Sql.of(trigger);
  return sql`format('ALTER TABLE %s %s TRIGGER %I', ${t}.on_table, ${enabled(`${trigger}.tgenabled`)}, ${t}.tgname)`;
}

function enabled(column: string): Sql {
  return sql`CASE ${Sql.of(column)} WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'A' THEN 'ENABLE ALWAYS'
         ELSE 'ENABLE' END`;
}

/** Rules other than those that views are. */
export function rules(schemas: readonly string[]): Sql {
  return sql`
WITH ${namespaces(schemas)}
SELECT 'pg_rewrite/' || r.oid AS node, 'rule' AS kind, n.nspname AS schema,
       format('%I.%I.%I', n.nspname, c.relname, r.rulename) AS name,
       array_remove(ARRAY[
         pg_get_ruledef(r.oid),
         CASE WHEN ev_enabled <> 'O'
              THEN format('ALTER TABLE %I.%I %s RULE %I', n.nspname, c.relname, ${enabled('ev_enabled')}, rulename) END,
         format('COMMENT ON RULE %I ON %I.%I IS ', r.rulename, n.nspname, c.relname)
           || quote_literal(obj_description(r.oid, 'pg_rewrite'))], NULL) AS statements
  FROM pg_catalog.pg_rewrite r
  JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
  JOIN namespace n ON n.oid = c.relnamespace
 WHERE r.rulename <> '_RETURN' AND ${isOwn('pg_class', 'c')}`;
}

/** Extended statistics. */
export function statistics(schemas: readonly string[]): Sql {
  return sql`
WITH ${namespaces(schemas)}
SELECT 'pg_statistic_ext/' || s.oid AS node, 'statistics' AS kind, n.nspname AS schema, name,
       array_remove(ARRAY[
         pg_get_statisticsobjdef(s.oid),
         CASE WHEN stxstattarget >= 0 THEN format('ALTER STATISTICS %s SET STATISTICS %s', name, stxstattarget) END,
         'COMMENT ON STATISTICS ' || name || ' IS ' || quote_literal(obj_description(s.oid, 'pg_statistic_ext'))], NULL)
         AS statements
  FROM pg_catalog.pg_statistic_ext s
  JOIN namespace n ON n.oid = s.stxnamespace
 CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, s.stxname) AS name) self
 WHERE ${isOwn('pg_statistic_ext', 's')}`;
}
