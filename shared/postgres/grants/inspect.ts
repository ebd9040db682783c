import type pg from 'pg';
import { adminRole, roleName, writersRole } from '../names.ts';
import { type Sql, sql } from '../sql.ts';
import type { InspectedGrants, InspectedMembers } from './model.ts';

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

/** Drover's admins and the group of those who may act as them. */
const admins = `^(${adminRole}(_[0-9]{2})?|${writersRole})$`;

/** Whether a row of pg_roles is one of Drover's: by its name an admin, or by its marker. */
function isOurs(role: Sql): Sql {
  return sql`(${role}.rolname ~ ${admins} OR EXISTS (
     SELECT FROM pg_catalog.pg_shdescription d
      WHERE d.classoid = 'pg_catalog.pg_authid'::regclass AND d.objoid = ${role}.oid
        AND starts_with(d.description, '{"managedBy":"drover",')))`;
}

/** Of so few roles the members are looked up one by one, which takes no longer where there are many others. */
const fewRoles = 100;

/** Whether `a.member` is none of Drover's. */
const isNoneOfOurs = sql`(
     SELECT NOT ${isOurs(sql`m`)} FROM pg_catalog.pg_roles m WHERE m.oid = a.member)`;

/** The same turned round, for many rows: all of Drover's are found once. */
const isNoneOfOursOfMany = sql`a.member NOT IN (
     SELECT oid FROM pg_catalog.pg_roles WHERE rolname ~ ${admins}
      UNION ALL
     SELECT objoid FROM pg_catalog.pg_shdescription
      WHERE classoid = 'pg_catalog.pg_authid'::regclass AND starts_with(description, '{"managedBy":"drover",'))`;

/**
 * Members, grantors and options of managed roles, as one value: a group of members that have a role in the same way is
 * one object, so that a hundred thousand memberships are a few thousand, and each member's name is looked up once.
 * Role by role, for sorting all of them together would take longer than reading them.
 *
 * Drover's own roles and admins are not among the members: that they are is the structure, not a grant. Of owners that were
 * not asked about it is told whether a principal may act as any, and in a database where everybody may connect not even
 * that.
 *
 * Whether a role is a member of who should be its member is looked up for few roles only: a message is about one schema.
 *
 * Where statistics are old, which they are after many grants, PostgreSQL has no better way than by the catalogs' indexes:
 * they are joined and not the parts above them. OFFSET 0 keeps it from reading all that a principal is in, to see whether
 * one certain group is among that.
 *
 * Membership options exist from PostgreSQL 16 on. Before, their names lead to the columns of `absent`: a subquery sees
 * those of the tables around it, too.
 *
 * @returns a subquery, for use in a SELECT list
 */
export function grantsInspection({ database, roles, principals }: GrantsQuestion): Sql {
  const start = markerStart(database);
  const which = roles === 'all' ? sql`true` : sql`r.rolname IN (${roles.length > 0 ? roles : ['']})`;
  const asked = principals.length > 0 ? principals : [''];
  const connect = sql`SELECT oid FROM managed WHERE rolname = ${roleName(database, undefined, 'connect')}`;
  const isFew = roles !== 'all' && roles.length <= fewRoles;
  return sql`(
WITH RECURSIVE managed AS MATERIALIZED (
  SELECT r.oid, r.rolname, d.description, position('"level":"owner"' IN d.description) > 0 AS owner
    FROM pg_catalog.pg_roles r
    JOIN pg_catalog.pg_shdescription d ON d.objoid = r.oid AND d.classoid = 'pg_catalog.pg_authid'::regclass
   WHERE starts_with(d.description, ${start}) AND ${which}
), member_group AS (
  SELECT g.rolname AS role, m.*
    FROM managed g
   CROSS JOIN LATERAL (
         SELECT pg_get_userbyid(a.grantor) AS grantor, a.admin_option AS admin,
                coalesce(a.inherit_option, (SELECT m.rolinherit FROM pg_catalog.pg_roles m WHERE m.oid = a.member)) AS inherit,
                coalesce(a.set_option, true) AS set, array_agg(a.member ORDER BY a.member) AS members
           FROM (SELECT NULL::boolean AS inherit_option, NULL::boolean AS set_option) absent
          CROSS JOIN LATERAL (
                SELECT member, grantor, admin_option, inherit_option, set_option
                  FROM pg_catalog.pg_auth_members
                 WHERE roleid = g.oid) a
          WHERE ${isFew ? isNoneOfOurs : isNoneOfOursOfMany}
          GROUP BY a.grantor, 2, 3, 4) m
), writer AS (
  SELECT oid FROM pg_catalog.pg_roles WHERE rolname ~ ${admins}
   UNION
  SELECT a.member FROM writer w JOIN pg_catalog.pg_auth_members a ON a.roleid = w.oid
), owning AS MATERIALIZED (
  SELECT DISTINCT a.member
    FROM managed g
    JOIN pg_catalog.pg_auth_members a ON a.roleid = g.oid
    JOIN pg_catalog.pg_roles m ON m.oid = a.member
   WHERE g.owner AND NOT ${isOurs(sql`m`)} AND ${roles === 'all' ? sql`false` : sql`EXISTS (${connect})`}
), principal AS (
  SELECT p.*, ${isOurs(sql`p`)} AS managed
    FROM pg_catalog.pg_roles p
   WHERE p.oid IN (SELECT oid FROM pg_catalog.pg_roles WHERE rolname IN (${asked}) UNION SELECT member FROM owning)
)${isFew ? sql`, above AS (${cycleSearch})` : sql``}
SELECT json_build_object(
  'serverVersion', current_setting('server_version_num')::int,
  'now', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
  'roles', coalesce((
    SELECT json_agg(json_build_object('name', rolname, 'comment', description) ORDER BY rolname) FROM managed), '[]'),
  'members', coalesce((
    SELECT json_agg(json_build_object(
             'role', role, 'grantor', grantor, 'admin', admin, 'inherit', inherit, 'set', set,
             'members', members::bigint[]) ORDER BY role, grantor, admin, inherit, set)
      FROM member_group), '[]'),
  'names', coalesce((
    SELECT json_object_agg(oid, rolname) FROM pg_catalog.pg_roles
     WHERE oid IN (SELECT unnest(members) FROM member_group)), '{}'),
  'principals', coalesce((
    SELECT json_agg(json_build_object(
      'name', p.rolname,
      'login', p.rolcanlogin,
      'privileged', p.rolsuper OR p.rolreplication OR p.rolbypassrls,
      'writer', p.oid IN (SELECT oid FROM writer),
      'managed', p.managed,
      'iam', coalesce((
        SELECT json_agg(g.rolname ORDER BY g.rolname)
          FROM pg_catalog.pg_roles g
         WHERE g.rolname IN (${Object.values(iamGroups)})
           AND EXISTS (
             SELECT FROM pg_catalog.pg_auth_members a WHERE a.roleid = g.oid AND a.member = p.oid OFFSET 0)), '[]'),
      'ownsElsewhere', ${roles === 'all' ? sql`false` : ownsElsewhere(start, connect)})
      ORDER BY p.rolname)
      FROM principal p), '[]'),
  'unmarked', ${roles === 'all' ? sql`'[]'::json` : unmarkedAmong(roles)},
  'cycles', ${isFew ? cyclesAmong(asked) : sql`'[]'::json`}
))`;
}

