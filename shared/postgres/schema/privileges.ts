import { actingAs, identifier, keyword, Sql, sql } from '../sql.ts';
import type { PlanContext, Step } from './context.ts';
import { type InspectedPrivilege, type ObjectClass, objectClasses } from './model.ts';
import { takesOver } from './refusals.ts';

/** So many objects are named in one statement. */
const objectsPerStatement = 100;

/**
 * Privileges on the schema, on what is in it and on what will be. Only what differs is granted or revoked, and only
 * from our own roles: others' privileges are others'.
 *
 * As the owner himself, not as one who has his privileges: of several grantors that a session could be, PostgreSQL takes
 * whichever has most grant options, and what one granted another can't revoke.
 */
export function planPrivileges(context: PlanContext): void {
  const steps: Step[] = [];
  const asOwner = { ...context, steps };
  planSchemaPrivileges(asOwner);
  for (const objectClass of objectClasses) {
    planObjectPrivileges(asOwner, objectClass);
    planDefaultPrivileges(asOwner, objectClass);
  }
  planRoutineDefault(asOwner);
  if (steps.length === 0) return;
  const { owner, acting } = context.roles;
  context.steps.push({ sql: sql`SET LOCAL ROLE ${identifier(owner)}` }, ...steps, {
    sql: sql`SET LOCAL ROLE ${identifier(acting)}`,
  });
}

const definedAs = { TABLE: 'tables', SEQUENCE: 'sequences', ROUTINE: 'routines' } as const;

/** What the roles should have of an object of this class, or of the schema itself. */
function wantedPrivileges({ wanted }: PlanContext, on: ObjectClass | 'SCHEMA') {
  return wanted.flatMap(({ name: role, inherits, privileges }) => {
    if (privileges === undefined) return [];
    if (on !== 'SCHEMA') return [{ role, privileges: privileges[definedAs[on]] }];
    // Who may do something with an object has to reach it; who inherits a level does by that.
    const reaches = inherits.length === 0 && Object.values(privileges).some((some) => some.length > 0);
    return [{ role, privileges: reaches ? ['USAGE'] : [] }];
  });
}

function planSchemaPrivileges(context: PlanContext): void {
  const { desired, found } = context;
  const { database, schema } = desired;
  const on = sql`SCHEMA ${identifier(schema)}`;
  const name = `${database}.${schema}`;
  for (const { role, privileges } of wantedPrivileges(context, 'SCHEMA')) {
    // A new owner takes the old owner's grants over as his own.
    converge(context, { on, kind: 'schema', name, role, privileges, has: found.schema?.privileges ?? [] });
  }
}

