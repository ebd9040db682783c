import type pg from 'pg';
import { actingAdmin, adminRole, roleName, writersRole } from '../names.ts';
import { systemRoles } from '../principals.ts';
import { type Sql, sql } from '../sql.ts';
import { managedRoles } from './managed-roles.ts';
import type { DesiredSchema, InspectedSchema, SchemaRoles } from './model.ts';

/** @param custom what the custom roles that are asked for are called */
export function schemaRoles(database: string, schema: string, custom: readonly string[] = []): SchemaRoles {
  return {
    owner: roleName(database, schema, 'owner'),
    writer: roleName(database, schema, 'writer'),
    reader: roleName(database, schema, 'reader'),
    analyst: roleName(database, schema, 'analyst'),
    custom: Object.fromEntries(custom.map((name) => [name, roleName(database, schema, name)])),
    monitor: roleName(database, undefined, 'monitor'),
    connect: roleName(database, undefined, 'connect'),
    acting: actingAdmin(database, schema),
  };
}

/** Reads the one row that {@link inspection} gives. */
export function readInspection(result: pg.QueryResult): InspectedSchema {
  return (result.rows[0] as { inspected: InspectedSchema }).inspected;
}

/**
 * The catalog query: all that a plan needs in one round trip, as the acting admin sees it.
 *
 * Groups objects by what they have in common, so that ten thousand tables in order are one row. What belongs to an
 * extension is the extension's, and the constructors of a range type are the server's. Membership options exist from
 * PostgreSQL 16 on; before, INHERIT was the member's own.
 */
