import type pg from 'pg';
import { adminRole, writersRole } from '../names.ts';
import { type Sql, sql } from '../sql.ts';
import type { InspectedGrants } from './model.ts';

/** What to look at: the members of these roles, or of all of Drover's in the database; and these principals. */
export interface GrantsQuestion {
  readonly database: string;
  readonly roles: readonly string[] | 'all';
  readonly principals: readonly string[];
}

/** Cloud SQL's groups of IAM principals. */
export const iamGroups = {
  'iam-user': 'cloudsqliamuser',
  'iam-service-account': 'cloudsqliamserviceaccount',
  'iam-group': 'cloudsqliamgroup',
} as const;

/** How the marker of a role of this database begins: see `formatMarker`. */
function markerStart(database: string): string {
  return `{"managedBy":"drover","database":${JSON.stringify(database)},`;
}

/** Whether a row of pg_roles is one of Drover's: by its name an admin, or by its marker. */
function isOurs(role: Sql): Sql {
  return sql`(${role}.rolname ~ ${`^(${adminRole}(_[0-9]+)?|${writersRole})$`} OR EXISTS (
     SELECT FROM pg_catalog.pg_shdescription d
      WHERE d.classoid = 'pg_catalog.pg_authid'::regclass AND d.objoid = ${role}.oid
        AND starts_with(d.description, '{"managedBy":"drover",')))`;
}

/**
 * Members, grantors and options of managed roles, as one value: a group of members that have a role in the same way is
 * one object, so that a hundred thousand memberships are a few thousand.
 *
 * Drover's own roles and admins are not among the members: that they are is the structure, not a grant.
 *
 * @returns a subquery, for use in a SELECT list
 */
export function grantsInspection({ database, roles, principals }: GrantsQuestion): Sql {
  const start = markerStart(database);
  const which = roles === 'all' ? sql`true` : sql`r.rolname IN (${roles.length > 0 ? roles : ['']})`;
  const asked = principals.length > 0 ? principals : [''];
  return sql`(
WITH managed AS MATERIALIZED (
  SELECT r.oid, r.rolname, d.description
    FROM pg_catalog.pg_shdescription d
    JOIN pg_catalog.pg_roles r ON r.oid = d.objoid
   WHERE d.classoid = 'pg_catalog.pg_authid'::regclass AND starts_with(d.description, ${start}) AND ${which}
), membership AS (
  SELECT g.rolname AS role, a.grantor, a.admin_option AS admin,
         coalesce((to_jsonb(a) ->> 'inherit_option')::boolean, m.rolinherit) AS inherit,
         coalesce((to_jsonb(a) ->> 'set_option')::boolean, true) AS set, m.rolname AS member, m.oid AS member_oid
    FROM managed g
    JOIN pg_catalog.pg_auth_members a ON a.roleid = g.oid
    JOIN pg_catalog.pg_roles m ON m.oid = a.member
   WHERE NOT ${isOurs(sql`m`)}
), member_group AS (
  SELECT role, pg_get_userbyid(grantor) AS grantor, admin, inherit, set, jsonb_agg(member ORDER BY member) AS members
    FROM membership
   GROUP BY role, grantor, admin, inherit, set
), principal AS (
  SELECT p.*, ${isOurs(sql`p`)} AS managed
    FROM pg_catalog.pg_roles p
   WHERE p.rolname IN (${asked})
      OR p.oid IN (SELECT member_oid FROM membership JOIN managed ON rolname = role WHERE description ~ '"level":"owner"')
)
SELECT jsonb_build_object(
  'serverVersion', current_setting('server_version_num')::int,
  'now', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
  'roles', coalesce((SELECT jsonb_agg(jsonb_build_object('name', rolname, 'comment', description)) FROM managed), '[]'),
  'members', coalesce((SELECT jsonb_agg(to_jsonb(member_group) ORDER BY role, grantor) FROM member_group), '[]'),
  'principals', coalesce((
    SELECT jsonb_agg(jsonb_build_object(
      'name', p.rolname,
      'login', p.rolcanlogin,
      'privileged', p.rolsuper OR p.rolreplication OR p.rolbypassrls,
      'writer', EXISTS (
        SELECT FROM pg_catalog.pg_roles w WHERE w.rolname = ${writersRole} AND pg_has_role(p.oid, w.oid, 'MEMBER')),
      'managed', p.managed,
      'iam', coalesce((
        SELECT jsonb_agg(g.rolname)
          FROM pg_catalog.pg_auth_members a
          JOIN pg_catalog.pg_roles g ON g.oid = a.roleid
         WHERE a.member = p.oid AND g.rolname IN (${Object.values(iamGroups)})), '[]'),
      'owns', coalesce((
        SELECT jsonb_agg(DISTINCT g.rolname)
          FROM pg_catalog.pg_auth_members a
          JOIN pg_catalog.pg_roles g ON g.oid = a.roleid
          JOIN pg_catalog.pg_shdescription d ON d.classoid = 'pg_catalog.pg_authid'::regclass AND d.objoid = g.oid
         WHERE a.member = p.oid AND starts_with(d.description, ${start}) AND d.description ~ '"level":"owner"'), '[]')))
      FROM principal p), '[]')
))`;
}

/** Reads what {@link grantsInspection} gave, as the column `grants` of the one row. */
export function readGrants(result: pg.QueryResult): InspectedGrants {
  return (result.rows[0] as { grants: InspectedGrants }).grants;
}
