import { adminRole } from '../names.ts';
import { type Sql, sql } from '../sql.ts';
import { actingAdmins, adminOf, type Reach, settable } from './principal.ts';

/** Objects that the principal owns, of one class in one schema. */
export interface OwnedObjects {
  /** As `pg_identify_object` calls it: `table`, `materialized view`, `function`, `large object` … */
  readonly type: string;
  /** Null for what is in none. */
  readonly schema: string | null;
  /** `drover_admin` may own such a thing, as far as the schema has no say in it. */
  readonly movable: boolean;
  /** REASSIGN OWNED asks whether the new owner may create in the schema; for relations and types it doesn't. */
  readonly creates: boolean;
  /** Quoted, with arguments: ready for a statement. */
  readonly names: readonly string[];
  /** Sequences that get their owner with the table. */
  readonly followsTable: boolean;
}

/** A schema with objects of the principal in it. */
export interface InspectedPlace {
  readonly name: string;
  readonly owner: string;
  readonly comment: string | null;
  /** The principal owns the schema itself. */
  readonly own: boolean;
  /** An acting admin that may make things the schema's owner's. */
  readonly acting: string | null;
  readonly ownerCreates: boolean;
  /** `drover_admin` may create in it, or will as its new owner. */
  readonly adminCreates: boolean;
  /** The principal may let others create in it. */
  readonly principalGrants: boolean;
  /** Who owns it: of `public` that is the owner of the database. */
  readonly ownerReach: Reach;
}

/** Privileges of the principal by one grantor. */
export interface HeldPrivileges {
  readonly grantor: string;
  readonly type: string;
  readonly privileges: readonly string[];
  readonly names: readonly string[];
  /** Columns of the one table in `names`; null for whole objects. */
  readonly columns: readonly string[] | null;
  /** Acting as the grantor revokes them: it sees the schema, and PostgreSQL doesn't take it for the owner. */
  readonly revocable: boolean;
}

/** What the principal granted on others' objects. */
export interface PassedPrivileges {
  readonly type: string;
  readonly name: string;
  readonly grantee: string;
  readonly privileges: readonly string[];
}

/** What a role lets the principal have on things that are yet to be made. */
export interface HeldDefault {
  readonly role: string;
  readonly schema: string | null;
  /** As in `pg_default_acl`: r, S, f, T, n, L. */
  readonly class: string;
}

export interface InspectedDatabase {
  readonly database: string;
  readonly owned: readonly OwnedObjects[];
  readonly places: readonly InspectedPlace[];
  readonly held: readonly HeldPrivileges[];
  readonly passed: readonly PassedPrivileges[];
  readonly defaults: readonly HeldDefault[];
  /** What else depends on the role, and DROP OWNED takes away: policies, its own default privileges, user mappings … */
  readonly leftovers: readonly { readonly type: string; readonly name: string }[];
  /** The grantors and the roles of the defaults. */
  readonly reaches: readonly Reach[];
}

/** What a role can depend on in a way that isn't ownership of an object, though the catalog calls it so. */
const noObjects = sql`('pg_catalog.pg_default_acl'::regclass, 'pg_catalog.pg_user_mapping'::regclass,
                       'pg_catalog.pg_auth_members'::regclass)`;

/** The condition under which a row of `pg_shdepend` is an object that its role owns and would take into its grave. */
export const ownsObject = sql`deptype = 'o' AND classid NOT IN ${noObjects}`;

