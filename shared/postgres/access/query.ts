import { Sql, sql } from '../sql.ts';

/** How many objects are named; all of them are counted. */
const namedObjects = 5;

/** Roles of PostgreSQL whose members read or write in every schema. */
export const dataRoles = { pg_read_all_data: 'read', pg_write_all_data: 'write' } as const;

/**
 * Who has access to one schema, or to all those that Drover manages in this database: whoever has rights in them, and
 * whoever is by some way a member of these.
 */
export function whoQuery(schema?: string): Sql {
  const none = Sql.of('false');
  return accessQuery({
    namespaces:
      schema === undefined
        ? sql`n.nspname IN (SELECT schema FROM role WHERE managed)`
        : sql`n.nspname = ${schema}`,
    grantees: sql`true`,
    owners: sql`true`,
    ofDatabase: none,
    reach: sql`(
      SELECT oid FROM role
       WHERE machinery OR rolsuper OR rolname IN (${Object.keys(dataRoles)})
          OR managed AND ${schema === undefined ? sql`true` : sql`schema = ${schema}`}
          OR rolcreaterole AND version < 160000
       UNION
      SELECT grantee FROM direct WHERE grantee <> 0
       UNION
      SELECT owner FROM owned
    ) UNION
      SELECT a.member FROM reach JOIN pg_catalog.pg_auth_members a ON a.roleid = reach.oid`,
    membership: sql`a.roleid IN (SELECT oid FROM reach)`,
    principal: sql`NULL`,
  });
}

/**
 * What one role may do in this database: all that it is by some way a member of, and what these have.
 *
 * @param names under which it is looked for; the first that there is counts
 */
export function listQuery(names: readonly string[]): Sql {
  const wanted = sql`(
    SELECT r.oid
      FROM unnest(ARRAY[${names}]) WITH ORDINALITY AS given (name, place)
      JOIN pg_catalog.pg_roles r ON r.rolname = given.name
     ORDER BY place
     LIMIT 1)`;
  return accessQuery({
    namespaces: sql`n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`,
    grantees: sql`g.grantee IN (SELECT oid FROM reach)
              OR g.grantee = 0 AND g.schema IN (SELECT schema FROM role WHERE managed)`,
    owners: sql`o.owner IN (SELECT oid FROM reach)`,
    ofDatabase: sql`true`,
    reach: sql`
      SELECT oid FROM role WHERE oid = ${wanted}
       UNION
      SELECT a.roleid
        FROM reach
        JOIN role r ON r.oid = reach.oid AND NOT r.machinery
        JOIN pg_catalog.pg_auth_members a ON a.member = reach.oid`,
    membership: sql`a.member IN (SELECT oid FROM reach)`,
    principal: sql`(SELECT rolname FROM role WHERE oid = ${wanted})`,
  });
}

interface Scope {
  /** Schemas whose objects are looked at. */
  readonly namespaces: Sql;
  /** Whose privileges beside Drover's roles count. */
  readonly grantees: Sql;
  readonly owners: Sql;
  /** Whether rights on the database itself count. */
  readonly ofDatabase: Sql;
  /** The roles that are told about, recursively. */
  readonly reach: Sql;
  readonly membership: Sql;
  readonly principal: Sql;
}

/**
 * Any login may read all of this. Memberships of the roles by which Drover acts are left out, for those are members of
 * all that Drover made; so are the privileges of superusers. Membership options exist from PostgreSQL 16 on; before,
 * INHERIT was the member's own, and SET came with the membership.
 */