/**
 * Whether `p`, who may connect to the closed database, may act as an owner that isn't in `managed`. OFFSET 0: by what `p` is
 * in, and not by all the owners that there are.
 */
function ownsElsewhere(start: string, connect: Sql): Sql {
  return sql`(EXISTS (
        SELECT FROM pg_catalog.pg_auth_members WHERE member = p.oid AND roleid = (${connect}))
       AND EXISTS (
        SELECT FROM (
          SELECT a.roleid FROM pg_catalog.pg_auth_members a
           WHERE a.member = p.oid AND a.roleid NOT IN (SELECT oid FROM managed) OFFSET 0) a
          JOIN pg_catalog.pg_shdescription d ON d.objoid = a.roleid AND d.classoid = 'pg_catalog.pg_authid'::regclass
         WHERE starts_with(d.description, ${start}) AND position('"level":"owner"' IN d.description) > 0))`;
}

/** What one role is a member of. OFFSET 0: looked up one by one, for few are members of anything. */
function parentsOf(member: Sql): Sql {
  return sql`CROSS JOIN LATERAL (
         SELECT roleid, member, grantor FROM pg_catalog.pg_auth_members WHERE member = ${member} OFFSET 0) a`;
}

/** All that the roles are members of, directly or through others, and by which member and grantor. */
const cycleSearch = sql`
  SELECT g.oid AS role, a.roleid AS above, a.member, a.grantor FROM managed g ${parentsOf(sql`g.oid`)}
   UNION
  SELECT b.role, a.roleid, a.member, a.grantor FROM above b ${parentsOf(sql`b.above`)}`;

/** Principals among that. */
/** Roles that are there without our mark. */
function unmarkedAmong(roles: readonly string[]): Sql {
  return sql`coalesce((
    SELECT json_agg(rolname ORDER BY rolname) FROM pg_catalog.pg_roles
     WHERE rolname IN (${roles.length > 0 ? roles : ['']}) AND oid NOT IN (SELECT oid FROM managed)), '[]')`;
}

function cyclesAmong(asked: readonly string[]): Sql {
  return sql`coalesce((
    SELECT json_agg(json_build_object(
             'role', pg_get_userbyid(b.role), 'principal', p.rolname, 'member', pg_get_userbyid(b.member),
             'grantor', pg_get_userbyid(b.grantor)) ORDER BY b.role, p.rolname, b.member, b.grantor)
      FROM above b
      JOIN pg_catalog.pg_roles p ON p.oid = b.above
     WHERE p.rolname IN (${asked})), '[]')`;
}

/** As the query gives it: members by their oid. */
interface GrantsRow extends Omit<InspectedGrants, 'members'> {
  readonly members: readonly (Omit<InspectedMembers, 'members'> & { readonly members: readonly number[] })[];
  readonly names: Readonly<Record<number, string>>;
}

/** Reads what {@link grantsInspection} gave, as the column `grants` of the one row. */
export function readGrants(result: pg.QueryResult): InspectedGrants {
  const { names, ...grants } = (result.rows[0] as { grants: GrantsRow }).grants;
  const nameOf = (member: number) => names[member] ?? '';
  return {
    ...grants,
    members: grants.members.map((group) => ({ ...group, members: group.members.map(nameOf) })),
  };
}