/** Everything in this database, and of the instance, that depends on the principal. */
export const databaseTables: Sql = sql`, dependency AS MATERIALIZED (
  SELECT d.classid, d.objid, d.objsubid, d.deptype, i.type, i.identity, n.oid AS namespace, n.nspname
    FROM pg_catalog.pg_shdepend d
    JOIN principal p ON d.refclassid = 'pg_catalog.pg_authid'::regclass AND d.refobjid = p.oid
   CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, 0) i
    LEFT JOIN pg_catalog.pg_namespace n ON quote_ident(n.nspname) = i.schema
   WHERE d.dbid IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
), owned AS (
  SELECT type, nspname AS schema, classid NOT IN ('pg_catalog.pg_class'::regclass, 'pg_catalog.pg_type'::regclass)
           AND namespace IS NOT NULL AS creates,
         CASE WHEN type IN ('schema', 'publication') THEN has_database_privilege(${adminRole}, current_database(), 'CREATE')
              WHEN type = 'server' THEN (
                SELECT has_foreign_data_wrapper_privilege(${adminRole}, srvfdw, 'USAGE')
                  FROM pg_catalog.pg_foreign_server WHERE oid = objid)
              ELSE type NOT IN ('foreign-data wrapper', 'event trigger', 'subscription') END AS movable,
         type = 'sequence' AND EXISTS (
           SELECT FROM pg_catalog.pg_depend f
            WHERE f.classid = dependency.classid AND f.objid = dependency.objid
              AND f.refclassid = 'pg_catalog.pg_class'::regclass AND f.deptype IN ('a', 'i')) AS "followsTable",
         jsonb_agg(identity ORDER BY identity) AS names
    FROM dependency
   WHERE ${ownsObject}
   GROUP BY 1, 2, 3, 4, 5
), place AS (
  SELECT n.nspname AS name, o.rolname AS owner, shobj_description(o.oid, 'pg_authid') AS comment, o.oid = p.oid AS own,
         (SELECT min(a.rolname::text)
            FROM pg_catalog.pg_roles a
           WHERE a.rolname ~ ${actingAdmins} AND pg_has_role(a.oid, o.oid, set_right)) AS acting,
         has_schema_privilege(o.oid, n.oid, 'CREATE') AS "ownerCreates",
         CASE WHEN o.oid = p.oid THEN has_schema_privilege(p.oid, n.oid, 'CREATE')
              ELSE has_schema_privilege(${adminRole}, n.oid, 'CREATE') END AS "adminCreates",
         has_schema_privilege(p.oid, n.oid, 'CREATE WITH GRANT OPTION') AS "principalGrants",
         jsonb_build_object('role', r.rolname, 'settable', ${settable(sql`r.oid`)}, 'admin', ${adminOf(sql`r`)})
           AS "ownerReach"
    FROM pg_catalog.pg_namespace n
    JOIN pg_catalog.pg_roles o ON o.oid = n.nspowner
    JOIN pg_catalog.pg_database d ON d.datname = current_database()
    JOIN pg_catalog.pg_roles r ON r.oid = CASE o.rolname WHEN 'pg_database_owner' THEN d.datdba ELSE o.oid END
   CROSS JOIN principal p
   CROSS JOIN settings
   WHERE n.nspname IN (SELECT schema FROM owned)
), acl AS (
  SELECT d.type, d.identity, d.namespace, x.owner, x.acl,
         (SELECT quote_ident(attname) FROM pg_catalog.pg_attribute
           WHERE x.of_column AND attrelid = d.objid AND attnum = d.objsubid) AS column
    FROM dependency d
   CROSS JOIN LATERAL (
     SELECT relowner, relacl, false FROM pg_catalog.pg_class
      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND oid = d.objid AND d.objsubid = 0
      UNION ALL
     SELECT relowner, attacl, true FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND c.oid = d.objid AND attnum = d.objsubid AND d.objsubid <> 0
      UNION ALL
     SELECT proowner, proacl, false FROM pg_catalog.pg_proc
      WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND oid = d.objid
      UNION ALL
     SELECT typowner, typacl, false FROM pg_catalog.pg_type
      WHERE d.classid = 'pg_catalog.pg_type'::regclass AND oid = d.objid
      UNION ALL
     SELECT nspowner, nspacl, false FROM pg_catalog.pg_namespace
      WHERE d.classid = 'pg_catalog.pg_namespace'::regclass AND oid = d.objid
      UNION ALL
     SELECT datdba, datacl, false FROM pg_catalog.pg_database
      WHERE d.classid = 'pg_catalog.pg_database'::regclass AND oid = d.objid
      UNION ALL
     SELECT lanowner, lanacl, false FROM pg_catalog.pg_language
      WHERE d.classid = 'pg_catalog.pg_language'::regclass AND oid = d.objid
      UNION ALL
     SELECT lomowner, lomacl, false FROM pg_catalog.pg_largeobject_metadata
      WHERE d.classid = 'pg_catalog.pg_largeobject'::regclass AND oid = d.objid
      UNION ALL
     SELECT fdwowner, fdwacl, false FROM pg_catalog.pg_foreign_data_wrapper
      WHERE d.classid = 'pg_catalog.pg_foreign_data_wrapper'::regclass AND oid = d.objid
      UNION ALL
     SELECT srvowner, srvacl, false FROM pg_catalog.pg_foreign_server
      WHERE d.classid = 'pg_catalog.pg_foreign_server'::regclass AND oid = d.objid
      UNION ALL
     SELECT spcowner, spcacl, false FROM pg_catalog.pg_tablespace
      WHERE d.classid = 'pg_catalog.pg_tablespace'::regclass AND oid = d.objid
      UNION ALL
     SELECT 10::oid, paracl, false FROM pg_catalog.pg_parameter_acl
      WHERE d.classid = 'pg_catalog.pg_parameter_acl'::regclass AND oid = d.objid
   ) x (owner, acl, of_column)
   WHERE d.deptype = 'a'
), item AS (
  SELECT acl.*, e.grantor, e.grantee, e.privilege_type, p.oid AS principal
    FROM acl
   CROSS JOIN principal p
   CROSS JOIN LATERAL aclexplode(acl.acl) e
   WHERE p.oid IN (e.grantee, e.grantor)
), held AS (
  SELECT grantor, type, identity, namespace, owner, privilege_type, "column"
    FROM item
   WHERE grantee = principal
), revocable AS (
  SELECT h.*, (namespace IS NULL OR has_schema_privilege(grantor, namespace, 'USAGE'))
              AND (grantor = owner OR NOT pg_has_role(grantor, owner, 'USAGE')) AS revocable
    FROM held h
), on_objects AS (
  SELECT grantor, type, revocable, identity, array_agg(privilege_type ORDER BY privilege_type) AS privileges
    FROM revocable
   WHERE "column" IS NULL
   GROUP BY grantor, type, revocable, identity
), on_columns AS (
  SELECT grantor, type, revocable, identity, privilege_type, jsonb_agg("column" ORDER BY "column") AS columns
    FROM revocable
   WHERE "column" IS NOT NULL
   GROUP BY grantor, type, revocable, identity, privilege_type
), held_group AS (
  SELECT pg_get_userbyid(grantor) AS grantor, type, revocable, to_jsonb(privileges) AS privileges,
         jsonb_agg(identity ORDER BY identity) AS names, NULL::jsonb AS columns
    FROM on_objects
   GROUP BY on_objects.grantor, type, revocable, privileges
   UNION ALL
  SELECT pg_get_userbyid(grantor), type, revocable, jsonb_build_array(privilege_type), jsonb_build_array(identity), columns
    FROM on_columns
), default_acl AS (
  SELECT d.oid, d.defaclrole, n.nspname AS schema, d.defaclobjtype AS class
    FROM pg_catalog.pg_default_acl d
    JOIN dependency x ON x.classid = 'pg_catalog.pg_default_acl'::regclass AND x.objid = d.oid AND x.deptype = 'a'
    LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
), reach AS (
  SELECT r.rolname AS role, ${settable(sql`r.oid`)} AS settable, ${adminOf(sql`r`)} AS admin
    FROM pg_catalog.pg_roles r
   WHERE r.oid IN (SELECT grantor FROM held UNION SELECT defaclrole FROM default_acl)
)`;

