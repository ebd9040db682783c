import { Sql, sql } from '../../postgres/sql.ts';
import { members } from './dependencies.ts';

/** Something that an archive doesn't have. */
export interface Omission {
  /** What it is and its name, as PostgreSQL says them: `operator billing.=(integer,text)`. */
  readonly object: string;
  readonly reason: string;
  /** Nothing is lost that the schema itself is made of. */
  readonly minor: boolean;
}

/** Classes of objects in a schema that are not described, by their catalog and their column with the schema. */
const unknownClasses = [
  ['pg_operator', 'oprnamespace', 'operators'],
  ['pg_opclass', 'opcnamespace', 'operator classes'],
  ['pg_opfamily', 'opfnamespace', 'operator families'],
  ['pg_conversion', 'connamespace', 'conversions'],
  ['pg_collation', 'collnamespace', 'collations'],
  ['pg_ts_config', 'cfgnamespace', 'text search configurations'],
  ['pg_ts_dict', 'dictnamespace', 'text search dictionaries'],
  ['pg_ts_parser', 'prsnamespace', 'text search parsers'],
  ['pg_ts_template', 'tmplnamespace', 'text search templates'],
] as const;

/** Classes of objects that have an owner, by their catalog and their columns with schema and owner. */
const owned = [
  ['pg_class', 'relnamespace', 'relowner'],
  ['pg_type', 'typnamespace', 'typowner'],
  ['pg_proc', 'pronamespace', 'proowner'],
  ['pg_statistic_ext', 'stxnamespace', 'stxowner'],
] as const;

/**
 * What an archive of the schemas can't have, or leaves to others.
 *
 * @param owners of the schemas: each owns its schema and all in it
 */
