import { identifier, type Sql, sql } from '../sql.ts';
import type { PlanContext } from './context.ts';
import {
  type InspectedMembership,
  type InspectedSchema,
  type JoinedRole,
  predefined,
  type SchemaRoles,
} from './model.ts';

/**
 * Memberships by which one of our roles has more than its level: in another level's role, or in anybody's. They are
 * ours to take away, for the role is.
 */
export function surplusMemberships(roles: SchemaRoles, found: InspectedSchema): JoinedRole[] {
  const expected: readonly (readonly [role: string, members: readonly string[]])[] = [
    [roles.reader, [roles.writer, roles.analyst]],
    [roles.connect, [roles.owner, roles.reader, roles.monitor]],
    [predefined.analyst, [roles.analyst]],
    [predefined.monitor, [roles.monitor]],
  ];
  return found.joined.filter(
    ({ role, member }) => !expected.some(([known, members]) => known === role && members.includes(member)),
  );
}

/** Whether the acting admin may revoke a membership: from 16 on its grantor alone, before that nobody a superuser's. */
export function isRevocable(
  roles: SchemaRoles,
  found: InspectedSchema,
  { grantor, superuser }: JoinedRole,
): boolean {
  return found.serverVersion < 160000 ? !superuser : grantor === roles.acting;
}

/** The statement that takes a membership away, for whoever may. */
export function revokeMembership({ role, member, grantor }: JoinedRole, serverVersion: number): Sql {
  const by = serverVersion < 160000 ? sql`` : sql` GRANTED BY ${identifier(grantor)}`;
  return sql`REVOKE ${identifier(role)} FROM ${identifier(member)}${by}`;
}

function planSurplus({ roles, found, steps, notes }: PlanContext): void {
  for (const surplus of surplusMemberships(roles, found)) {
    const { role, member, grantor } = surplus;
    const revoke = revokeMembership(surplus, found.serverVersion);
    if (isRevocable(roles, found, surplus)) {
      steps.push({
        sql: revoke,
        change: { action: 'revoke', kind: 'membership', name: role, detail: `from ${member}` },
      });
    } else {
      notes.push({
        code: 'FOREIGN_MEMBERSHIP',
        message: `${member} is a member of ${role} by a grant of ${grantor}, and so has more than its level. Who may act as ${grantor} can revoke it.`,
        statements: [revoke.text],
      });
    }
  }
}

/** Who of our roles is a member of which, and who may act as the owner. */
export function planMemberships(context: PlanContext): void {
  planSurplus(context);
  const { desired, roles, found, levels, steps, notes } = context;
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

  for (const level of ['writer', 'analyst'] as const) {
    if (levels.includes(level) && !has(roles.reader, roles[level], ({ inherit }) => inherit)) {
      grant(roles.reader, roles[level], sql` WITH INHERIT TRUE`);
    }
  }
  for (const level of ['analyst', 'monitor'] as const) {
    const role = predefined[level];
    const wanted = level === 'monitor' || levels.includes(level);
    if (!wanted || has(role, roles[level], ({ inherit }) => inherit)) continue;
    if (found.grantable.includes(role)) grant(role, roles[level], sql` WITH INHERIT TRUE`);
    else {
      notes.push({
        code: 'MEMBERSHIP_OUT_OF_REACH',
        message: `${roles[level]} should be a member of ${role}; who grants that needs ADMIN on ${role}, which Drover has not.`,
        statements: [sql`GRANT ${identifier(role)} TO ${identifier(roles[level])}`.text],
      });
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
