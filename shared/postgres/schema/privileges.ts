import { type SchemaLevel, schemaLevels } from '../names.ts';
import { identifier, keyword, Sql, sql } from '../sql.ts';
import { type InspectedPrivilege, levelPrivileges, type ObjectClass, objectClasses } from './model.ts';
import type { PlanContext } from './plan.ts';

/** So many objects are named in one statement. */
const objectsPerStatement = 100;

/**
 * Privileges on the schema, on what is in it and on what will be. Only what differs is granted or revoked, and only
 * from our own roles: others' privileges are others'.
 */
export function planPrivileges(context: PlanContext): void {
  planSchemaPrivileges(context);
  for (const objectClass of objectClasses) {
    planObjectPrivileges(context, objectClass);
    planDefaultPrivileges(context, objectClass);
  }
  planRoutineDefault(context);
}

function wanted(context: PlanContext, privileges: Partial<Record<SchemaLevel, readonly string[]>>) {
  return schemaLevels
    .filter((level) => level !== 'owner' && context.levels.includes(level))
    .map((level) => ({ role: context.roles[level], privileges: privileges[level] ?? [] }));
}

function planSchemaPrivileges(context: PlanContext): void {
  const { desired, found } = context;
  const { database, schema } = desired;
  const on = sql`SCHEMA ${identifier(schema)}`;
  const name = `${database}.${schema}`;
  for (const { role, privileges } of wanted(context, { reader: ['USAGE'] })) {
    // A new owner takes the old owner's grants over as his own.
    converge(context, { on, kind: 'schema', name, role, privileges, has: found.schema?.privileges ?? [] });
  }
}

function planObjectPrivileges(context: PlanContext, objectClass: ObjectClass): void {
  const { desired, roles, found } = context;
  for (const group of found.objects.filter((candidate) => candidate.class === objectClass)) {
    const becomesOurs = desired.adopt && group.usable;
    const follows =
      group.followsTable &&
      found.objects.some((table) => table.class === 'TABLE' && table.owner === roles.owner);
    if (group.owner !== roles.owner && !becomesOurs && !follows) continue;
    for (let index = 0; index < group.names.length; index += objectsPerStatement) {
      const names = group.names.slice(index, index + objectsPerStatement);
      const on = sql`${keyword(objectClass)} ${names.map((name) => Sql.of(name))}`;
      const kind = objectClass.toLowerCase();
      for (const { role, privileges } of wanted(context, levelPrivileges[objectClass])) {
        converge(context, { on, kind, name: names.join(', '), role, privileges, has: group.privileges });
      }
    }
  }
}

interface Convergence {
  readonly on: Sql;
  readonly kind: string;
  readonly name: string;
  readonly role: string;
  readonly privileges: readonly string[];
  readonly has: readonly InspectedPrivilege[];
}

function converge(
  { steps, notes }: PlanContext,
  { on, kind, name, role, privileges, has }: Convergence,
): void {
  const held = has.filter(({ grantee }) => grantee === role);
  const missing = privileges.filter((privilege) => !held.some((one) => one.privilege === privilege));
  const surplus = held.filter(({ privilege }) => !privileges.includes(privilege));
  const grantee = identifier(role);
  if (missing.length > 0) {
    steps.push({
      sql: sql`GRANT ${missing.map(keyword)} ON ${on} TO ${grantee}`,
      change: { action: 'grant', kind, name, detail: `${missing.join(', ')} to ${role}` },
    });
  }
  const ours = surplus.filter(({ byOwner }) => byOwner).map(({ privilege }) => privilege);
  if (ours.length > 0) {
    steps.push({
      sql: sql`REVOKE ${ours.map(keyword)} ON ${on} FROM ${grantee}`,
      change: { action: 'revoke', kind, name, detail: `${ours.join(', ')} from ${role}` },
    });
  }
  const others = surplus.filter(({ byOwner }) => !byOwner).map(({ privilege }) => privilege);
  if (others.length > 0) {
    notes.push({
      code: 'FOREIGN_GRANT',
      message: `${role} has ${others.join(', ')} on ${name} by a grant of somebody else, who alone can revoke it.`,
      statements: [sql`REVOKE ${others.map(keyword)} ON ${on} FROM ${grantee}`.text],
    });
  }
}

function planDefaultPrivileges(context: PlanContext, objectClass: ObjectClass): void {
  const { desired, roles, found, steps } = context;
  const { database, schema } = desired;
  const forOwner = sql`ALTER DEFAULT PRIVILEGES FOR ROLE ${identifier(roles.owner)} IN SCHEMA ${identifier(schema)}`;
  const objects = keyword(`${objectClass}S`);
  const name = `${database}.${schema}`;
  const kind = 'default privileges';
  for (const { role, privileges } of wanted(context, levelPrivileges[objectClass])) {
    const held = found.defaultPrivileges
      .filter((one) => one.scope === 'schema' && one.class === objectClass && one.grantee === role)
      .map(({ privilege }) => privilege);
    const missing = privileges.filter((privilege) => !held.includes(privilege));
    const surplus = held.filter((privilege) => !privileges.includes(privilege));
    const grantee = identifier(role);
    if (missing.length > 0) {
      const detail = `${missing.join(', ')} on new ${objects.text.toLowerCase()} to ${role}`;
      steps.push({
        sql: sql`${forOwner} GRANT ${missing.map(keyword)} ON ${objects} TO ${grantee}`,
        change: { action: 'grant', kind, name, detail },
      });
    }
    if (surplus.length > 0) {
      const detail = `${surplus.join(', ')} on new ${objects.text.toLowerCase()} from ${role}`;
      steps.push({
        sql: sql`${forOwner} REVOKE ${surplus.map(keyword)} ON ${objects} FROM ${grantee}`,
        change: { action: 'revoke', kind, name, detail },
      });
    }
  }
}

/**
 * New routines are not everybody's. PostgreSQL adds the defaults of a schema to the global ones, so what PUBLIC has
 * by default can be taken away for the role as a whole only.
 */
function planRoutineDefault({ desired, roles, found, steps }: PlanContext): void {
  const publicHas = found.defaultPrivileges.some(
    (one) => one.scope === 'global' && one.class === 'ROUTINE' && one.grantee === 'PUBLIC',
  );
  if (found.routineDefaultSet && !publicHas) return;
  steps.push({
    sql: sql`ALTER DEFAULT PRIVILEGES FOR ROLE ${identifier(roles.owner)} REVOKE EXECUTE ON ROUTINES FROM PUBLIC`,
    change: {
      action: 'revoke',
      kind: 'default privileges',
      name: `${desired.database}.${desired.schema}`,
      detail: 'EXECUTE on new routines from PUBLIC',
    },
  });
}
