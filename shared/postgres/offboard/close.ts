import type { Change, Note } from '../../operation/outcome.ts';
import { adminRole } from '../names.ts';
import type { Pools } from '../pools.ts';
import { identifier, type Sql, sql } from '../sql.ts';
import type { Target } from '../target.ts';
import { offboardStep, type PlanBasis } from './change.ts';
import { listed, type Offboarded, type OffboardOptions, outOfReach, together } from './model.ts';
import { adminOf, settable } from './principal.ts';
import { endSessions, type LostRoles } from './sessions.ts';

/** A grant of one role to another. */
export interface InspectedMembership {
  readonly role: string;
  readonly member: string;
  readonly grantor: string;
  readonly admin: boolean;
  /** The role is a superuser: before 16 nobody else may change who its members are. */
  readonly superuser: boolean;
  /** How Drover could act as the grantor. */
  readonly settable: boolean;
  readonly grantorAdmin: string | null;
}

export interface InspectedMemberships {
  readonly memberships: readonly InspectedMembership[];
}

interface InspectedClosing extends InspectedMemberships {
  /** Who can act as the principal: its members' sessions may do so, or as what it can act as. */
  readonly actors: readonly string[];
  /** What the principal can act as: itself and others. */
  readonly actable: readonly string[];
}

/**
 * Shuts a principal out of an instance: it can't log in any more, has no memberships, nobody is a member of it, and its
 * sessions are ended, and those of its members that could act only by it as what they could. All of that belongs to the
 * instance, so any database will do. To be done first: what is taken in a database afterwards can't be used or come back
 * in the meantime.
 *
 * @throws OperationError `PRINCIPAL_NOT_ALLOWED` for a superuser, a role of the system, Drover's own
 */
export async function closePrincipal(
  pools: Pools,
  target: Target,
  principal: string,
  options: OffboardOptions,
): Promise<Offboarded> {
  let lost: LostRoles = { roles: [] };
  const closed = await offboardStep<InspectedClosing>(pools, target, principal, options, {
    tables: sql`${membershipTables}${actorTables}`,
    fields: sql`, 'memberships', coalesce((SELECT jsonb_agg(to_jsonb(membership)) FROM membership), '[]'),
  'actors', coalesce((SELECT jsonb_agg(rolname) FROM actor), '[]'),
  'actable', coalesce((SELECT jsonb_agg(rolname) FROM actable), '[]')`,
    plan(basis) {
      lost = { roles: basis.found.actable, members: basis.found.actors };
      return planClosing(basis);
    },
  });
  return together(closed, await endSessions(pools, target, principal, { ...options, lost }));
}

/**
 * What Cloud SQL's groups of IAM principals say is how somebody logs in, which goes with the login; and what an acting
 * admin is a member of is how it administers it. Before 16 a grantor may be gone.
 */
const membershipTables = sql`, membership AS (
  SELECT g.rolname AS role, m.rolname AS member, coalesce(b.rolname, '') AS grantor, a.admin_option AS admin,
         g.rolsuper AS superuser, coalesce(${settable(sql`b.oid`)}, false) AS settable, ${adminOf(sql`b`)} AS "grantorAdmin"
    FROM pg_catalog.pg_auth_members a
    JOIN pg_catalog.pg_roles g ON g.oid = a.roleid
    JOIN pg_catalog.pg_roles m ON m.oid = a.member
    LEFT JOIN pg_catalog.pg_roles b ON b.oid = a.grantor
   WHERE (SELECT oid FROM principal) IN (a.roleid, a.member, a.grantor)
     AND g.rolname !~ '^cloudsqliam[a-z]*$'
     AND m.rolname !~ ${`^${adminRole}(_[0-9]{2})?$`}
   ORDER BY g.rolname, m.rolname, b.rolname
)`;

