import { classify } from '../../shared/operation/classify.ts';
import type { OperationError } from '../../shared/operation/errors.ts';
import { accessReport } from '../../shared/postgres/access/access.ts';
import { graphOf, howOf, pathsFrom, roleToSet } from '../../shared/postgres/access/paths.ts';
import { listQuery } from '../../shared/postgres/access/query.ts';
import type { AccessReport, Way } from '../../shared/postgres/access/report.ts';
import { type AccessRows, type RoleRow, readAccessRows } from '../../shared/postgres/access/rows.ts';
import { principalName } from '../../shared/postgres/principals.ts';
import { sql } from '../../shared/postgres/sql.ts';
import { sideBySide } from '../side-by-side.ts';
import { askDatabase } from './catalog.ts';

/** Databases looked at side by side: enough to hide the network, few enough to leave the instance to others. */
const concurrency = 8;

/** The one that is there on every instance. */
const firstDatabase = 'postgres';

/** A role that the principal is a member of itself, and not one by which Drover acts: the report tells of those. */
export type MemberOf = Pick<Way, 'how' | 'setRole' | 'path'> & { readonly role: string };

export interface Seen {
  readonly database: string;
  readonly role: RoleRow;
  readonly memberOf: readonly MemberOf[];
  readonly report: AccessReport;
}

/** What became of asking one database: what the principal may do there, that it doesn't exist, or why nobody knows. */
export type Answer =
  | Seen
  | { readonly database: string; readonly error: OperationError }
  | { readonly database: string };

/** The databases of an instance, apart from those of the server itself: `open` for the login that asks, or `closed`. */
export async function databasesOf(
  instance: string,
  timeoutMs: number,
): Promise<{ open: string[]; closed: string[] }> {
  const query = sql`
    SELECT datname AS name, has_database_privilege(oid, 'CONNECT') AS open
      FROM pg_catalog.pg_database
     WHERE datallowconn AND NOT datistemplate AND datname <> 'cloudsqladmin'
     ORDER BY datname`;
  const { rows } = await askDatabase({ instance, database: firstDatabase }, query, timeoutMs);
  const databases = rows as { name: string; open: boolean }[];
  const named = (wanted: boolean) => databases.filter(({ open }) => open === wanted).map(({ name }) => name);
  return { open: named(true), closed: named(false) };
}

/** Asks several databases what a principal may do there. One that doesn't answer keeps no other from being asked. */
export async function look(
  principal: string,
  instance: string,
  databases: readonly string[],
  timeoutMs: number,
): Promise<Answer[]> {
  const query = listQuery(namesOf(principal));
  return sideBySide(databases, concurrency, async (database): Promise<Answer> => {
    try {
      const result = await askDatabase({ instance, database }, query, timeoutMs);
      return answerOf(database, readAccessRows(result));
    } catch (error) {
      return { database, error: classify(error) };
    }
  });
}

/** As given, and as Cloud SQL would name an IAM principal of this address. */
function namesOf(given: string): string[] {
  return [...new Set([given, principalName('iam-user', given), principalName('iam-service-account', given)])];
}

function answerOf(database: string, rows: AccessRows): Answer {
  const role = rows.roles.find(({ name }) => name === rows.principal);
  if (role === undefined) return { database };
  const machinery = new Set<unknown>(rows.roles.filter(({ machinery }) => machinery).map(({ name }) => name));
  const memberOf = pathsFrom(role.name, graphOf(rows.memberships), () => false)
    .paths.filter(({ steps, roles: [, group] }) => steps.length === 1 && !machinery.has(group))
    .map((path) => ({
      role: path.roles.at(-1) ?? '',
      path: path.roles,
      how: howOf(path),
      setRole: roleToSet(path) ?? null,
    }));
  return { database, role, memberOf, report: accessReport(rows) };
}