function accessQuery(scope: Scope): Sql {
  return sql`
WITH RECURSIVE database AS (
  SELECT *, current_setting('server_version_num')::int AS version
    FROM pg_catalog.pg_database WHERE datname = current_database()
), role AS (
  SELECT r.*, version, d.description AS comment,
         substring(d.description, '"schema":"([^"]*)"') AS schema,
         NOT rolcanlogin AND coalesce(starts_with(
           d.description, '{"managedBy":"drover","database":' || to_json(datname)::text || ','), false) AS managed,
         NOT rolcanlogin AND rolname ~ '^drover_(admin(_[0-9]{2})?|writers)$' AS machinery
    FROM database
   CROSS JOIN pg_catalog.pg_roles r
    LEFT JOIN pg_catalog.pg_shdescription d
      ON d.objoid = r.oid AND d.classoid = 'pg_catalog.pg_authid'::regclass
     AND starts_with(d.description, '{"managedBy":"drover",')
), namespace AS (
  SELECT n.* FROM pg_catalog.pg_namespace n WHERE ${scope.namespaces}
), relation AS (
  SELECT n.nspname AS schema, c.oid, CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS class,
         c.relname, c.relowner, c.relacl
    FROM namespace n
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
), object AS (
  SELECT nspname AS schema, 'SCHEMA' AS class, format('%I', nspname) AS name, nspowner AS owner, nspacl AS acl
    FROM namespace
   UNION ALL
  SELECT schema, class, format('%I', relname), relowner, relacl FROM relation
   UNION ALL
  SELECT r.schema, 'COLUMN', format('%I.%I', r.relname, a.attname), r.relowner, a.attacl
    FROM relation r
    JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attacl IS NOT NULL
   WHERE r.class = 'TABLE'
   UNION ALL
  SELECT n.nspname, 'ROUTINE', format('%I', p.proname), p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
    FROM namespace n
    JOIN pg_catalog.pg_proc p ON p.pronamespace = n.oid
   UNION ALL
  SELECT n.nspname, 'TYPE', format('%I', t.typname), t.typowner, t.typacl
    FROM namespace n
    JOIN pg_catalog.pg_type t ON t.typnamespace = n.oid
    LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
   WHERE t.typtype IN ('d', 'e', 'r') OR c.relkind = 'c'
   UNION ALL
  SELECT NULL, 'DATABASE', format('%I', datname), datdba, datacl FROM database WHERE ${scope.ofDatabase}
), granted AS (
  SELECT o.schema, o.class, o.name, a.grantee, a.grantor, a.privilege_type AS privilege, a.is_grantable AS grantable
    FROM object o
   CROSS JOIN aclexplode(o.acl) a
   WHERE a.grantee <> o.owner AND NOT (a.grantee = 0 AND o.class IN ('TYPE', 'DATABASE'))
), owned AS (
  SELECT o.schema, o.class, o.owner, count(*), (array_agg(o.name ORDER BY o.name))[1:${namedObjects}] AS names
    FROM object o
    JOIN role r ON r.oid = o.owner
   WHERE o.class <> 'COLUMN' AND NOT r.machinery AND NOT r.rolsuper
     AND NOT (r.managed AND r.schema IS NOT DISTINCT FROM o.schema)
     AND (${scope.owners})
   GROUP BY o.schema, o.class, o.owner
), direct AS (
  SELECT schema, class, grantee, grantor, grantable, privileges, count(*),
         (array_agg(name ORDER BY name))[1:${namedObjects}] AS names
    FROM (
      SELECT g.schema, g.class, g.name, g.grantee, g.grantor, g.grantable,
             array_agg(g.privilege ORDER BY g.privilege) AS privileges
        FROM granted g
        LEFT JOIN role r ON r.oid = g.grantee
       WHERE (r.oid IS NULL OR NOT r.machinery AND NOT r.rolsuper
              AND NOT (r.managed AND r.schema IS NOT DISTINCT FROM g.schema))
         AND (${scope.grantees})
       GROUP BY g.schema, g.class, g.name, g.grantee, g.grantor, g.grantable
    ) per_object
   GROUP BY schema, class, grantee, grantor, grantable, privileges
), reach AS (
  ${scope.reach}
), held AS (
  SELECT r.rolname AS role, g.class || ' ' || g.privilege AS "right"
    FROM granted g
    JOIN role r ON r.oid = g.grantee AND r.managed AND r.schema = g.schema
   UNION
  SELECT r.rolname, o.class || ' OWNER'
    FROM object o
    JOIN role r ON r.oid = o.owner AND r.managed AND r.schema = o.schema
   WHERE o.class <> 'COLUMN'
   UNION
  SELECT r.rolname, CASE d.defaclobjtype WHEN 'r' THEN 'TABLE' WHEN 'S' THEN 'SEQUENCE' ELSE 'ROUTINE' END
                    || ' ' || a.privilege_type
    FROM namespace n
    JOIN pg_catalog.pg_default_acl d ON d.defaclnamespace = n.oid AND d.defaclobjtype IN ('r', 'S', 'f')
   CROSS JOIN aclexplode(d.defaclacl) a
    JOIN role r ON r.oid = a.grantee AND r.managed AND r.schema = n.nspname
)
SELECT jsonb_build_object(
  'serverVersion', version,
  'database', datname,
  'schemas', coalesce((SELECT jsonb_agg(nspname ORDER BY nspname) FROM namespace), '[]'),
  'principal', ${scope.principal},
  'roles', coalesce((
    SELECT jsonb_agg(jsonb_build_object(
             'name', rolname, 'login', rolcanlogin, 'inherit', rolinherit, 'superuser', rolsuper,
             'createRole', rolcreaterole, 'createDatabase', rolcreatedb, 'replication', rolreplication,
             'bypassRls', rolbypassrls, 'comment', comment, 'machinery', machinery,
             'iam', coalesce((
               SELECT jsonb_agg(DISTINCT g.rolname)
                 FROM pg_catalog.pg_auth_members a
                 JOIN pg_catalog.pg_roles g ON g.oid = a.roleid
                WHERE NOT role.managed AND a.member = role.oid AND g.rolname ~ '^cloudsqliam'), '[]'),
             'connect', CASE WHEN rolcanlogin THEN has_database_privilege(role.oid, database.oid, 'CONNECT') END,
             'statistics', managed AND comment !~ '"level":"(owner|writer|reader)"'
                           AND pg_has_role(role.oid, 'pg_read_all_stats', 'USAGE')))
      FROM role
     WHERE oid IN (SELECT oid FROM reach)), '[]'),
  'memberships', coalesce((
    SELECT jsonb_agg(jsonb_build_object(
             'role', g.rolname, 'member', m.rolname, 'grantor', pg_get_userbyid(a.grantor),
             'inherit', coalesce((to_jsonb(a) ->> 'inherit_option')::boolean, m.rolinherit),
             'set', coalesce((to_jsonb(a) ->> 'set_option')::boolean, true), 'admin', a.admin_option))
      FROM pg_catalog.pg_auth_members a
      JOIN role g ON g.oid = a.roleid
      JOIN role m ON m.oid = a.member AND NOT m.machinery
     WHERE ${scope.membership}), '[]'),
  'held', coalesce((
    SELECT jsonb_agg(jsonb_build_object('role', role, 'rights', rights))
      FROM (SELECT role, jsonb_agg("right") AS rights FROM held GROUP BY role) per_role
     WHERE role IN (SELECT r.rolname FROM role r JOIN reach ON reach.oid = r.oid)), '[]'),
  'privileges', coalesce((
    SELECT jsonb_agg(jsonb_build_object(
             'schema', schema, 'class', class, 'count', count, 'names', names, 'privileges', privileges,
             'grantee', CASE WHEN grantee <> 0 THEN pg_get_userbyid(grantee) END,
             'grantor', pg_get_userbyid(grantor), 'grantable', grantable))
      FROM direct), '[]'),
  'owned', coalesce((
    SELECT jsonb_agg(jsonb_build_object(
             'schema', schema, 'class', class, 'count', count, 'names', names, 'owner', pg_get_userbyid(owner)))
      FROM owned), '[]')
) AS access
  FROM database`;
}