/** As it is before anything is taken. Of all roles only the principal's members are asked, for that takes a while. */
const actorTables = sql`, actor AS (
  SELECT m.rolname
    FROM (WITH RECURSIVE below AS (
            SELECT oid FROM principal
             UNION
            SELECT a.member FROM below JOIN pg_catalog.pg_auth_members a ON a.roleid = below.oid)
          SELECT oid FROM below) b
    JOIN pg_catalog.pg_roles m USING (oid)
   CROSS JOIN settings
   WHERE m.oid <> (SELECT oid FROM principal)
     AND pg_has_role(m.oid, (SELECT oid FROM principal), set_right)
), actable AS (
  SELECT r.rolname
    FROM pg_catalog.pg_roles r
   CROSS JOIN settings
   WHERE pg_has_role((SELECT oid FROM principal), r.oid, set_right)
)`;

/** What has to be done so that a principal can't log in and is no member of anything: pure but for the script. */
export function planClosing(basis: PlanBasis<InspectedMemberships>): Note[] {
  return [...planLogin(basis), ...planMemberships(basis)];
}

function planLogin({ principal, serverVersion, role, script }: PlanBasis<unknown>): Note[] {
  if (!role.login) return [];
  const alter = sql`ALTER ROLE ${identifier(principal)} NOLOGIN`;
  // Before 16 only a superuser may alter a role that has REPLICATION.
  if (role.admin !== null && !(role.replication && serverVersion < 160000)) {
    script.run(role.admin, alter, { action: 'alter', kind: 'role', name: principal, detail: 'NOLOGIN' });
    return [];
  }
  return [outOfReach(`Drover may not take the login from ${principal}.`, [alter.text])];
}

function planMemberships(basis: PlanBasis<InspectedMemberships>): Note[] {
  const { principal, serverVersion, found, script } = basis;
  const own = found.memberships.filter(({ role, member }) => role === principal || member === principal);
  const stuck: InspectedMembership[] = [];
  for (const membership of own) {
    const as = grantorToActAs(basis, membership);
    if (as === undefined) stuck.push(membership);
    else script.run(as, revocation(membership, serverVersion), revoked(membership));
  }
  if (serverVersion >= 160000) {
    for (const { role, ...passed } of found.memberships.filter(({ grantor }) => grantor === principal)) {
      // Revoked along with the principal's own ADMIN OPTION, once all of that is.
      if (own.some((one) => one.role === role && one.admin) && !stuck.some((one) => one.role === role)) {
        script.changes.push(revoked({ role, ...passed }));
      }
    }
  }
  if (stuck.length === 0) return [];
  const names = stuck.map(({ role, member, grantor }) => `${member} of ${role} (granted by ${grantor})`);
  return [
    outOfReach(
      `Drover may not revoke memberships that others granted: ${listed(names)}.`,
      stuck.map((membership) => revocation(membership, serverVersion).text),
    ),
  ];
}

/** Whom to be to revoke a membership: from 16 on its grantor, before that anybody who may create roles. */
function grantorToActAs(
  { serverVersion, role, script }: PlanBasis<unknown>,
  { grantor, superuser, settable, grantorAdmin }: InspectedMembership,
): string | undefined {
  if (serverVersion < 160000) return superuser ? undefined : (role.admin ?? undefined);
  return script.reach({ role: grantor, settable, admin: grantorAdmin }) ? grantor : undefined;
}

/** With what the principal passed on. Before 16 PostgreSQL doesn't keep track of that, so it stays. */
function revocation({ role, member, grantor, admin }: InspectedMembership, serverVersion: number): Sql {
  const revoke = sql`REVOKE ${identifier(role)} FROM ${identifier(member)}`;
  if (serverVersion < 160000) return revoke;
  const cascade = admin ? sql` CASCADE` : sql``;
  return sql`${revoke} GRANTED BY ${identifier(grantor)}${cascade}`;
}

function revoked({ role, member }: Pick<InspectedMembership, 'role' | 'member'>): Change {
  return { action: 'revoke', kind: 'membership', name: role, detail: `from ${member}` };
}
