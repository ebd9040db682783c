import { formatMarker, parseMarker } from '../marker.ts';
import { adminRole } from '../names.ts';
import { identifier, sql } from '../sql.ts';
import type { Plan, PlanContext } from './context.ts';
import { isClosed, planDatabase } from './database.ts';
import { wantedLevels } from './levels.ts';
import { planMemberships } from './memberships.ts';
import type { DesiredSchema, InspectedSchema, SchemaRoles } from './model.ts';
import { planOwnership } from './ownership.ts';
import { planPrivileges } from './privileges.ts';
import { isOurs, refuse } from './refusals.ts';

/**
 * What has to be done so that the schema is as desired: a pure function. Applied, and planned again, nothing is left
 * but the notes.
 *
 * @param mark the epoch to leave on the schema. It is left where anything changes, or where `always` says so because
 *   an earlier attempt has to be fenced off
 * @throws OperationError where it must not be done
 */
export function planSchema(
  desired: DesiredSchema,
  roles: SchemaRoles,
  found: InspectedSchema,
  mark: { epoch: number; always: boolean },
): Plan {
  const refusal = refuse(desired, roles, found);
  if (refusal) throw refusal;
  const levels = wantedLevels(desired, roles, found);
  const context: PlanContext = { desired, roles, found, levels, steps: [], notes: [] };
  planRoles(context);
  planOwnership(context);
  planPrivileges(context);
  planMemberships(context);
  planDatabase(context);
  const { steps, notes } = context;
  if (steps.length > 0 || mark.always) {
    const marker = {
      managedBy: 'drover',
      database: desired.database,
      schema: desired.schema,
      level: 'owner',
    } as const;
    steps.push({
      sql: sql`COMMENT ON ROLE ${identifier(roles.owner)} IS ${formatMarker({ ...marker, epoch: mark.epoch })}`,
    });
  }
  return { steps, notes, levels };
}

/** The epoch that the last change left, or undefined. */
export function foundEpoch(roles: SchemaRoles, found: InspectedSchema): number | undefined {
  const owner = found.roles.find(({ name }) => name === roles.owner);
  return parseMarker(owner?.comment ?? null)?.epoch;
}

function planRoles(context: PlanContext): void {
  const { desired, roles, found, levels, steps } = context;
  const { database, schema } = desired;
  const databaseLevels = isClosed(desired, found)
    ? (['monitor', 'connect'] as const)
    : (['monitor'] as const);
  for (const level of [...levels, ...databaseLevels]) {
    const name = roles[level];
    const role = found.roles.find((candidate) => candidate.name === name);
    const ofDatabase = level === 'monitor' || level === 'connect';
    if (role === undefined) {
      // A database's roles are every acting admin's. Before 16 a role's creator has no hold on it, so that an upgrade
      // would leave it without an admin.
      const admin = ofDatabase ? adminRole : found.serverVersion < 160000 ? roles.acting : undefined;
      const clause = admin === undefined ? sql`` : sql` ADMIN ${identifier(admin)}`;
      steps.push({
        sql: sql`CREATE ROLE ${identifier(name)} NOLOGIN${clause}`,
        change: { action: 'create', kind: 'role', name, detail: level },
      });
    } else if (role.login || !role.inherit || role.createRole || role.createDatabase) {
      alterRole(context, role);
    }
    const adopted = role !== undefined && !isOurs(role, desired, roles);
    if (adopted || (role === undefined && level !== 'owner')) {
      // A new owner's is set at the end, with the epoch.
      const marker = formatMarker({
        managedBy: 'drover',
        database,
        ...(ofDatabase ? {} : { schema }),
        level,
      });
      steps.push({
        sql: sql`COMMENT ON ROLE ${identifier(name)} IS ${marker}`,
        ...(adopted
          ? { change: { action: 'transfer', kind: 'role', name, detail: 'adopted' } as const }
          : {}),
      });
    }
  }
}

function alterRole({ steps, notes }: PlanContext, role: { name: string; administrable: boolean }): void {
  const alter = sql`ALTER ROLE ${identifier(role.name)} NOLOGIN INHERIT NOCREATEROLE NOCREATEDB`;
  if (role.administrable) {
    const detail = 'a group: no login, no attributes';
    steps.push({ sql: alter, change: { action: 'alter', kind: 'role', name: role.name, detail } });
  } else {
    notes.push({
      code: 'ROLE_OUT_OF_REACH',
      message: `The role ${role.name} should be a plain group, and Drover may not alter it.`,
      statements: [alter.text],
    });
  }
}
