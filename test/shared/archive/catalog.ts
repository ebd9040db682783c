import type { World } from './fixture.ts';

/**
 * What the catalog has about a schema, column by column and without numbers of objects: apart from what an archive says
 * of it, to find what that forgets.
 */
const facts = (schema: string) => `
WITH n AS (SELECT oid, nspname, nspacl FROM pg_namespace WHERE nspname = '${schema}')
SELECT 'relation' AS about, relname::text AS name, jsonb_build_array(relkind, relpersistence, reloptions, relreplident,
         relrowsecurity, relforcerowsecurity, relispartition, relispopulated, relhasrules, reloftype::regtype,
         pg_get_expr(relpartbound, c.oid), pg_get_partkeydef(c.oid), relacl, pg_get_userbyid(relowner),
         (SELECT amname FROM pg_am WHERE oid = relam), (SELECT reloptions FROM pg_class t WHERE t.oid = c.reltoastrelid),
         ARRAY(SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = c.oid ORDER BY inhseqno),
         CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END) AS fact
  FROM pg_class c JOIN n ON n.oid = relnamespace WHERE relkind <> 't'
 UNION ALL
SELECT 'column', format('%s.%s', c.relname, row_number() OVER (PARTITION BY c.oid ORDER BY attnum)),
       jsonb_build_array(attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated, attstorage,
         attcompression, attstattarget, attcollation, attoptions, attacl, attinhcount, pg_get_expr(d.adbin, d.adrelid))
  FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid JOIN n ON n.oid = relnamespace
  LEFT JOIN pg_attrdef d ON d.adrelid = attrelid AND d.adnum = attnum
 WHERE attnum > 0 AND NOT attisdropped AND relkind <> 't'
 UNION ALL
SELECT 'constraint', format('%s of %s', conname, coalesce(nullif(conrelid, 0)::regclass::text, contypid::regtype::text)),
       jsonb_build_array(contype, condeferrable, condeferred, convalidated,
         contype IN ('c', 'n') AND connoinherit, coninhcount,
         pg_get_constraintdef(k.oid), conindid::regclass, conparentid <> 0)
  FROM pg_constraint k JOIN n ON n.oid = connamespace
 UNION ALL
SELECT 'index', indexrelid::regclass::text, jsonb_build_array(pg_get_indexdef(indexrelid), indisunique, indnullsnotdistinct,
         indisprimary, indisexclusion, indimmediate, indisclustered, indisvalid, indisready, indislive, indisreplident)
  FROM pg_index JOIN pg_class c ON c.oid = indrelid JOIN n ON n.oid = relnamespace
 UNION ALL
SELECT 'sequence', seqrelid::regclass::text, to_jsonb(q) - 'seqrelid'
         || jsonb_build_object('owner', (
              SELECT pg_describe_object(refclassid, refobjid, refobjsubid) || deptype::text FROM pg_depend
               WHERE classid = 'pg_class'::regclass AND objid = seqrelid AND deptype IN ('a', 'i')))
  FROM pg_sequence q JOIN pg_class c ON c.oid = seqrelid JOIN n ON n.oid = relnamespace
 UNION ALL
SELECT 'type', t.oid::regtype::text, jsonb_build_array(typtype, typcategory, typnotnull, typbasetype::regtype, typtypmod,
         typcollation, typdefault, coalesce(typacl, acldefault('T', typowner)), pg_get_userbyid(typowner),
         ARRAY(SELECT enumlabel FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder),
         (SELECT jsonb_build_array(rngsubtype::regtype, rngcollation, rngsubopc, rngsubdiff::regproc, rngmultitypid::regtype)
            FROM pg_range WHERE rngtypid = t.oid))
  FROM pg_type t JOIN n ON n.oid = typnamespace
 UNION ALL
SELECT 'routine', p.oid::regprocedure::text, to_jsonb(p) - '{oid,pronamespace,proowner,proargdefaults,prosqlbody,proargtypes,proallargtypes,prorettype,provariadic}'::text[]
         || jsonb_build_object('owner', pg_get_userbyid(proowner), 'arguments', pg_get_function_arguments(p.oid),
              'result', pg_get_function_result(p.oid),
              'definition', CASE WHEN prokind <> 'a' THEN pg_get_functiondef(p.oid) END,
              'aggregate', (SELECT to_jsonb(a) - '{aggfnoid,aggtranstype}'::text[] FROM pg_aggregate a WHERE aggfnoid = p.oid))
  FROM pg_proc p JOIN n ON n.oid = pronamespace
 UNION ALL
SELECT 'trigger', format('%s on %s', tgname, tgrelid::regclass),
       jsonb_build_array(pg_get_triggerdef(g.oid), tgenabled, tgparentid <> 0, tgdeferrable, tginitdeferred)
  FROM pg_trigger g JOIN pg_class c ON c.oid = tgrelid JOIN n ON n.oid = relnamespace WHERE NOT tgisinternal
 UNION ALL
SELECT 'rule', format('%s on %s', rulename, ev_class::regclass), jsonb_build_array(pg_get_ruledef(r.oid), ev_enabled)
  FROM pg_rewrite r JOIN pg_class c ON c.oid = ev_class JOIN n ON n.oid = relnamespace
 UNION ALL
SELECT 'policy', format('%s on %s', polname, polrelid::regclass), jsonb_build_array(polcmd, polpermissive,
         ARRAY(SELECT coalesce(rolname, 'PUBLIC') FROM unnest(polroles) o LEFT JOIN pg_roles r ON r.oid = o ORDER BY 1),
         pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
  FROM pg_policy y JOIN pg_class c ON c.oid = polrelid JOIN n ON n.oid = relnamespace
 UNION ALL
SELECT 'statistics', stxname::text, jsonb_build_array(pg_get_statisticsobjdef(s.oid), stxstattarget)
  FROM pg_statistic_ext s JOIN n ON n.oid = stxnamespace
 UNION ALL
SELECT 'schema', nspname::text, jsonb_build_array(nspacl) FROM n
 UNION ALL
SELECT 'comment', pg_describe_object(classoid, objoid, objsubid), to_jsonb(description)
  FROM pg_description
 WHERE (pg_identify_object(classoid, objoid, 0)).identity ~ '\\m${schema}\\M'
 ORDER BY 1, 2`;

/** With the names of the schema's roles as they would be in any database. */
export async function readFacts(world: World, database: string, schema: string): Promise<string[]> {
  const rows = await world.query<{ about: string; name: string; fact: unknown }>(database, facts(schema));
  return rows.map(({ about, name, fact }) =>
    `${about} ${name} ${withSortedAcls(JSON.stringify(fact))}`.replaceAll(`${database}__`, 'DATABASE__'),
  );
}

/** The order of entries in an access control list means nothing. */
function withSortedAcls(text: string): string {
  return text.replace(/\["[^[\]]*=[^[\]]*\/[^[\]]*"\]/g, (list) =>
    JSON.stringify((JSON.parse(list) as string[]).sort()),
  );
}
