import type pg from 'pg';

/** One fact of the catalog: a role, a membership, an owner, a privilege. */
export interface Fact {
  readonly area: 'role' | 'membership' | 'owner' | 'privilege' | 'default' | 'comment';
  /** The role, object or default that it is about. */
  readonly about: string;
  /** The schema that it is in; null for what is in none. */
  readonly schema: string | null;
  /** Member, owner or grantee. */
  readonly who: string;
  readonly what: string;
  readonly grantor: string;
}

const query = `
WITH role AS (
  SELECT oid, rolname::text AS name FROM pg_catalog.pg_roles UNION ALL SELECT 0, 'PUBLIC'
), namespace AS (
  SELECT * FROM pg_catalog.pg_namespace WHERE nspname !~ '^(pg_|information_schema)'
), object AS (
  SELECT 'relation ' || c.oid::regclass::text AS about, n.nspname AS schema, c.relowner AS owner,
         coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, c.relowner)) AS acl
    FROM pg_catalog.pg_class c JOIN namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
   UNION ALL
  SELECT 'column ' || a.attrelid::regclass::text || '.' || a.attname, n.nspname, NULL, a.attacl
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    JOIN namespace n ON n.oid = c.relnamespace
   WHERE a.attacl IS NOT NULL
   UNION ALL
  SELECT 'routine ' || p.oid::regprocedure::text, n.nspname, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
    FROM pg_catalog.pg_proc p JOIN namespace n ON n.oid = p.pronamespace
   UNION ALL
  SELECT 'type ' || t.oid::regtype::text, n.nspname, t.typowner, coalesce(t.typacl, acldefault('T', t.typowner))
    FROM pg_catalog.pg_type t JOIN namespace n ON n.oid = t.typnamespace
   WHERE t.typelem = 0 OR t.typtype <> 'b'
   UNION ALL
  SELECT 'schema ' || nspname, nspname, nspowner, coalesce(nspacl, acldefault('n', nspowner))
    FROM namespace
   UNION ALL
  SELECT 'database ' || datname, NULL, datdba, coalesce(datacl, acldefault('d', datdba))
    FROM pg_catalog.pg_database WHERE datname = current_database()
)
SELECT 'role' AS area, rolname::text AS about, NULL AS schema, '' AS who,
       (to_jsonb(r) - 'oid' - 'rolname')::text AS what, '' AS grantor
  FROM pg_catalog.pg_roles r
 UNION ALL
SELECT 'membership', g.name, NULL, m.name, (to_jsonb(a) - 'oid' - 'roleid' - 'member' - 'grantor')::text, b.name
  FROM pg_catalog.pg_auth_members a
  JOIN role g ON g.oid = a.roleid
  JOIN role m ON m.oid = a.member
  JOIN role b ON b.oid = a.grantor
 UNION ALL
SELECT 'owner', about, schema, r.name, '', '' FROM object o JOIN role r ON r.oid = o.owner
 UNION ALL
SELECT 'privilege', about, schema, r.name, privilege_type || CASE WHEN is_grantable THEN '*' ELSE '' END, b.name
  FROM object CROSS JOIN aclexplode(acl) JOIN role r ON r.oid = grantee JOIN role b ON b.oid = grantor
 UNION ALL
SELECT 'default', o.name || ' ' || d.defaclobjtype::text, n.nspname, r.name,
       privilege_type || CASE WHEN is_grantable THEN '*' ELSE '' END, ''
  FROM pg_catalog.pg_default_acl d
  LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
  JOIN role o ON o.oid = d.defaclrole
 CROSS JOIN aclexplode(d.defaclacl)
  JOIN role r ON r.oid = grantee
 UNION ALL
SELECT 'comment', 'role ' || r.name, NULL, '', description, ''
  FROM pg_catalog.pg_shdescription s JOIN role r ON r.oid = s.objoid
 WHERE s.classoid = 'pg_catalog.pg_authid'::regclass
 UNION ALL
SELECT 'comment', 'schema ' || n.nspname, n.nspname, '', description, ''
  FROM pg_catalog.pg_description s JOIN namespace n ON n.oid = s.objoid
 WHERE s.classoid = 'pg_catalog.pg_namespace'::regclass
 ORDER BY 1, 2, 3, 4, 5, 6`;

/** Everything about roles and rights that a database and its instance hold, in a fixed order. */
export async function readCatalog(client: pg.ClientBase): Promise<Fact[]> {
  return (await client.query(query)).rows;
}

/** The facts that only one of two catalogs holds, as text for people. */
export function difference(before: readonly Fact[], after: readonly Fact[]): string[] {
  const text = (fact: Fact) => JSON.stringify(fact);
  const [old, now] = [new Set(before.map(text)), new Set(after.map(text))];
  return [
    ...[...old].filter((fact) => !now.has(fact)).map((fact) => `- ${fact}`),
    ...[...now].filter((fact) => !old.has(fact)).map((fact) => `+ ${fact}`),
  ];
}
