import { type Sql, sql } from '../sql.ts';

/** What a login may do, in comparable words. */
export interface LoginProfile {
  readonly name: string;
  /** Attributes that are not what every login has: `SUPERUSER`, `CONNECTION LIMIT 5` … */
  readonly attributes: readonly string[];
  /** Direct memberships with their options. */
  readonly memberships: readonly string[];
  /** Roles whose rights it has at once, through others too. */
  readonly uses: readonly string[];
  /** Roles that it may act as. */
  readonly actsAs: readonly string[];
  /** What is set for its sessions, in this database and in all. */
  readonly settings: readonly string[];
  /** What it owns or was granted itself, past its roles. */
  readonly direct: readonly string[];
}

/** One row, `profiles`: what logins may do. Everybody may ask this, so the new login itself does. */
export function profilesQuery(names: readonly string[]): Sql {
  return sql`
WITH named AS (
  SELECT r.* FROM pg_catalog.pg_roles r WHERE r.rolname IN (${names})
), version AS (
  SELECT CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END AS set_right
), depends AS (
  SELECT named.oid, s.deptype, s.classid, s.objid, s.objsubid, s.dbid
    FROM named
    JOIN pg_catalog.pg_shdepend s ON s.refclassid = 'pg_authid'::regclass AND s.refobjid = named.oid
    JOIN pg_catalog.pg_database d ON d.datname = current_database()
   WHERE s.dbid IN (0, d.oid) AND s.deptype IN ('o', 'a', 'r')
     AND NOT EXISTS (
       SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE s.classid = 'pg_class'::regclass AND c.oid = s.objid AND n.nspname ~ '^pg_(toast_)?temp_')
     AND NOT EXISTS (
       SELECT FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
        WHERE s.classid = 'pg_type'::regclass AND t.oid = s.objid AND n.nspname ~ '^pg_(toast_)?temp_')
), acl AS (
  SELECT 'pg_class'::regclass AS classid, oid AS objid, 0 AS objsubid, relacl AS acl FROM pg_catalog.pg_class
   UNION ALL SELECT 'pg_class'::regclass, attrelid, attnum, attacl FROM pg_catalog.pg_attribute
   UNION ALL SELECT 'pg_namespace'::regclass, oid, 0, nspacl FROM pg_catalog.pg_namespace
   UNION ALL SELECT 'pg_proc'::regclass, oid, 0, proacl FROM pg_catalog.pg_proc
   UNION ALL SELECT 'pg_type'::regclass, oid, 0, typacl FROM pg_catalog.pg_type
   UNION ALL SELECT 'pg_database'::regclass, oid, 0, datacl FROM pg_catalog.pg_database
   UNION ALL SELECT 'pg_default_acl'::regclass, oid, 0, defaclacl FROM pg_catalog.pg_default_acl
), direct AS (
  SELECT x.oid,
         CASE x.deptype WHEN 'o' THEN 'owns ' WHEN 'r' THEN 'named in ' ELSE coalesce(p.privileges || ' on ', 'granted ') END
           || coalesce(pg_describe_object(x.classid, x.objid, x.objsubid), x.objid::text) AS what
    FROM depends x
    LEFT JOIN LATERAL (
      SELECT string_agg(e.privilege_type || CASE WHEN e.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END, ', '
                        ORDER BY e.privilege_type) AS privileges
        FROM acl, LATERAL aclexplode(acl.acl) e
       WHERE x.deptype = 'a' AND acl.classid = x.classid AND acl.objid = x.objid AND acl.objsubid = x.objsubid
         AND e.grantee = x.oid
    ) p ON true
)
SELECT coalesce(jsonb_agg(jsonb_build_object(
  'name', r.rolname,
  'attributes', array_remove(ARRAY[
    CASE WHEN r.rolsuper THEN 'SUPERUSER' END, CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END,
    CASE WHEN r.rolcreatedb THEN 'CREATEDB' END, CASE WHEN r.rolreplication THEN 'REPLICATION' END,
    CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END, CASE WHEN NOT r.rolinherit THEN 'NOINHERIT' END,
    CASE WHEN r.rolconnlimit >= 0 THEN 'CONNECTION LIMIT ' || r.rolconnlimit END,
    CASE WHEN r.rolvaliduntil < 'infinity' THEN 'VALID UNTIL ' || r.rolvaliduntil END], NULL),
  'memberships', coalesce((
    SELECT jsonb_agg(DISTINCT g.rolname
             || CASE WHEN m.admin_option THEN ' WITH ADMIN' ELSE '' END
             || CASE WHEN to_jsonb(m) ->> 'inherit_option' = 'false' THEN ' WITHOUT INHERIT' ELSE '' END
             || CASE WHEN to_jsonb(m) ->> 'set_option' = 'false' THEN ' WITHOUT SET' ELSE '' END)
      FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
     WHERE m.member = r.oid), '[]'),
  'uses', coalesce((
    SELECT jsonb_agg(g.rolname ORDER BY g.rolname) FROM pg_catalog.pg_roles g
     WHERE g.oid <> r.oid AND pg_has_role(r.oid, g.oid, 'USAGE')), '[]'),
  'actsAs', coalesce((
    SELECT jsonb_agg(g.rolname ORDER BY g.rolname) FROM pg_catalog.pg_roles g, version
     WHERE g.oid <> r.oid AND pg_has_role(r.oid, g.oid, version.set_right)), '[]'),
  'settings', coalesce((
    SELECT jsonb_agg(c || coalesce(' in ' || d.datname, '') ORDER BY c)
      FROM pg_catalog.pg_db_role_setting s
      LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
     CROSS JOIN LATERAL unnest(s.setconfig) c
     WHERE s.setrole = r.oid), '[]'),
  'direct', coalesce((SELECT jsonb_agg(DISTINCT what) FROM direct WHERE direct.oid = r.oid), '[]')
)), '[]') AS profiles
  FROM named r`;
}

const parts = {
  attributes: 'has the attribute',
  memberships: 'is a member of',
  uses: 'has the rights of',
  actsAs: 'may act as',
  settings: 'has the setting',
  direct: '',
} as const;

/** What one login has and the other hasn't, in words; nothing where they are alike. */
export function differencesOf(a: LoginProfile, b: LoginProfile): string[] {
  const names = Object.keys(parts) as (keyof typeof parts)[];
  const only = (one: LoginProfile, other: LoginProfile) =>
    names.flatMap((part) =>
      one[part]
        .filter((what) => !other[part].includes(what))
        .map((what) => `only ${one.name} ${[parts[part], what].filter(Boolean).join(' ')}`),
    );
  return [...only(a, b), ...only(b, a)];
}
