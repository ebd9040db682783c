import type { Note } from '../../operation/outcome.ts';
import { adminRole } from '../names.ts';
import type { Pools } from '../pools.ts';
import { identifier, Sql, sql } from '../sql.ts';
import type { Target } from '../target.ts';
import { offboardStep, type PlanBasis } from './change.ts';
import { databaseFields, databaseTables, type InspectedDatabase, ownsObject } from './inspect.ts';
import { listed, type Offboarded, type OffboardOptions, outOfReach } from './model.ts';
import { planOwnership } from './ownership.ts';
import { planPrivileges } from './privileges.ts';

/**
 * Takes everything in one database away from a principal: what it owns goes to others, and its privileges, default
 * privileges, policies and user mappings end. To be done in every database once it is shut out.
 *
 * @throws OperationError `PRINCIPAL_NOT_ALLOWED` for a superuser, a role of the system, Drover's own
 */
export function offboardInDatabase(
  pools: Pools,
  target: Target,
  principal: string,
  options: OffboardOptions,
): Promise<Offboarded> {
  return offboardStep(pools, target, principal, options, {
    tables: databaseTables,
    fields: databaseFields,
    plan: planDatabase,
  });
}

/** What has to be done in one database: pure but for the script. */
export function planDatabase(basis: PlanBasis<InspectedDatabase>): Note[] {
  const { principal, role, found } = basis;
  const ownership = planOwnership(basis);
  const privileges = planPrivileges(basis);
  const droppable = [...privileges.defaults, ...found.leftovers.map(({ type, name }) => `${type} ${name}`)];
  // What it still owns would be dropped with the rest.
  const drops = role.admin !== null && ownership.complete;
  if (drops && droppable.length > 0) planDropOwned(basis, role.admin, privileges.left.length > 0);

  const notes = ownership.complete ? takenOver(basis) : [];
  const left = [...ownership.left, ...privileges.left, ...(drops ? [] : droppable)];
  if (left.length === 0) return notes;
  const statements = [
    ...privileges.statements,
    ...(drops || left.length === privileges.left.length ? [] : emptying(principal, ownership.statements)),
  ];
  const message = `In ${found.database}, Drover can't take this from ${principal}: ${left.join('; ')}.`;
  return [outOfReach(message, statements), ...notes];
}

/** What an admin runs to end all that a role has in a database: as one, for the second half drops what the first left. */
export function emptying(principal: string, before: readonly Sql[] = []): string[] {
  const role = identifier(principal);
  return [
    sql`BEGIN`,
    ...before,
    sql`REASSIGN OWNED BY ${role} TO ${identifier(adminRole)}`,
    sql`DROP OWNED BY ${role}`,
    sql`COMMIT`,
  ].map(({ text }) => text);
}

/**
 * Policies, default privileges, user mappings: DROP OWNED takes all of them, whosever they are. It would drop what was
 * made the principal's a moment ago, too, so that is looked for first; who finds some begins anew.
 */
function planDropOwned(
  { principal, role, found, script }: PlanBasis<InspectedDatabase>,
  admin: string,
  warns: boolean,
): void {
  script.lend(principal, admin);
  script.run(
    admin,
    sql`DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_catalog.pg_shdepend
              WHERE refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND refobjid = ${Sql.of(role.oid)} AND ${ownsObject}
                AND dbid IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))) THEN
    RAISE EXCEPTION 'the role owns something new' USING ERRCODE = 'serialization_failure';
  END IF;
END $$`,
  );
  // It warns of each privilege that is out of reach, which is a note already.
  if (warns) script.run(admin, sql`SET LOCAL client_min_messages = error`);
  script.run(admin, sql`DROP OWNED BY ${identifier(principal)}`);
  if (warns) script.run(admin, sql`SET LOCAL client_min_messages = notice`);
  for (const { type, name } of found.leftovers) {
    script.changes.push({ action: 'revoke', kind: type, name, detail: `from ${principal}` });
  }
}

/** A database that is `drover_admin`'s is one that Drover made, as far as create-schema knows. */
function takenOver({ principal, role, found }: PlanBasis<InspectedDatabase>): Note[] {
  const databases = found.owned.filter(({ type }) => type === 'database').flatMap(({ names }) => names);
  if (role.admin === null || databases.length === 0) return [];
  return [
    {
      code: 'DATABASE_TAKEN_OVER',
      message:
        `${listed(databases)} belonged to ${principal} and is ${adminRole}'s now. In its own databases Drover takes CONNECT and ` +
        'TEMPORARY from PUBLIC with the next schema: give it another owner if PUBLIC shall keep them.',
      statements: databases.map((name) => `ALTER DATABASE ${name} OWNER TO CURRENT_USER`),
    },
  ];
}