export function omissions(owners: ReadonlyMap<string, string>): Sql {
  const schemas = [...owners.keys()];
  const unknown = unknownClasses.map(
    ([catalog, namespace, what]) => sql`
  SELECT ${`pg_catalog.${catalog}`}::regclass, o.oid, ${`${what} are not archived`}, false
    FROM pg_catalog.${raw(catalog)} o JOIN namespace n ON n.oid = o.${raw(namespace)}`,
  );
  const foreign = owned.map(
    ([catalog, namespace, owner]) => sql`
  SELECT ${`pg_catalog.${catalog}`}::regclass, o.oid, 'it belongs to ' || pg_get_userbyid(o.${raw(owner)}), false
    FROM pg_catalog.${raw(catalog)} o
    JOIN namespace n ON n.oid = o.${raw(namespace)}
    JOIN owner w ON w.schema = n.nspname
   WHERE pg_get_userbyid(o.${raw(owner)}) <> w.role
     AND NOT (o.tableoid = 'pg_catalog.pg_class'::regclass AND to_jsonb(o) ->> 'relkind' IN ('i', 'I', 'c', 't'))
     AND NOT (o.tableoid = 'pg_catalog.pg_type'::regclass AND (
       to_jsonb(o) ->> 'typtype' = 'm' OR EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.typarray = o.oid)
       OR EXISTS (SELECT FROM pg_catalog.pg_class r WHERE r.reltype = o.oid AND r.relkind <> 'c')))`,
  );
  return sql`
WITH ${members(schemas)}, owner (schema, role) AS (
  VALUES ${[...owners].map(([schema, role]) => sql`(${schema}, ${role})`)}
), found (classid, objid, reason, minor) AS (${join(unknown)}
   UNION ALL${join(foreign)}
   UNION ALL
  SELECT 'pg_catalog.pg_class'::regclass, c.oid, 'foreign tables are not archived', false FROM relation c WHERE c.relkind = 'f'
   UNION ALL
  SELECT 'pg_catalog.pg_type'::regclass, t.oid, 'base types are not archived', false
    FROM pg_catalog.pg_type t JOIN namespace n ON n.oid = t.typnamespace
   WHERE (t.typtype = 'b' AND NOT EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.typarray = t.oid)) OR NOT t.typisdefined
   UNION ALL
  SELECT 'pg_catalog.pg_proc'::regclass, p.oid, 'only a superuser can make a function in the language ' || l.lanname, false
    FROM pg_catalog.pg_proc p
    JOIN namespace n ON n.oid = p.pronamespace
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang
   WHERE p.prokind <> 'a' AND l.lanname IN ('c', 'internal')
   UNION ALL
  SELECT 'pg_catalog.pg_cast'::regclass, x.oid, 'casts are not archived', false
    FROM pg_catalog.pg_cast x
   WHERE EXISTS (
     SELECT FROM member m
      WHERE m.classid = 'pg_catalog.pg_type'::regclass AND m.objid IN (x.castsource, x.casttarget)
         OR m.classid = 'pg_catalog.pg_proc'::regclass AND m.objid = x.castfunc)
   UNION ALL
  SELECT 'pg_catalog.pg_transform'::regclass, x.oid, 'transforms are not archived', false
    FROM pg_catalog.pg_transform x
    JOIN member m ON m.classid = 'pg_catalog.pg_type'::regclass AND m.objid = x.trftype
   UNION ALL
  SELECT 'pg_catalog.pg_event_trigger'::regclass, v.oid, 'event triggers are not archived', false
    FROM pg_catalog.pg_event_trigger v JOIN member m ON m.classid = 'pg_catalog.pg_proc'::regclass AND m.objid = v.evtfoid
   UNION ALL
  SELECT 'pg_catalog.pg_publication_rel'::regclass, b.oid, 'publications are not archived', false
    FROM pg_catalog.pg_publication_rel b JOIN relation c ON c.oid = b.prrelid
   UNION ALL
  SELECT 'pg_catalog.pg_publication_namespace'::regclass, b.oid, 'publications are not archived', false
    FROM pg_catalog.pg_publication_namespace b JOIN namespace n ON n.oid = b.pnnspid
   UNION ALL
  SELECT l.classoid, l.objoid, 'its security label is not archived', false
    FROM pg_catalog.pg_seclabel l JOIN member m ON m.classid = l.classoid AND m.objid = l.objoid
   UNION ALL
  SELECT 'pg_catalog.pg_class'::regclass, i.indexrelid, 'the index is not valid', true
    FROM pg_catalog.pg_index i JOIN relation c ON c.oid = i.indexrelid
   WHERE NOT i.indisvalid AND c.relkind = 'i'
   UNION ALL
  SELECT 'pg_catalog.pg_class'::regclass, c.oid, format('it is a child of %I.%I', pn.nspname, p.relname), false
    FROM pg_catalog.pg_inherits h
    JOIN relation c ON c.oid = h.inhrelid AND c.relkind IN ('r', 'p')
    JOIN pg_catalog.pg_class p ON p.oid = h.inhparent
    JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
   WHERE p.relnamespace <> c.relnamespace
   UNION ALL
  SELECT CASE WHEN v.oid IS NULL THEN d.classid ELSE 'pg_catalog.pg_class'::regclass END, coalesce(v.ev_class, d.objid),
         'it needs ' || pg_describe_object(d.refclassid, d.refobjid, 0), false
    FROM member m
    JOIN pg_catalog.pg_depend d ON d.classid = m.classid AND d.objid = m.objid AND d.deptype <> 'e'
    LEFT JOIN pg_catalog.pg_rewrite v
      ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND v.oid = d.objid AND v.rulename = '_RETURN'
   CROSS JOIN LATERAL pg_identify_object(d.refclassid, d.refobjid, 0) o
   WHERE (o.schema IS NOT NULL AND o.schema NOT IN (${['pg_catalog', 'information_schema', 'pg_toast', ...schemas]})
          OR d.refclassid IN ('pg_catalog.pg_language'::regclass, 'pg_catalog.pg_am'::regclass,
                              'pg_catalog.pg_foreign_server'::regclass))
     AND d.refobjid >= 16384
     AND NOT EXISTS (
       SELECT FROM pg_catalog.pg_depend e
        WHERE e.classid = d.refclassid AND e.objid = d.refobjid AND e.deptype = 'e')
)
SELECT object, string_agg(reason, '; ' ORDER BY reason) AS reason, bool_and(minor) AS minor
  FROM (
    SELECT DISTINCT pg_describe_object(classid, objid, 0) AS object, reason, minor
      FROM found f
     WHERE NOT EXISTS (
       SELECT FROM pg_catalog.pg_depend e
        WHERE e.classid = f.classid AND e.objid = f.objid
          AND (e.deptype = 'e' OR e.deptype = 'i' AND e.refclassid = 'pg_catalog.pg_type'::regclass))
     UNION ALL
    SELECT format('%s large objects', count(*)), 'large objects are not archived', false
      FROM pg_catalog.pg_largeobject_metadata o JOIN owner w ON w.role = pg_get_userbyid(o.lomowner)
    HAVING count(*) > 0
  ) listed
 GROUP BY object
 ORDER BY object COLLATE "C"`;
}

/** Names that this file itself gives. */
function raw(name: string): Sql {
  return Sql.of(name);
}

function join(parts: readonly Sql[]): Sql {
  return Sql.of(parts.map(({ text }) => text).join('\n   UNION ALL'));
}
