import { type Sql, sql } from '../../postgres/sql.ts';
import { namespaces, standsAlone } from './object.ts';

/**
 * Everything that is in the schemas, and the node that it is told of with: an array type with its element type, a view's
 * rule with the view, a range's constructors with the range.
 */
export function members(schemas: readonly string[]): Sql {
  return sql`${namespaces(schemas)}, relation AS (
  SELECT c.* FROM pg_catalog.pg_class c JOIN namespace n ON n.oid = c.relnamespace WHERE c.relkind <> 't'
), relation_node AS (
  SELECT c.oid, CASE
           WHEN c.relkind IN ('i', 'I') THEN coalesce((
             SELECT 'pg_constraint/' || k.oid FROM pg_catalog.pg_constraint k
              WHERE k.conindid = c.oid AND k.contype IN ('p', 'u', 'x')), 'pg_class/' || c.oid)
           WHEN c.relkind = 'S' THEN coalesce((
             SELECT 'pg_class/' || i.refobjid FROM pg_catalog.pg_depend i
              WHERE i.classid = 'pg_catalog.pg_class'::regclass AND i.objid = c.oid AND i.deptype = 'i'
                AND i.refclassid = 'pg_catalog.pg_class'::regclass), 'pg_class/' || c.oid)
           WHEN c.relkind = 'c' THEN 'pg_type/' || c.reltype
           ELSE 'pg_class/' || c.oid END AS node
    FROM relation c
), type_node AS (
  SELECT t.oid, CASE WHEN c.relkind IN ('r', 'p', 'v', 'm', 'f') THEN 'pg_class/' || c.oid
                     ELSE 'pg_type/' || coalesce(r.rngtypid, t.oid) END AS node
    FROM pg_catalog.pg_type t
    JOIN namespace n ON n.oid = t.typnamespace
    LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
    LEFT JOIN pg_catalog.pg_range r ON r.rngmultitypid = t.oid
), member AS (
  SELECT 'pg_catalog.pg_class'::regclass AS classid, oid AS objid, node FROM relation_node
   UNION ALL
  SELECT 'pg_catalog.pg_type'::regclass, t.oid, coalesce(e.node, t.node)
    FROM type_node t
    LEFT JOIN (pg_catalog.pg_type element JOIN type_node e ON e.oid = element.oid) ON element.typarray = t.oid
   UNION ALL
  SELECT 'pg_catalog.pg_proc'::regclass, p.oid, coalesce((
           SELECT t.node FROM pg_catalog.pg_depend i JOIN type_node t ON t.oid = i.refobjid
            WHERE i.classid = 'pg_catalog.pg_proc'::regclass AND i.objid = p.oid AND i.deptype = 'i'
              AND i.refclassid = 'pg_catalog.pg_type'::regclass), 'pg_proc/' || p.oid)
    FROM pg_catalog.pg_proc p JOIN namespace n ON n.oid = p.pronamespace
   UNION ALL
  SELECT 'pg_catalog.pg_attrdef'::regclass, d.oid,
         CASE WHEN ${standsAlone('d')} THEN 'pg_attrdef/' || d.oid ELSE 'pg_class/' || d.adrelid END
    FROM pg_catalog.pg_attrdef d JOIN relation c ON c.oid = d.adrelid
   UNION ALL
  SELECT 'pg_catalog.pg_constraint'::regclass, k.oid,
         CASE WHEN k.contypid <> 0 THEN 'pg_type/' || k.contypid
              WHEN k.contype = 't' THEN (SELECT 'pg_trigger/' || g.oid FROM pg_catalog.pg_trigger g WHERE g.tgconstraint = k.oid)
              WHEN k.contype = 'n' AND k.convalidated THEN 'pg_class/' || k.conrelid
              ELSE 'pg_constraint/' || k.oid END
    FROM pg_catalog.pg_constraint k JOIN namespace n ON n.oid = k.connamespace
   UNION ALL
  SELECT 'pg_catalog.pg_rewrite'::regclass, r.oid,
         CASE r.rulename WHEN '_RETURN' THEN 'pg_class/' || r.ev_class ELSE 'pg_rewrite/' || r.oid END
    FROM pg_catalog.pg_rewrite r JOIN relation c ON c.oid = r.ev_class
   UNION ALL
  SELECT 'pg_catalog.pg_trigger'::regclass, g.oid, 'pg_trigger/' || g.oid
    FROM pg_catalog.pg_trigger g JOIN relation c ON c.oid = g.tgrelid
   UNION ALL
  SELECT 'pg_catalog.pg_policy'::regclass, y.oid, 'pg_policy/' || y.oid
    FROM pg_catalog.pg_policy y JOIN relation c ON c.oid = y.polrelid
   UNION ALL
  SELECT 'pg_catalog.pg_statistic_ext'::regclass, s.oid, 'pg_statistic_ext/' || s.oid
    FROM pg_catalog.pg_statistic_ext s JOIN namespace n ON n.oid = s.stxnamespace
)`;
}

/** Which node needs which. A sequence needs no table that it merely goes with. */
export function dependencies(schemas: readonly string[]): Sql {
  return sql`
WITH ${members(schemas)}
SELECT m.node, r.node AS needs
  FROM member m
  JOIN pg_catalog.pg_depend d ON d.classid = m.classid AND d.objid = m.objid
  JOIN member r ON r.classid = d.refclassid AND r.objid = d.refobjid
 WHERE m.node <> r.node AND d.deptype <> 'e'
   AND NOT (d.deptype = 'a' AND d.refobjsubid > 0 AND EXISTS (
     SELECT FROM relation s WHERE d.classid = 'pg_catalog.pg_class'::regclass AND s.oid = d.objid AND s.relkind = 'S'))
 GROUP BY m.node, r.node`;
}

/** Extensions that things in the schemas rest on, or that are installed there. */
export function extensions(schemas: readonly string[]): Sql {
  return sql`
WITH ${members(schemas)}
SELECT x.extname AS name, x.extversion AS version, n.nspname AS schema
  FROM pg_catalog.pg_extension x
  JOIN pg_catalog.pg_namespace n ON n.oid = x.extnamespace
 WHERE x.extnamespace IN (SELECT oid FROM namespace)
    OR x.oid IN (
       SELECT e.refobjid
         FROM member m
         JOIN pg_catalog.pg_depend d ON d.classid = m.classid AND d.objid = m.objid AND d.deptype <> 'e'
         JOIN pg_catalog.pg_depend e ON e.classid = d.refclassid AND e.objid = d.refobjid AND e.deptype = 'e')
 ORDER BY x.extname`;
}
