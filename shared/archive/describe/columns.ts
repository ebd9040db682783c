import { type Sql, sql } from '../../postgres/sql.ts';
import { collation, sequenceOptions, standsAlone } from './object.ts';

/** The sequence behind an identity column; a partition's column may be one without a sequence of its own. */
const identitySequence = sql`pg_catalog.pg_depend i
           JOIN pg_catalog.pg_sequence q ON q.seqrelid = i.objid
           JOIN pg_catalog.pg_class s ON s.oid = q.seqrelid
           JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace
          WHERE i.classid = 'pg_catalog.pg_class'::regclass AND i.refclassid = 'pg_catalog.pg_class'::regclass
            AND i.refobjid = a.attrelid AND i.refobjsubid = a.attnum AND i.deptype = 'i'`;

/**
 * Columns of the table `c` as CREATE TABLE has them. PostgreSQL 18 gives NOT NULL a name, and lets it be not valid:
 * that is added after the data.
 */
export const columnDefinitions: Sql = sql`(
  SELECT string_agg(format(E'\n  %I %s%s%s%s%s', attname, format_type(atttypid, atttypmod),
           CASE attcompression WHEN 'p' THEN ' COMPRESSION pglz' WHEN 'l' THEN ' COMPRESSION lz4' END,
           ${collation('a.attcollation', 'a.atttypid')},
           CASE WHEN attnotnull THEN coalesce((
             SELECT CASE WHEN convalidated
                         THEN concat(CASE WHEN conname <> format('%s_%s_not_null', c.relname, a.attname)
                                          THEN format(' CONSTRAINT %I', conname) END,
                                     ' NOT NULL', CASE WHEN connoinherit THEN ' NO INHERIT' END)
                         ELSE '' END
               FROM pg_catalog.pg_constraint k
              WHERE k.conrelid = a.attrelid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum]), ' NOT NULL') END,
           CASE WHEN attgenerated <> ''
                THEN format(' GENERATED ALWAYS AS (%s) %s', pg_get_expr(d.adbin, d.adrelid),
                            CASE attgenerated WHEN 'v' THEN 'VIRTUAL' ELSE 'STORED' END)
                WHEN attidentity <> '' THEN (
           SELECT format(' GENERATED %s AS IDENTITY (SEQUENCE NAME %I.%I %s)',
                         CASE attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END, sn.nspname, s.relname,
                         ${sequenceOptions('q')})
             FROM ${identitySequence})
                WHEN NOT ${standsAlone('d')} THEN ' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid) END), ',' ORDER BY attnum)
    FROM pg_catalog.pg_attribute a
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
   WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)`;

/** What is told of columns of `c`, a table or materialized view called `name`, once it is there. */
export const columnSettings: Sql = sql`ARRAY(
  SELECT statement
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
   CROSS JOIN LATERAL format('ALTER TABLE ONLY %s ALTER COLUMN %I SET ', name, attname) AS alter
   CROSS JOIN LATERAL unnest(ARRAY[
     CASE WHEN a.attstorage <> t.typstorage THEN alter || 'STORAGE ' || CASE a.attstorage
          WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END END,
     CASE WHEN a.attstattarget >= 0 THEN alter || 'STATISTICS ' || a.attstattarget END,
     alter || '(' || (SELECT string_agg(replace(o, '=', ' = '), ', ') FROM unnest(attoptions) o) || ')'
   ]) WITH ORDINALITY AS s (statement, place)
   WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND statement IS NOT NULL
   ORDER BY attnum, place)`;

/** Comments on the columns of `c`, which is called `name`, and on the sequences behind them. */
export const columnComments: Sql = sql`ARRAY(
  SELECT format('COMMENT ON COLUMN %s.%I IS %L', name, attname, col_description(a.attrelid, attnum))
    FROM pg_catalog.pg_attribute a
   WHERE a.attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND col_description(a.attrelid, attnum) IS NOT NULL
   ORDER BY attnum)
  || ARRAY(
  SELECT format('COMMENT ON SEQUENCE %I.%I IS %L', sequence_schema, sequence_name, comment)
    FROM pg_catalog.pg_attribute a
   CROSS JOIN LATERAL (
         SELECT sn.nspname AS sequence_schema, s.relname AS sequence_name, obj_description(s.oid, 'pg_class') AS comment
           FROM ${identitySequence}) q
   WHERE a.attrelid = c.oid AND a.attidentity <> '' AND comment IS NOT NULL
   ORDER BY attnum)`;

/** The columns whose values are kept: others are computed anew. */
export const dataColumns: Sql = sql`ARRAY(
  SELECT attname::text
    FROM pg_catalog.pg_attribute
   WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
   ORDER BY attnum)`;