export function inspection(desired: DesiredSchema, roles: SchemaRoles): Sql {
  const { schema, owner, lockDatabase } = desired;
  const all = managedRoles(desired, roles);
  const managed = all.map(({ name }) => name);
  const others = [roles.acting, owner ?? roles.acting];
  const native = unique(all.flatMap((role) => role.native));
  const inherited = unique(all.flatMap(({ inherits }) => inherits));
  const joined = [roles.owner, ...inherited, roles.connect, ...native];
  return sql`
WITH settings AS (
  SELECT current_setting('server_version_num')::int AS version
), namespace AS (
  SELECT oid, nspname, nspowner, nspacl FROM pg_catalog.pg_namespace WHERE nspname = ${schema}
), managed AS (
  SELECT r.*,
         pg_has_role(current_user, r.oid, 'USAGE')
           AND CASE WHEN version < 160000 THEN true ELSE pg_has_role(current_user, r.oid, 'SET') END AS usable,
         pg_has_role(current_user, r.oid, 'MEMBER WITH ADMIN OPTION') OR version < 160000 AS administrable
    FROM pg_catalog.pg_roles r, settings
   WHERE r.rolname IN (${managed})
), granted AS (
  SELECT g.rolname AS role, m.rolname AS member,
         coalesce((to_jsonb(a) ->> 'inherit_option')::boolean, m.rolinherit) AS inherit,
         coalesce((to_jsonb(a) ->> 'set_option')::boolean, true) AS set, pg_get_userbyid(a.grantor) AS grantor
    FROM pg_catalog.pg_auth_members a
    JOIN pg_catalog.pg_roles g ON g.oid = a.roleid
    JOIN pg_catalog.pg_roles m ON m.oid = a.member
   WHERE g.rolname IN (${joined})
     AND m.rolname IN (${[...managed, ...others]})
), object AS (
  SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS class,
         format('%I.%I', n.nspname, c.relname) AS name, c.relowner AS owner, c.relacl AS acl,
         c.relkind = 'S' AND EXISTS (
           SELECT FROM pg_catalog.pg_depend d
            WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
              AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i')
         ) AS follows_table, 'pg_catalog.pg_class'::regclass AS catalog, c.oid
    FROM namespace n
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
   UNION ALL
  SELECT 'ROUTINE', format('%I.%I(%s)', n.nspname, p.proname, CASE p.prokind
           WHEN 'a' THEN oidvectortypes(p.proargtypes) ELSE pg_get_function_identity_arguments(p.oid) END),
         p.proowner, p.proacl, false, 'pg_catalog.pg_proc'::regclass, p.oid
    FROM namespace n
    JOIN pg_catalog.pg_proc p ON p.pronamespace = n.oid
   UNION ALL
  SELECT 'TYPE', format('%I.%I', n.nspname, t.typname), t.typowner, NULL, false, 'pg_catalog.pg_type'::regclass, t.oid
    FROM namespace n
    JOIN pg_catalog.pg_type t ON t.typnamespace = n.oid
    LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
   WHERE t.typtype IN ('d', 'e', 'r') OR c.relkind = 'c'
), column_acl AS (
  SELECT o.oid, o.owner, c.attacl AS acl
    FROM object o
    JOIN pg_catalog.pg_attribute c ON c.attrelid = o.oid AND c.attacl IS NOT NULL
   WHERE o.class = 'TABLE'
), listed AS (
  SELECT DISTINCT ON (owner, acl::text, columns) owner, acl, acl::text AS key, columns
    FROM (SELECT nspowner AS owner, nspacl AS acl, false AS columns FROM namespace
           UNION ALL
          SELECT owner, acl, false FROM object
           UNION ALL
          SELECT owner, acl, true FROM column_acl) every
   WHERE acl IS NOT NULL
), held AS (
  SELECT l.owner, l.key, l.columns, jsonb_agg(jsonb_build_object(
           'grantee', g.rolname, 'privilege', a.privilege_type, 'grantable', a.is_grantable, 'columns', l.columns,
           'grantor', CASE WHEN a.grantor <> l.owner AND a.grantor IS DISTINCT FROM o.oid
                           THEN pg_get_userbyid(a.grantor) END,
           'passedOn', EXISTS (
             SELECT FROM aclexplode(l.acl) d
              WHERE d.grantor = a.grantee AND d.privilege_type = a.privilege_type)
         ) ORDER BY g.rolname, a.privilege_type, a.grantor) AS privileges
    FROM listed l
   CROSS JOIN aclexplode(l.acl) a
    JOIN managed g ON g.oid = a.grantee AND g.oid <> l.owner
    LEFT JOIN managed o ON o.rolname = ${roles.owner}
   GROUP BY l.owner, l.key, l.columns
), on_columns AS (
  SELECT c.oid, jsonb_agg(DISTINCT e.privilege) AS privileges
    FROM column_acl c
    JOIN held h ON h.owner = c.owner AND h.key = c.acl::text AND h.columns
   CROSS JOIN jsonb_array_elements(h.privileges) AS e (privilege)
   GROUP BY c.oid
), own AS (
  SELECT o.class, o.name, o.owner, o.follows_table,
         coalesce(h.privileges, '[]') || coalesce(c.privileges, '[]') AS privileges
    FROM object o
    LEFT JOIN held h ON h.owner = o.owner AND h.key = o.acl::text AND NOT h.columns
    LEFT JOIN on_columns c ON c.oid = o.oid AND o.class = 'TABLE'
   WHERE NOT EXISTS (
           SELECT FROM pg_catalog.pg_depend d
            WHERE d.classid = o.catalog AND d.objid = o.oid AND (d.deptype = 'e' OR d.deptype = 'i' AND o.class = 'ROUTINE')
         )
), grouped AS (
  SELECT class, r.rolname AS owner, pg_has_role(current_user, own.owner, 'USAGE') AS usable, follows_table, privileges,
         jsonb_agg(name ORDER BY name) AS names
    FROM own
    JOIN pg_catalog.pg_roles r ON r.oid = own.owner
   GROUP BY class, r.rolname, own.owner, follows_table, privileges
)
SELECT jsonb_build_object(
  'serverVersion', version,
  'database', (
    SELECT jsonb_build_object(
      'owner', r.rolname,
      'usable', pg_has_role(current_user, d.datdba, 'USAGE'),
      'canCreate', has_database_privilege(current_user, d.oid, 'CREATE'),
      'canGrant', (
        SELECT coalesce(jsonb_agg(privilege), '[]')
          FROM unnest(ARRAY['CONNECT', 'TEMPORARY']) privilege
         WHERE has_database_privilege(current_user, d.oid, privilege || ' WITH GRANT OPTION')),
      'publicPrivileges', coalesce((
        SELECT jsonb_agg(jsonb_build_object(
                 'privilege', a.privilege_type,
                 'grantor', CASE WHEN a.grantor <> d.datdba THEN pg_get_userbyid(a.grantor) END))
          FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
         WHERE a.grantee = 0), '[]'),
      'privileges', coalesce((
        SELECT jsonb_agg(jsonb_build_object('grantee', g.rolname, 'privilege', a.privilege_type))
          FROM aclexplode(d.datacl) a
          JOIN pg_catalog.pg_roles g ON g.oid = a.grantee
         WHERE g.rolname IN (${[roles.connect, writersRole, owner ?? writersRole]})), '[]'),
      'publicCanCreateInPublic', EXISTS (
        SELECT FROM pg_catalog.pg_namespace n, aclexplode(n.nspacl) a
         WHERE n.nspname = 'public' AND a.grantee = 0 AND a.privilege_type = 'CREATE'),
      'publicUsable', coalesce((
        SELECT pg_has_role(current_user, nspowner, 'USAGE')
          FROM pg_catalog.pg_namespace WHERE nspname = 'public'), false),
      'connectingRoles', coalesce((
        SELECT jsonb_agg(DISTINCT m.rolname)
          FROM (
            SELECT objoid AS oid, description ~ '"level":"owner"' AS owns
              FROM pg_catalog.pg_shdescription
             WHERE classoid = 'pg_catalog.pg_authid'::regclass
               AND starts_with(description, '{"managedBy":"drover","database":' || to_json(d.datname)::text || ',')
               AND description ~ '"level":"(owner|reader)"|"version":'
             UNION ALL
            SELECT oid, true FROM managed WHERE rolname = ${roles.owner}
          ) s
          LEFT JOIN pg_catalog.pg_auth_members p ON p.roleid = s.oid AND s.owns
          JOIN pg_catalog.pg_roles m ON m.oid IN (s.oid, p.member)
         WHERE (${lockDatabase} OR r.rolname = ${adminRole}) AND NOT m.rolsuper AND m.rolname !~ '^drover_admin'
           AND NOT EXISTS (
             SELECT FROM pg_catalog.pg_auth_members a
               JOIN managed c ON c.oid = a.roleid AND c.rolname = ${roles.connect}
              WHERE a.member = m.oid)), '[]')
    )
      FROM pg_catalog.pg_database d
      JOIN pg_catalog.pg_roles r ON r.oid = d.datdba
     WHERE d.datname = current_database()
  ),
  'schema', (
    SELECT jsonb_build_object(
      'owner', r.rolname,
      'usable', pg_has_role(current_user, n.nspowner, 'USAGE'),
      'comment', obj_description(n.oid, 'pg_namespace'),
      'privileges', coalesce((
        SELECT privileges FROM held h WHERE h.owner = n.nspowner AND h.key = n.nspacl::text AND NOT h.columns), '[]'),
      'ownerLacks', (
        SELECT coalesce(jsonb_agg(privilege), '[]')
          FROM unnest(ARRAY['USAGE', 'CREATE']) privilege
         WHERE NOT EXISTS (
           SELECT FROM aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
             LEFT JOIN managed o ON o.rolname = ${roles.owner}
            WHERE a.privilege_type = privilege AND a.grantee IN (n.nspowner, o.oid))),
      'adminLacks', (
        SELECT coalesce(jsonb_agg(privilege), '[]')
          FROM unnest(ARRAY['USAGE', 'CREATE']) privilege
         WHERE NOT has_schema_privilege(${adminRole}, n.oid, privilege))
    )
      FROM namespace n
      JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner
  ),
  'similar', coalesce((
    SELECT jsonb_agg(nspname)
      FROM pg_catalog.pg_namespace
     WHERE lower(nspname) = lower(${schema}) AND nspname <> ${schema}), '[]'),
  'roles', coalesce((
    SELECT jsonb_agg(jsonb_build_object(
             'name', rolname, 'comment', shobj_description(oid, 'pg_authid'), 'login', rolcanlogin,
             'privileged', rolsuper OR rolreplication OR rolbypassrls, 'inherit', rolinherit, 'createRole', rolcreaterole,
             'createDatabase', rolcreatedb, 'usable', usable, 'administrable', administrable))
      FROM managed), '[]'),
  'principal', (
    SELECT jsonb_build_object(
      'login', rolcanlogin,
      'superuser', rolsuper,
      'inherit', rolinherit,
      'system', rolname ~* ${systemRoles} OR rolcreaterole
                OR pg_has_role(oid, ${writersRole}, 'MEMBER'))
      FROM pg_catalog.pg_roles
     WHERE rolname = ${owner ?? null}
  ),
  'memberships', coalesce((SELECT jsonb_agg(to_jsonb(granted)) FROM granted), '[]'),
  'joined', coalesce((
    SELECT jsonb_agg(jsonb_build_object(
             'role', g.rolname, 'member', m.rolname, 'grantor', pg_get_userbyid(a.grantor), 'superuser', g.rolsuper)
             ORDER BY m.rolname, g.rolname)
      FROM pg_catalog.pg_auth_members a
      JOIN managed m ON m.oid = a.member
      JOIN pg_catalog.pg_roles g ON g.oid = a.roleid), '[]'),
  'within', coalesce((
    SELECT jsonb_agg(jsonb_build_object('role', g.rolname, 'member', m.rolname))
      FROM managed m
      JOIN pg_catalog.pg_roles g ON g.oid <> m.oid AND pg_has_role(m.oid, g.oid, 'MEMBER')
     WHERE g.rolname IN (${[...managed, ...others]})), '[]'),
  'grantable', coalesce((
    SELECT jsonb_agg(rolname)
      FROM pg_catalog.pg_roles
     WHERE rolname IN (${native})
       AND (version < 160000 OR pg_has_role(current_user, oid, 'MEMBER WITH ADMIN OPTION'))), '[]'),
  'objects', coalesce((
    SELECT jsonb_agg(jsonb_build_object(
             'class', class, 'owner', owner, 'usable', usable, 'followsTable', follows_table,
             'privileges', privileges, 'names', names) ORDER BY class, owner, names)
      FROM grouped), '[]'),
  'defaultPrivileges', coalesce((
    SELECT jsonb_agg(jsonb_build_object(
             'scope', CASE d.defaclnamespace WHEN 0 THEN 'global' ELSE 'schema' END,
             'class', CASE d.defaclobjtype WHEN 'r' THEN 'TABLE' WHEN 'S' THEN 'SEQUENCE' ELSE 'ROUTINE' END,
             'grantee', coalesce(g.rolname, 'PUBLIC'),
             'privilege', a.privilege_type,
             'grantable', a.is_grantable))
      FROM pg_catalog.pg_default_acl d
      JOIN managed o ON o.oid = d.defaclrole AND o.rolname = ${roles.owner}
     CROSS JOIN aclexplode(d.defaclacl) a
      LEFT JOIN managed g ON g.oid = a.grantee
     WHERE d.defaclobjtype IN ('r', 'S', 'f')
       AND (d.defaclnamespace = 0 OR d.defaclnamespace = (SELECT oid FROM namespace))
       AND (a.grantee = 0 OR g.oid IS NOT NULL)), '[]'),
  'routineDefaultSet', EXISTS (
    SELECT FROM pg_catalog.pg_default_acl d
      JOIN managed o ON o.oid = d.defaclrole AND o.rolname = ${roles.owner}
     WHERE d.defaclnamespace = 0 AND d.defaclobjtype = 'f')
) AS inspected
  FROM settings`;
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
