import { OperationError } from '../../operation/errors.ts';
import { parseMarker } from '../marker.ts';
import { adminRole, writersRole } from '../names.ts';
import { nameProblem } from '../principals.ts';
import { type Sql, sql } from '../sql.ts';

/** The names of the acting admins, for PostgreSQL's `~`. */
export const actingAdmins = `^${adminRole}_[0-9]{2}$`;

/** The role that is to be taken out, as the acting admin sees it. */
export interface InspectedPrincipal {
  /** As text, for it may not fit a signed integer. */
  readonly oid: string;
  readonly login: boolean;
  readonly superuser: boolean;
  readonly replication: boolean;
  readonly comment: string | null;
  /** Is a member of Drover's admins: one of Drover's own functions, or who prepared the instance and so is their grantor. */
  readonly writer: boolean;
  /** The acting admin that may alter and drop the role, and make itself a member of it; null where none may. */
  readonly admin: string | null;
}

/** How Drover comes to act as a role. */
export interface Reach {
  readonly role: string;
  /** The session may set it as it is. */
  readonly settable: boolean;
  /** An acting admin that may make itself a member. */
  readonly admin: string | null;
}

/**
 * The beginning of every query here: the tables `settings` and `principal`, and a column of the result.
 *
 * Before 16 a role with CREATEROLE may change every role but a superuser, later only those it has ADMIN on.
 */
export function principalTables(principal: string): Sql {
  return sql`settings AS (
  SELECT current_setting('server_version_num')::int AS version,
         CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END AS set_right
), principal AS (
  SELECT r.*, ${adminOf(sql`r`)} AS admin
    FROM pg_catalog.pg_roles r, settings
   WHERE r.rolname = ${principal}
)`;
}

/** The fields that every query's result has: put into a `jsonb_build_object`. */
export const principalFields = sql`
  'serverVersion', (SELECT version FROM settings),
  'principal', (
    SELECT jsonb_build_object(
             'oid', oid::text, 'login', rolcanlogin, 'superuser', rolsuper, 'replication', rolreplication,
             'comment', shobj_description(oid, 'pg_authid'), 'admin', admin,
             'writer', ${isWriter(sql`principal.oid`)})
      FROM principal)`;

/** Whether a role, of which `role` gives the OID, is a member of Drover's admins. */
export function isWriter(role: Sql): Sql {
  return sql`(EXISTS (
               SELECT FROM pg_catalog.pg_roles w
                WHERE w.rolname = ${writersRole} AND pg_has_role(${role}, w.oid, 'MEMBER'))
           OR EXISTS (
               SELECT FROM pg_catalog.pg_roles w
                WHERE w.rolname ~ ${actingAdmins} AND pg_has_role(${role}, w.oid, 'MEMBER')))`;
}

/** Whether the session may set a role, of which `role` gives the OID. */
export function settable(role: Sql): Sql {
  return sql`(SELECT pg_has_role(session_user, ${role}, set_right) FROM settings)`;
}

/**
 * The acting admin that may make itself a member of a role, of which `role` gives the row. Not of one that is a member
 * of that admin: PostgreSQL allows no circles. Who made a role is its admin by a membership of its own; to look for one that
 * others pass on takes longer the more roles there are.
 */
export function adminOf(role: Sql): Sql {
  return sql`CASE
    WHEN ${role}.rolsuper OR ${role}.rolname ~ '^pg_' THEN NULL
    WHEN (SELECT version FROM settings) < 160000 THEN
      CASE WHEN NOT pg_has_role(${role}.oid, current_user, 'MEMBER') THEN current_user::text END
    ELSE coalesce((
      SELECT min(a.rolname::text)
        FROM pg_catalog.pg_auth_members g
        JOIN pg_catalog.pg_roles a ON a.oid = g.member
       WHERE g.roleid = ${role}.oid AND g.admin_option AND a.rolname ~ ${actingAdmins}
         AND NOT pg_has_role(${role}.oid, a.oid, 'MEMBER')), (
      SELECT min(a.rolname::text)
        FROM pg_catalog.pg_roles a
       WHERE a.rolname ~ ${actingAdmins}
         AND pg_has_role(a.oid, ${role}.oid, 'MEMBER WITH ADMIN OPTION')
         AND NOT pg_has_role(${role}.oid, a.oid, 'MEMBER')))
  END`;
}

/** @throws OperationError `PRINCIPAL_NOT_ALLOWED` for a name that can't be granted anything either */
export function refuseName(principal: string): void {
  const problem = nameProblem('login', principal);
  if (problem !== undefined) throw notAllowed(principal, problem);
}

/** @throws OperationError `PRINCIPAL_NOT_ALLOWED` where it must stay */
export function refusePrincipal(principal: string, found: InspectedPrincipal): void {
  if (found.superuser) throw notAllowed(principal, 'is a superuser');
  if (parseMarker(found.comment)) throw notAllowed(principal, 'is one of the groups that Drover manages');
  if (found.writer) throw notAllowed(principal, 'is a member of Drover’s admins');
}

function notAllowed(principal: string, why: string): OperationError {
  return new OperationError('PRINCIPAL_NOT_ALLOWED', `${principal} ${why}, and can't be offboarded.`, {
    details: { principal },
  });
}