/** The fields of {@link InspectedDatabase}. */
export const databaseFields: Sql = sql`,
  'database', current_database(),
  'owned', coalesce((SELECT jsonb_agg(to_jsonb(owned) ORDER BY type, schema) FROM owned), '[]'),
  'places', coalesce((SELECT jsonb_agg(to_jsonb(place) ORDER BY name) FROM place), '[]'),
  'held', coalesce((SELECT jsonb_agg(to_jsonb(held_group) ORDER BY grantor, type, names, privileges, columns NULLS FIRST) FROM held_group), '[]'),
  'passed', coalesce((
    SELECT jsonb_agg(to_jsonb(one) ORDER BY type, name, grantee)
      FROM (SELECT type, identity AS name, coalesce(g.rolname, 'PUBLIC') AS grantee,
                   jsonb_agg(DISTINCT privilege_type) AS privileges
              FROM item
              LEFT JOIN pg_catalog.pg_roles g ON g.oid = grantee
             WHERE grantor = principal AND grantee <> principal
             GROUP BY 1, 2, 3) one), '[]'),
  'defaults', coalesce((
    SELECT jsonb_agg(jsonb_build_object('role', pg_get_userbyid(defaclrole), 'schema', schema, 'class', class))
      FROM default_acl), '[]'),
  'leftovers', coalesce((
    SELECT jsonb_agg(DISTINCT jsonb_build_object('type', type, 'name', identity))
      FROM dependency
     WHERE deptype IN ('r', 'i') OR deptype = 'o' AND NOT (${ownsObject})
        OR deptype = 'a' AND classid = 'pg_catalog.pg_auth_members'::regclass), '[]'),
  'reaches', coalesce((SELECT jsonb_agg(to_jsonb(reach) ORDER BY role) FROM reach), '[]')`;