function planObjectPrivileges(context: PlanContext, objectClass: ObjectClass): void {
  const { desired, roles, found } = context;
  for (const group of found.objects.filter((candidate) => candidate.class === objectClass)) {
    if (group.owner !== roles.owner && !takesOver(desired, found, group)) continue;
    for (let index = 0; index < group.names.length; index += objectsPerStatement) {
      const names = group.names.slice(index, index + objectsPerStatement);
      const on = sql`${keyword(objectClass)} ${names.map((name) => Sql.of(name))}`;
      const kind = objectClass.toLowerCase();
      for (const { role, privileges } of wantedPrivileges(context, objectClass)) {
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
  { roles, steps, notes }: PlanContext,
  { on, kind, name, role, privileges, has }: Convergence,
): void {
  const held = has.filter(({ grantee }) => grantee === role);
  const wanted = (privilege: string) => privileges.includes(privilege);
  const missing = privileges.filter(
    (privilege) => !held.some((one) => one.privilege === privilege && !one.columns),
  );
  const grantee = identifier(role);
  if (missing.length > 0) {
    steps.push({
      sql: sql`GRANT ${missing.map(keyword)} ON ${on} TO ${grantee}`,
      change: { action: 'grant', kind, name, detail: `${missing.join(', ')} to ${role}` },
    });
  }

  const surplus = held.filter(({ privilege, grantable }) => !wanted(privilege) || grantable);
  const grantors = new Set(surplus.map(({ grantor }) => grantor));
  for (const grantor of [...grantors].sort()) {
    const granted = surplus.filter((one) => one.grantor === grantor);
    const passedOn = (privilege: string) =>
      granted.some((one) => one.privilege === privilege && one.passedOn);
    for (const what of ['', 'GRANT OPTION FOR '] as const) {
      const all = unique(granted.map(({ privilege }) => privilege)).filter(
        (privilege) => wanted(privilege) === (what !== ''),
      );
      const revoke = (some: readonly string[]) =>
        sql`REVOKE ${Sql.of(what)}${some.map(keyword)} ON ${on} FROM ${grantee}`;
      const ours = grantor === null ? all.filter((privilege) => !passedOn(privilege)) : [];
      const others = all.filter((privilege) => !ours.includes(privilege));
      if (ours.length > 0) {
        const detail = `${what}${ours.join(', ')} from ${role}`;
        steps.push({ sql: revoke(ours), change: { action: 'revoke', kind, name, detail } });
      }
      if (others.length === 0) continue;
      const rights = `${what}${others.join(', ')}`;
      notes.push(
        grantor === null
          ? {
              code: 'GRANT_PASSED_ON',
              message: `${role} has ${rights} on ${name} and granted it to others, who would lose it too. Who may act as ${roles.owner} can revoke all of it.`,
              statements: actingAs(roles.owner, [sql`${revoke(others)} CASCADE`]),
            }
          : {
              code: 'FOREIGN_GRANT',
              message: `${role} has ${rights} on ${name} by a grant of ${grantor}. Who may act as ${grantor} can revoke it.`,
              statements: actingAs(grantor, [sql`${revoke(others)} CASCADE`]),
            },
      );
    }
  }
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}

/** What members of the roles may do with objects that are yet to be made. In the whole database nothing is set for them. */
function planDefaultPrivileges(context: PlanContext, objectClass: ObjectClass): void {
  const { desired, roles, found, steps } = context;
  const { database, schema } = desired;
  const objects = keyword(`${objectClass}S`);
  const what = objects.text.toLowerCase();
  const kind = 'default privileges';
  for (const scope of ['global', 'schema'] as const) {
    const place = scope === 'schema' ? sql` IN SCHEMA ${identifier(schema)}` : sql``;
    const alter = sql`ALTER DEFAULT PRIVILEGES FOR ROLE ${identifier(roles.owner)}${place}`;
    const name = scope === 'schema' ? `${database}.${schema}` : database;
    for (const { role, privileges } of wantedPrivileges(context, objectClass)) {
      const expected = scope === 'schema' ? privileges : [];
      const held = found.defaultPrivileges.filter(
        (one) => one.scope === scope && one.class === objectClass && one.grantee === role,
      );
      const missing = expected.filter((privilege) => !held.some((one) => one.privilege === privilege));
      const surplus = held.filter(({ privilege }) => !expected.includes(privilege));
      const passable = held.filter((one) => one.grantable && !surplus.includes(one));
      const grantee = identifier(role);
      const list = (some: readonly { readonly privilege: string }[]) =>
        some.map(({ privilege }) => privilege);
      if (missing.length > 0) {
        steps.push({
          sql: sql`${alter} GRANT ${missing.map(keyword)} ON ${objects} TO ${grantee}`,
          change: { action: 'grant', kind, name, detail: `${missing.join(', ')} on new ${what} to ${role}` },
        });
      }
      for (const { option, some } of [
        { option: '', some: list(surplus) },
        { option: 'GRANT OPTION FOR ', some: list(passable) },
      ]) {
        if (some.length === 0) continue;
        const detail = `${option}${some.join(', ')} on new ${what} from ${role}`;
        steps.push({
          sql: sql`${alter} REVOKE ${Sql.of(option)}${some.map(keyword)} ON ${objects} FROM ${grantee}`,
          change: { action: 'revoke', kind, name, detail },
        });
      }
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
