import type { GrantSet } from '../../shared/registry/grants/model.ts';
import { readSet } from '../../shared/registry/grants/store.ts';
import type { TestStack } from '../support/stack.ts';

/** Who is a member of the roles of a schema, or of the database's own: `reader alice`, in the order of the alphabet. */
export async function membersOf(
  stack: TestStack,
  database: string,
  schema: string | null,
): Promise<string[]> {
  const start = [database, ...(schema === null ? [] : [schema])].map((part) => `${part}__`).join('');
  const rows = await stack.query(
    database,
    `SELECT DISTINCT substr(g.rolname, ${start.length + 1}) || ' ' || m.rolname COLLATE "C" AS pair
       FROM pg_auth_members a
       JOIN pg_roles g ON g.oid = a.roleid
       JOIN pg_roles m ON m.oid = a.member
      WHERE starts_with(g.rolname, '${start}') AND strpos(substr(g.rolname, ${start.length + 1}), '__') = 0
        AND m.rolname !~ '^(${database}__|drover_)'
      ORDER BY 1`,
  );
  return rows.map(({ pair }) => String(pair));
}

/** What the registry says of the same grants. */
export async function registryOf(
  stack: TestStack,
  database: string,
  schema: string | null,
): Promise<GrantSet> {
  const { docs } = await stack.db
    .collection('grants')
    .where('database', '==', database)
    .where('schema', '==', schema)
    .get();
  const [document] = docs;
  if (document === undefined || docs.length > 1)
    throw new Error(`${docs.length} documents about ${database}`);
  return readSet(document, { instance: document.get('instance') as string, database, schema });
}

/** The grants that are there according to the registry, as {@link membersOf} writes them. */
export function presentIn({ grants }: GrantSet): string[] {
  return Object.values(grants)
    .filter(({ value }) => value.present)
    .map(({ role, principal }) => `${role} ${principal}`)
    .sort();
}

/** Of a registry in which nobody is about to change anything. */
export function isSettled({ epoch, appliedEpoch, exact, grants, customRoles }: GrantSet): boolean {
  const registers = [exact, ...Object.values(grants), ...Object.values(customRoles)];
  return epoch === appliedEpoch && registers.every((register) => !register?.undecided);
}
