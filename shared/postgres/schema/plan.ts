import { formatMarker, type Marker, parseMarker } from '../marker.ts';
import { adminRole } from '../names.ts';
import { identifier, type Sql, sql } from '../sql.ts';
import type { Plan, PlanContext } from './context.ts';
import { planDatabase } from './database.ts';
import { levelsOf, managedRoles, wantedRoles } from './managed-roles.ts';
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
  const managed = managedRoles(desired, roles);
  const wanted = wantedRoles(managed, desired, found);
  const context: PlanContext = { desired, roles, found, managed, wanted, steps: [], notes: [] };
  const refusal = refuse(context);
  if (refusal) throw refusal;
  planRoles(context);
  planOwnership(context);
  planPrivileges(context);
  planMemberships(context);
  planDatabase(context);
  const { steps, notes } = context;
  if (steps.length > 0 || mark.always) {
    const { grants } = ownerMarker(roles, found) ?? {};
    const marker: Marker = {
      managedBy: 'drover',
      database: desired.database,
      schema: desired.schema,
      level: 'owner',
      epoch: mark.epoch,
      ...(grants === undefined ? {} : { grants }),
    };
    steps.push({ sql: setMarker(roles.owner, marker) });
  }
  return { steps, notes, levels: levelsOf(wanted, roles) };
}

/** The epoch that the last change left, or undefined. */
export function foundEpoch(roles: SchemaRoles, found: InspectedSchema): number | undefined {
  return ownerMarker(roles, found)?.epoch;
}

/** The number of the last change to who is a member of the schema's roles, or undefined. */
export function foundGrants(roles: SchemaRoles, found: InspectedSchema): number | undefined {
  return ownerMarker(roles, found)?.grants;
}

function ownerMarker(roles: SchemaRoles, found: InspectedSchema): Marker | undefined {
  const owner = found.roles.find(({ name }) => name === roles.owner);
  return parseMarker(owner?.comment ?? null);
}

function planRoles(context: PlanContext): void {
  const { roles, found, managed, wanted, steps } = context;
  for (const { name, marker } of wanted) {
    const role = found.roles.find((candidate) => candidate.name === name);
    if (role === undefined) {
      // A database's roles are every acting admin's. Before 16 a role's creator has no hold on it, so that an upgrade
      // would leave it without an admin.
      const ofDatabase = marker.schema === undefined;
      const admin = ofDatabase ? adminRole : found.serverVersion < 160000 ? roles.acting : undefined;
      const clause = admin === undefined ? sql`` : sql` ADMIN ${identifier(admin)}`;
      steps.push({
        sql: sql`CREATE ROLE ${identifier(name)} NOLOGIN${clause}`,
        change: { action: 'create', kind: 'role', name, detail: marker.level },
      });
      // A new owner's is set at the end, with the epoch.
      if (name !== roles.owner) steps.push({ sql: setMarker(name, marker) });
      continue;
    }
    if (role.login || !role.inherit || role.createRole || role.createDatabase) alterRole(context, role);
    if (!isOurs(role, managed)) {
      steps.push({
        sql: setMarker(name, marker),
        change: { action: 'transfer', kind: 'role', name, detail: 'adopted' },
      });
      continue;
    }
    const detail = redefinition(parseMarker(role.comment), marker);
    if (detail !== undefined) {
      steps.push({ sql: setMarker(name, marker), change: { action: 'alter', kind: 'role', name, detail } });
    }
  }
}

function setMarker(role: string, marker: Marker): Sql {
  return sql`COMMENT ON ROLE ${identifier(role)} IS ${formatMarker(marker)}`;
}

/** How a custom role's definition differs from the one that was applied last; undefined where it is the same. */
function redefinition(found: Marker | undefined, { version, checksum }: Marker): string | undefined {
  if (version === undefined) return undefined;
  if (found?.version !== version) return `version ${found?.version ?? 'unknown'} → ${version}`;
  return found.checksum === checksum ? undefined : `version ${version}, defined otherwise`;
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
