import { type Sql, sql } from '../../postgres/sql.ts';
import { collation, isOwn, namespaces } from './object.ts';

/** Enumerations, composite types, domains and ranges. */
export function types(schemas: readonly string[]): Sql {
  return sql`
WITH ${namespaces(schemas)}, own AS (
  SELECT t.*, n.nspname, format('%I.%I', n.nspname, t.typname) AS name,
         obj_description(t.oid, 'pg_type') AS comment
    FROM pg_catalog.pg_type t
    JOIN namespace n ON n.oid = t.typnamespace
   WHERE ${isOwn('pg_type', 't')}
)
SELECT 'pg_type/' || oid AS node, 'type' AS kind, nspname AS schema, name,
       array_remove(definition || ARRAY['COMMENT ON ' || word || ' ' || name || ' IS ' || quote_literal(comment)], NULL)
         AS statements
  FROM (
    SELECT oid, nspname, name, comment, 'TYPE' AS word,
           ARRAY[format('CREATE TYPE %s AS ENUM (%s)', name, (
             SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder)
               FROM pg_catalog.pg_enum WHERE enumtypid = own.oid))] AS definition
      FROM own
     WHERE typtype = 'e'
     UNION ALL
    SELECT oid, nspname, name, comment, 'TYPE',
           ARRAY[format(E'CREATE TYPE %s AS (%s\n)', name, (
             SELECT string_agg(
                      format(E'\n  %I %s%s', attname, format_type(atttypid, atttypmod),
                             ${collation('attcollation', 'atttypid')}), ',' ORDER BY attnum)
               FROM pg_catalog.pg_attribute WHERE attrelid = typrelid AND NOT attisdropped))]
           || ARRAY(
             SELECT format('COMMENT ON COLUMN %s.%I IS %L', name, attname, col_description(attrelid, attnum))
               FROM pg_catalog.pg_attribute
              WHERE attrelid = typrelid AND NOT attisdropped AND col_description(attrelid, attnum) IS NOT NULL
              ORDER BY attnum)
      FROM own
     WHERE typtype = 'c'
       AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = typrelid AND c.relkind = 'c')
     UNION ALL
    SELECT oid, nspname, name, comment, 'DOMAIN',
           ARRAY[format('CREATE DOMAIN %s AS %s%s%s%s%s', name, format_type(typbasetype, typtypmod),
             ${collation('own.typcollation', 'own.typbasetype')},
             ' DEFAULT ' || pg_get_expr(typdefaultbin, 0), CASE WHEN typnotnull THEN ' NOT NULL' END, (
             SELECT string_agg(format(E'\n  CONSTRAINT %I %s', conname, pg_get_constraintdef(k.oid)), '' ORDER BY conname)
               FROM pg_catalog.pg_constraint k
              WHERE k.contypid = own.oid AND k.contype = 'c' AND k.convalidated))]
           || ARRAY(
             SELECT format('ALTER DOMAIN %s ADD CONSTRAINT %I %s', name, conname, pg_get_constraintdef(k.oid))
               FROM pg_catalog.pg_constraint k
              WHERE k.contypid = own.oid AND k.contype = 'c' AND NOT k.convalidated
              ORDER BY conname)
           || ARRAY(
             SELECT format('COMMENT ON CONSTRAINT %I ON DOMAIN %s IS %L', conname, name,
                           obj_description(k.oid, 'pg_constraint'))
               FROM pg_catalog.pg_constraint k
              WHERE k.contypid = own.oid AND k.contype = 'c' AND obj_description(k.oid, 'pg_constraint') IS NOT NULL
              ORDER BY conname)
      FROM own
     WHERE typtype = 'd'
     UNION ALL
    SELECT own.oid, own.nspname, name, comment, 'TYPE',
           ARRAY[format('CREATE TYPE %s AS RANGE (%s)', name, array_to_string(ARRAY[
             'SUBTYPE = ' || format_type(rngsubtype, NULL),
             (SELECT format('SUBTYPE_OPCLASS = %I.%I', n.nspname, opcname)
                FROM pg_catalog.pg_opclass c JOIN pg_catalog.pg_namespace n ON n.oid = opcnamespace
               WHERE c.oid = rngsubopc AND NOT opcdefault),
             (SELECT format('COLLATION = %I.%I', n.nspname, collname)
                FROM pg_catalog.pg_collation c
                JOIN pg_catalog.pg_namespace n ON n.oid = collnamespace
                JOIN pg_catalog.pg_type s ON s.oid = rngsubtype
               WHERE c.oid = rngcollation AND c.oid <> s.typcollation),
             'SUBTYPE_DIFF = ' || nullif(rngsubdiff::oid, 0)::regproc,
             (SELECT format('MULTIRANGE_TYPE_NAME = %I.%I', n.nspname, m.typname)
                FROM pg_catalog.pg_type m JOIN pg_catalog.pg_namespace n ON n.oid = m.typnamespace
               WHERE m.oid = rngmultitypid)], ', '))]
      FROM own
      JOIN pg_catalog.pg_range r ON r.rngtypid = own.oid
     WHERE typtype = 'r'
  ) AS described`;
}
