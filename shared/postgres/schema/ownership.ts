import { adminRole } from '../names.ts';
import { identifier, keyword, sql } from '../sql.ts';
import type { PlanContext } from './context.ts';
import { takesOver, transfer, transferable } from './refusals.ts';

/** Whose the schema and what is in it are. */
export function planOwnership(context: PlanContext): void {
  const { desired, roles, found, steps, notes } = context;
  const { schema, comment, database } = desired;
  const owner = identifier(roles.owner);
  const name = `${database}.${schema}`;
  hold(context);
  if (found.schema === null) {
    steps.push({
      sql: sql`CREATE SCHEMA ${identifier(schema)} AUTHORIZATION ${owner}`,
      change: { action: 'create', kind: 'schema', name },
    });
  } else if (found.schema.owner !== roles.owner) {
    steps.push({
      sql: sql`ALTER SCHEMA ${identifier(schema)} OWNER TO ${owner}`,
      change: { action: 'transfer', kind: 'schema', name, detail: `from ${found.schema.owner}` },
    });
  }
  planHandOver(context);
  for (const group of transferable(found, roles)) {
    if (takesOver(desired, found, group)) {
      const detail = `from ${group.owner}`;
      transfer(group, roles.owner).forEach((statement, index) => {
        const object = group.names[index] ?? '';
        const kind = group.class.toLowerCase();
        steps.push({ sql: statement, change: { action: 'transfer', kind, name: object, detail } });
      });
    } else {
      notes.push({
        code: 'FOREIGN_OBJECTS',
        message:
          `${group.names.length} object(s) in ${name} belong to ${group.owner}: the schema's roles have no say in them. ` +
          `Whoever is a member of ${group.owner} and of ${adminRole} can hand them over.`,
        statements: transfer(group, adminRole).map(({ text }) => text),
      });
    }
  }
  // PostgreSQL takes an empty comment for none.
  if (comment !== undefined && comment !== (found.schema?.comment ?? '')) {
    steps.push({
      sql: sql`COMMENT ON SCHEMA ${identifier(schema)} IS ${comment}`,
      change: { action: 'comment', kind: 'schema', name },
    });
  }
}

/** The acting admin needs the owner's privileges for all that follows, and another role's to take objects from it. */
function hold({ desired, roles, found, steps }: PlanContext): void {
  const losing = transferable(found, roles)
    .filter((group) => !group.usable && takesOver(desired, found, group))
    .map(({ owner }) => owner);
  for (const name of new Set([roles.owner, ...losing])) {
    const role = found.roles.find((candidate) => candidate.name === name);
    // Before 16 a new role is made with its admin.
    if (name === roles.owner && (role ? role.usable : found.serverVersion < 160000)) continue;
    // Before 16 ADMIN isn't needed to change the role, but after an upgrade it will be.
    const options =
      found.serverVersion < 160000 ? sql` WITH ADMIN OPTION` : sql` WITH INHERIT TRUE, SET TRUE`;
    steps.push({ sql: sql`GRANT ${identifier(name)} TO ${identifier(roles.acting)}${options}` });
  }
}

/**
 * The owner may create in his schema. So may `drover_admin` while there are objects of others in it, which can then be
 * handed to it.
 */
function planHandOver({ desired, roles, found, steps }: PlanContext): void {
  if (found.schema === null) return;
  const name = `${desired.database}.${desired.schema}`;
  const foreign = found.objects.some(
    (group) => group.owner !== roles.owner && !takesOver(desired, found, group),
  );
  for (const { role, missing } of [
    { role: roles.owner, missing: found.schema.ownerLacks },
    { role: adminRole, missing: foreign ? found.schema.adminLacks : [] },
  ]) {
    if (missing.length === 0) continue;
    steps.push({
      sql: sql`GRANT ${missing.map(keyword)} ON SCHEMA ${identifier(desired.schema)} TO ${identifier(role)}`,
      change: { action: 'grant', kind: 'schema', name, detail: `${missing.join(', ')} to ${role}` },
    });
  }
}
