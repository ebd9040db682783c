import { Sql, sql } from '../../postgres/sql.ts';
import { isOwn, namespaces } from './object.ts';

/** What somebody may do with an object, and whether he may pass it on. Without a role: everybody. */
export interface DescribedGrant {
  readonly role: string | null;
  readonly privilege: string;
  readonly grantable: boolean;
}

export interface DescribedAccess {
  /** Undefined for a schema. */
  readonly node: string | null;
  readonly on: 'SCHEMA' | 'TABLE' | 'SEQUENCE' | 'ROUTINE' | 'TYPE';
  readonly schema: string;
  readonly name: string;
  readonly column: string | null;
  /** But for what an owner has by owning. */
  readonly grants: readonly DescribedGrant[];
}

/** Who may do what with the schemas and all in them, with what is so by default spelt out. */
export function access(schemas: readonly string[]): Sql {
  const relation = isOwn('pg_class', 'c');
  return sql`
WITH ${namespaces(schemas)}, object AS (
  SELECT NULL AS node, 'SCHEMA' AS "on", s.nspname AS schema, format('%I', s.nspname) AS name, NULL AS "column",
         'n'::"char" AS class, nspacl AS acl, nspowner AS owner
    FROM pg_catalog.pg_namespace s WHERE s.oid IN (SELECT oid FROM namespace)
   UNION ALL
  SELECT 'pg_class/' || coalesce(i.refobjid, c.oid), CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, n.nspname,
         format('%I.%I', n.nspname, c.relname), NULL, CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relacl, c.relowner
    FROM pg_catalog.pg_class c
    JOIN namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_depend i
      ON i.classid = 'pg_catalog.pg_class'::regclass AND i.objid = c.oid AND i.deptype = 'i' AND c.relkind = 'S'
   WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') AND ${relation}
   UNION ALL
  SELECT 'pg_class/' || c.oid, 'TABLE', n.nspname, format('%I.%I', n.nspname, c.relname), a.attname, 'c', a.attacl, c.relowner
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    JOIN namespace n ON n.oid = c.relnamespace
   WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm') AND ${relation}
   UNION ALL
  SELECT 'pg_proc/' || p.oid, 'ROUTINE', n.nspname, p.oid::regprocedure::text, NULL, 'f', p.proacl, p.proowner
    FROM pg_catalog.pg_proc p
    JOIN namespace n ON n.oid = p.pronamespace
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang
   WHERE (p.prokind = 'a' OR l.lanname NOT IN ('c', 'internal')) AND ${isOwn('pg_proc', 'p')}
   UNION ALL
  SELECT 'pg_type/' || t.oid, 'TYPE', n.nspname, format('%I.%I', n.nspname, t.typname), NULL, 'T', t.typacl, t.typowner
    FROM pg_catalog.pg_type t
    JOIN namespace n ON n.oid = t.typnamespace
    LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
   WHERE (t.typtype IN ('e', 'd', 'r') OR c.relkind = 'c') AND ${isOwn('pg_type', 't')}
), effective AS (
  SELECT object.*, coalesce(acl, acldefault(class, owner)) AS entries FROM object
)
SELECT node, "on", schema, name, "column", coalesce((
         SELECT jsonb_agg(jsonb_build_object('role', g.rolname, 'privilege', x.privilege_type, 'grantable', x.is_grantable)
                          ORDER BY g.rolname NULLS FIRST, x.privilege_type, x.is_grantable)
           FROM aclexplode(entries) x
           LEFT JOIN pg_catalog.pg_roles g ON g.oid = x.grantee
          WHERE x.grantee <> owner OR ${ownRights('entries')} IS DISTINCT FROM ${ownRights('acldefault(class, owner)')}),
         '[]') AS grants
  FROM effective
 ORDER BY "on" COLLATE "C", name COLLATE "C", "column" NULLS FIRST`;
}

function ownRights(entries: string): Sql {
  return sql`(SELECT array_agg(DISTINCT privilege_type ORDER BY privilege_type) FROM aclexplode(${Sql.of(entries)}) WHERE grantee = owner)`;
}

export interface DescribedPolicy {
  readonly schema: string;
  readonly table: string;
  readonly name: string;
  readonly permissive: boolean;
  readonly command: 'ALL' | 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE';
  /** Null for everybody. */
  readonly roles: readonly (string | null)[];
  readonly using: string | null;
  readonly check: string | null;
  readonly comment: string | null;
}

/** Policies of row level security. */
export function policies(schemas: readonly string[]): Sql {
  return sql`
WITH ${namespaces(schemas)}
SELECT n.nspname AS schema, c.relname AS "table", y.polname AS name, y.polpermissive AS permissive,
       CASE y.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END
         AS command,
       ARRAY(SELECT r.rolname::text
               FROM unnest(y.polroles) g LEFT JOIN pg_catalog.pg_roles r ON r.oid = g
              ORDER BY r.rolname NULLS FIRST) AS roles,
       pg_get_expr(y.polqual, y.polrelid) AS "using", pg_get_expr(y.polwithcheck, y.polrelid) AS "check",
       obj_description(y.oid, 'pg_policy') AS comment
  FROM pg_catalog.pg_policy y
  JOIN pg_catalog.pg_class c ON c.oid = y.polrelid
  JOIN namespace n ON n.oid = c.relnamespace
 WHERE ${isOwn('pg_class', 'c')}
 ORDER BY n.nspname, c.relname, y.polname`;
}

/** Roles with the comment that says what they are to Drover. */
export function roles(database: string): Sql {
  return sql`
SELECT r.rolname AS name, s.description AS comment
  FROM pg_catalog.pg_shdescription s
  JOIN pg_catalog.pg_roles r ON r.oid = s.objoid
 WHERE s.classoid = 'pg_catalog.pg_authid'::regclass
   AND starts_with(s.description, '{"managedBy":"drover","database":' || to_json(${database}::text)::text || ',')`;
}
