import { type Sql, sql } from '../../postgres/sql.ts';
import { isOwn, namespaces } from './object.ts';

/** What is told of the index `x` of the table `c`, whether it is a constraint's or not. */
const indexSettings = sql`ARRAY(
  SELECT format('ALTER INDEX %I.%I ATTACH PARTITION %I.%I', pn.nspname, pi.relname, n.nspname, x.relname)
    FROM pg_catalog.pg_inherits h
    JOIN pg_catalog.pg_class pi ON pi.oid = h.inhparent
    JOIN pg_catalog.pg_namespace pn ON pn.oid = pi.relnamespace
   WHERE h.inhrelid = x.oid)
  || ARRAY(
  SELECT format('ALTER INDEX %I.%I ALTER COLUMN %s SET STATISTICS %s', n.nspname, x.relname, attnum, attstattarget)
    FROM pg_catalog.pg_attribute
   WHERE attrelid = x.oid AND attstattarget >= 0
   ORDER BY attnum)
  || ARRAY[
    CASE WHEN indisclustered THEN format('ALTER TABLE %I.%I CLUSTER ON %I', n.nspname, c.relname, x.relname) END,
    CASE WHEN indisreplident
         THEN format('ALTER TABLE ONLY %I.%I REPLICA IDENTITY USING INDEX %I', n.nspname, c.relname, x.relname) END,
    format('COMMENT ON INDEX %I.%I IS ', n.nspname, x.relname) || quote_literal(obj_description(x.oid, 'pg_class'))]`;

/** Indexes that are no constraint's. One that isn't valid is left out: its making failed. */
export function indexes(schemas: readonly string[]): Sql {
  return sql`
WITH ${namespaces(schemas)}
SELECT 'pg_class/' || x.oid AS node, 'index' AS kind, n.nspname AS schema, format('%I.%I', n.nspname, x.relname) AS name,
       array_remove(ARRAY[pg_get_indexdef(x.oid)] || ${indexSettings}, NULL) AS statements
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
  JOIN namespace n ON n.oid = c.relnamespace
 WHERE (i.indisvalid OR x.relkind = 'I') AND ${isOwn('pg_class', 'c')}
   AND NOT EXISTS (
     SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = x.oid AND k.contype IN ('p', 'u', 'x'))`;
}

/**
 * Constraints of tables, all added after the data. What a table has only by inheritance comes with its parent's; but each
 * partition's own index is made by itself and attached, so that it keeps its name.
 *
 * A foreign key needs the index that it refers to to be whole, which a partitioned table's is with its last partition's.
 */
export function constraints(schemas: readonly string[]): Sql {
  return sql`
WITH ${namespaces(schemas)}
SELECT 'pg_constraint/' || k.oid AS node, CASE contype WHEN 'f' THEN 'foreign key' ELSE 'constraint' END AS kind,
       n.nspname AS schema, format('%I.%I.%I', n.nspname, c.relname, conname) AS name,
       array_remove(ARRAY[
         format('ALTER TABLE %s%I.%I ADD CONSTRAINT %I %s', CASE WHEN contype IN ('p', 'u', 'x') THEN 'ONLY ' END,
                n.nspname, c.relname, conname, pg_get_constraintdef(k.oid))]
         || CASE WHEN contype IN ('p', 'u', 'x') THEN ${indexSettings} END
         || ARRAY[format('COMMENT ON CONSTRAINT %I ON %I.%I IS ', conname, n.nspname, c.relname)
                    || quote_literal(obj_description(k.oid, 'pg_constraint'))], NULL) AS statements,
       CASE WHEN contype = 'f' THEN ARRAY(
         SELECT coalesce('pg_constraint/' || u.oid, 'pg_class/' || ui.indexrelid)
           FROM pg_partition_tree(k.confrelid) t
           JOIN pg_catalog.pg_index ui ON ui.indrelid = t.relid AND ui.indisunique
           LEFT JOIN pg_catalog.pg_constraint u ON u.conindid = ui.indexrelid AND u.contype IN ('p', 'u')
          WHERE t.level > 0) ELSE '{}' END AS needs
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_class x ON x.oid = k.conindid
  LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = k.conindid
 WHERE ${isOwn('pg_class', 'c')}
   AND (contype IN ('p', 'u', 'x') OR contype = 'c' AND conislocal OR contype = 'f' AND conparentid = 0
        OR contype = 'n' AND conislocal AND NOT convalidated)`;
}
