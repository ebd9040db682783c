import type { Note } from '../../operation/outcome.ts';
import { adminRole } from '../names.ts';
import { identifier, type Sql, sql } from '../sql.ts';
import type { PlanContext, Situation } from './context.ts';
import type { InspectedMembership, JoinedRole } from './model.ts';

/**
 * Memberships by which one of our roles has more than its definition says: in another of our roles, or in anybody's.
 * They are ours to take away, for the role is. All of them may connect, be it by another's closing of the database.
 */
export function surplusMemberships({ managed, roles, found }: Situation): JoinedRole[] {
  return found.joined.filter(({ role, member }) => {
    const { inherits = [], native = [] } = managed.find(({ name }) => name === member) ?? {};
    return ![roles.connect, ...inherits, ...native].includes(role);
  });
}

/**
 * Whether the acting admin may revoke a membership: from 16 on only as its grantor, and it has the privileges of
 * `drover_admin`, too; before that nobody a superuser's.
 */
export function isRevocable({ roles, found }: Situation, { grantor, superuser }: JoinedRole): boolean {
  return found.serverVersion < 160000 ? !superuser : [roles.acting, adminRole].includes(grantor);
}

/** The statement that takes a membership away, for whoever may. */
export function revokeMembership({ role, member, grantor }: JoinedRole, serverVersion: number): Sql {
  const by = serverVersion < 160000 ? sql`` : sql` GRANTED BY ${identifier(grantor)}`;
  return sql`REVOKE ${identifier(role)} FROM ${identifier(member)}${by}`;
}

function planSurplus(context: PlanContext): void {
  const { found, steps, notes } = context;
  for (const surplus of surplusMemberships(context)) {
    const { role, member, grantor } = surplus;
    const revoke = revokeMembership(surplus, found.serverVersion);
    if (isRevocable(context, surplus)) {
      steps.push({
        sql: revoke,
        change: { action: 'revoke', kind: 'membership', name: role, detail: `from ${member}` },
      });
    } else {
      notes.push({
        code: 'FOREIGN_MEMBERSHIP',
        message: `${member} is a member of ${role} by a grant of ${grantor}, and so has more than its definition says. Who may act as ${grantor} can revoke it.`,
        statements: [revoke.text],
      });
    }
  }
}

/** Who of our roles is a member of which, and who may act as the owner. */
export function planMemberships(context: PlanContext): void {
  planSurplus(context);
  const { desired, roles, found, wanted, steps, notes } = context;
  const has = (role: string, member: string, fits: (membership: InspectedMembership) => boolean) =>
    found.memberships.some(
      (membership) => membership.role === role && membership.member === member && fits(membership),
    );
  const options = (text: Sql) => (found.serverVersion < 160000 ? sql`` : text);
  const grant = (role: string, member: string, withOptions: Sql) =>
    steps.push({
      sql: sql`GRANT ${identifier(role)} TO ${identifier(member)}${options(withOptions)}`,
      change: { action: 'grant', kind: 'membership', name: role, detail: `to ${member}` },
    });

  for (const { name, inherits } of wanted) {
    for (const role of inherits) {
      if (!has(role, name, ({ inherit }) => inherit)) grant(role, name, sql` WITH INHERIT TRUE`);
    }
  }
  for (const { name, native } of wanted) {
    for (const role of native) {
      if (has(role, name, ({ inherit }) => inherit)) continue;
      if (found.grantable.includes(role)) grant(role, name, sql` WITH INHERIT TRUE`);
      else notes.push(outOfReach(role, name, found.serverVersion));
    }
  }
  const { owner } = desired;
  if (
    owner !== undefined &&
    !has(roles.owner, owner, ({ inherit, set }) => set && (!inherit || found.serverVersion < 160000))
  ) {
    // Without INHERIT nothing can be created but as the owner, so nothing gets a wrong one.
    grant(roles.owner, owner, sql` WITH INHERIT FALSE, SET TRUE`);
  }
  for (const { role, member, inherit, grantor } of found.memberships) {
    if (role !== roles.owner || member !== owner || !inherit || found.serverVersion < 160000) continue;
    if (grantor === roles.acting) continue;
    const revoke = sql`REVOKE INHERIT OPTION FOR ${identifier(role)} FROM ${identifier(member)} GRANTED BY ${identifier(grantor)}`;
    notes.push({
      code: 'FOREIGN_MEMBERSHIP',
      message: `${member} inherits ${role} by a grant of ${grantor}, and so can create objects that are not the owner's. Who may act as ${grantor} can change that.`,
      statements: [revoke.text],
    });
  }
}

function outOfReach(role: string, member: string, serverVersion: number): Note {
  // Before 16 an admin may pass every predefined role on that there is.
  if (serverVersion < 160000) {
    return {
      code: 'PREDEFINED_ROLE_MISSING',
      message: `${member} should be a member of ${role}, which this version of PostgreSQL doesn't have.`,
    };
  }
  return {
    code: 'MEMBERSHIP_OUT_OF_REACH',
    message: `${member} should be a member of ${role}; who grants that needs ADMIN on ${role}, which Drover has not.`,
    statements: [sql`GRANT ${identifier(role)} TO ${identifier(member)}`.text],
  };
}
