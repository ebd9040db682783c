import type { Change } from '../../operation/outcome.ts';
import { adminRole, writersRole } from '../names.ts';
import { actingAs, identifier, keyword, type Sql, sql } from '../sql.ts';
import type { PlanContext, Situation } from './context.ts';
import type { DesiredSchema, InspectedSchema } from './model.ts';

/** What PUBLIC is to lose in this database: where the message says so, and in databases that are Drover's own. */
export function publicLoses({ lockDatabase }: DesiredSchema, { database }: InspectedSchema): string[] {
  const lock = lockDatabase || database.owner === adminRole;
  return lock && database.usable ? publicRights(database) : [];
}

/** What a locked database doesn't leave to PUBLIC, and the owner of this one still does. */
export function publicRights({ publicPrivileges }: InspectedSchema['database']): string[] {
  return ['CONNECT', 'TEMPORARY'].filter((privilege) =>
    publicPrivileges.some((one) => one.privilege === privilege && one.grantor === null),
  );
}

/** Whether logins need a right of their own to connect, now or after this plan. */
export function isClosed(desired: DesiredSchema, found: InspectedSchema): boolean {
  return (
    !found.database.publicPrivileges.some(({ privilege }) => privilege === 'CONNECT') ||
    publicLoses(desired, found).includes('CONNECT')
  );
}

/**
 * The database around the schema. In a closed database one role has the right to connect, and the schemas' roles are
 * its members: a grant to each of them would make the database's own row longer with every schema. They have it
 * before PUBLIC loses it.
 */
export function planDatabase(context: PlanContext): void {
  const { desired, found, steps } = context;
  const { database } = desired;
  if (isClosed(desired, found)) planConnect(context);
  const rights = publicLoses(desired, found);
  planForeignRights(context);
  if (rights.length > 0) {
    steps.push({
      sql: sql`REVOKE ${rights.map(keyword)} ON DATABASE ${identifier(database)} FROM PUBLIC`,
      change: {
        action: 'revoke',
        kind: 'database',
        name: database,
        detail: `${rights.join(', ')} from PUBLIC`,
      },
    });
  }
  if (desired.lockDatabase && found.database.publicCanCreateInPublic) {
    steps.push({
      sql: sql`REVOKE CREATE ON SCHEMA public FROM PUBLIC`,
      change: { action: 'revoke', kind: 'schema', name: `${database}.public`, detail: 'CREATE from PUBLIC' },
    });
  }
}

/** What PUBLIC keeps because the owner of the database did not grant it. */
function planForeignRights({ desired, found, notes }: PlanContext): void {
  if (!desired.lockDatabase) return;
  for (const { privilege, grantor } of found.database.publicPrivileges) {
    if (grantor === null || !['CONNECT', 'TEMPORARY'].includes(privilege)) continue;
    const revoke = sql`REVOKE ${keyword(privilege)} ON DATABASE ${identifier(desired.database)} FROM PUBLIC`;
    notes.push({
      code: 'FOREIGN_GRANT',
      message: `PUBLIC has ${privilege} on ${desired.database} by a grant of ${grantor}, who alone can revoke it.`,
      statements: actingAs(grantor, [revoke]),
    });
  }
}

function planConnect(context: PlanContext): void {
  const { desired, roles, found } = context;
  const { database, owner } = desired;
  // Before 16 a login that is NOINHERIT can't connect by a membership, whatever the membership says.
  const alone = found.serverVersion < 160000 && found.principal?.inherit === false ? owner : undefined;
  const grants = [
    { role: roles.connect, privileges: ['CONNECT', 'TEMPORARY'] },
    { role: writersRole, privileges: ['CONNECT'] },
    ...(alone === undefined ? [] : [{ role: alone, privileges: ['CONNECT'] }]),
  ];
  for (const { role, privileges } of grants) {
    const held = found.database.privileges
      .filter(({ grantee }) => grantee === role)
      .map(({ privilege }) => privilege);
    const missing = privileges.filter((privilege) => !held.includes(privilege));
    if (missing.length === 0) continue;
    const grant = sql`GRANT ${missing.map(keyword)} ON DATABASE ${identifier(database)} TO ${identifier(role)}`;
    const detail = `${missing.join(', ')} to ${role}`;
    const change: Change = { action: 'grant', kind: 'database', name: database, detail };
    const possible = missing.every((privilege) => found.database.canGrant.includes(privilege));
    grantOrNote(context, possible, grant, change);
  }
  const connect = found.roles.find(({ name }) => name === roles.connect);
  for (const member of connectMembers(context)) {
    if (member === alone) continue;
    if (found.memberships.some((one) => one.role === roles.connect && one.member === member && one.inherit))
      continue;
    const change: Change = {
      action: 'grant',
      kind: 'membership',
      name: roles.connect,
      detail: `to ${member}`,
    };
    const options = found.serverVersion < 160000 ? sql`` : sql` WITH INHERIT TRUE`;
    const grant = sql`GRANT ${identifier(roles.connect)} TO ${identifier(member)}${options}`;
    grantOrNote(context, connect?.administrable ?? true, grant, change);
  }
}

/** Who connects by the connect role. A member of owner inherits nothing of it, so he can't connect by that. */
export function connectMembers({ desired: { owner }, found, wanted }: Situation): Set<string> {
  return new Set([
    ...found.database.connectingRoles,
    ...wanted.filter(({ connects }) => connects).map(({ name }) => name),
    ...(owner === undefined ? [] : [owner]),
  ]);
}

function grantOrNote(
  { desired, steps, notes }: PlanContext,
  possible: boolean,
  grant: Sql,
  change: Change,
): void {
  if (possible) steps.push({ sql: grant, change });
  else {
    notes.push({
      code: 'CONNECT_OUT_OF_REACH',
      message: `PUBLIC may not connect to ${desired.database}, and Drover may not grant ${change.name} ${change.detail}.`,
      statements: [grant.text],
    });
  }
}
