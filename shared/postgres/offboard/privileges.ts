import type { Change } from '../../operation/outcome.ts';
import { actingAs, identifier, keyword, Sql, sql } from '../sql.ts';
import type { PlanBasis } from './change.ts';
import type { HeldDefault, HeldPrivileges, InspectedDatabase } from './inspect.ts';
import { listed } from './model.ts';

export interface PrivilegePlan {
  /** Privileges that stay, in people's words. */
  readonly left: readonly string[];
  /** What an admin has to run for them. */
  readonly statements: readonly string[];
  /** Default privileges that stay; DROP OWNED takes them. */
  readonly defaults: readonly string[];
}

/** So many objects are named in one statement. */
const objectsPerStatement = 100;

/**
 * What others granted to the principal, taken back as they: a privilege has a grantor, and nobody else can revoke it.
 * (DROP OWNED neither: it revokes what the session or the object's owner granted.) What the principal passed on goes too.
 */
export function planPrivileges(basis: PlanBasis<InspectedDatabase>): PrivilegePlan {
  const { found, script } = basis;
  const reaches = new Map(found.reaches.map((reach) => [reach.role, reach]));
  const canAct = (role: string) => {
    const reach = reaches.get(role);
    return reach !== undefined && script.reach(reach);
  };

  const stuck: HeldPrivileges[] = [];
  for (const held of found.held) {
    if (!held.revocable || !canAct(held.grantor)) {
      stuck.push(held);
      continue;
    }
    const [first, ...others] = revocations(basis.principal, held);
    if (first === undefined) continue;
    script.run(held.grantor, first, revoked(basis.principal, held));
    for (const other of others) script.run(held.grantor, other);
  }
  for (const { type, name, grantee, privileges } of found.passed) {
    if (stuck.some((held) => held.type === type && held.names.includes(name))) continue;
    const detail = `${privileges.join(', ')} from ${grantee}, to whom ${basis.principal} granted it`;
    script.changes.push({ action: 'revoke', kind: type, name, detail });
  }

  const stuckDefaults: HeldDefault[] = [];
  for (const one of found.defaults) {
    if (!canAct(one.role)) stuckDefaults.push(one);
    else script.run(one.role, defaultRevocation(basis.principal, one), revokedDefault(basis, one));
  }
  return {
    left: stuck.map(({ privileges, type, names, grantor }) => {
      return `${privileges.join(', ')} on ${type} ${listed(names)}, granted by ${grantor}`;
    }),
    statements: [...Map.groupBy(stuck, ({ grantor }) => grantor)].flatMap(([grantor, all]) =>
      actingAs(
        grantor,
        all.flatMap((held) => revocations(basis.principal, held)),
      ),
    ),
    defaults: stuckDefaults.map(({ role }) => `default privileges of ${role}`),
  };
}

/** Types of objects by what GRANT and REVOKE call them. */
const grantWords: Readonly<Record<string, string>> = {
  sequence: 'SEQUENCE',
  function: 'ROUTINE',
  procedure: 'ROUTINE',
  aggregate: 'ROUTINE',
  type: 'TYPE',
  domain: 'TYPE',
  'composite type': 'TYPE',
  schema: 'SCHEMA',
  database: 'DATABASE',
  language: 'LANGUAGE',
  'large object': 'LARGE OBJECT',
  'foreign-data wrapper': 'FOREIGN DATA WRAPPER',
  server: 'FOREIGN SERVER',
  tablespace: 'TABLESPACE',
  'parameter ACL': 'PARAMETER',
};

function revocations(principal: string, { type, privileges, names, columns }: HeldPrivileges): Sql[] {
  const word = keyword(grantWords[type] ?? 'TABLE');
  const some = columns === null ? sql`` : sql` (${columns.map((column) => Sql.of(column))})`;
  const what = sql`${privileges.map((privilege) => sql`${keyword(privilege)}${some}`)}`;
  return Array.from({ length: Math.ceil(names.length / objectsPerStatement) }, (_, index) => {
    const start = index * objectsPerStatement;
    const on = names.slice(start, start + objectsPerStatement).map((name) => Sql.of(name));
    return sql`REVOKE ${what} ON ${word} ${on} FROM ${identifier(principal)} CASCADE`;
  });
}

function revoked(principal: string, { type, privileges, names, columns }: HeldPrivileges): Change {
  const which = columns === null ? '' : ` (${columns.join(', ')})`;
  const detail = `${privileges.join(', ')}${which} from ${principal}`;
  return { action: 'revoke', kind: type, name: listed(names), detail };
}

const defaultWords: Readonly<Record<string, string>> = {
  r: 'TABLES',
  S: 'SEQUENCES',
  f: 'ROUTINES',
  T: 'TYPES',
  n: 'SCHEMAS',
  L: 'LARGE OBJECTS',
};

function defaultRevocation(principal: string, { role, schema, class: objects }: HeldDefault): Sql {
  const place = schema === null ? sql`` : sql` IN SCHEMA ${identifier(schema)}`;
  const what = keyword(defaultWords[objects] ?? 'TABLES');
  return sql`ALTER DEFAULT PRIVILEGES FOR ROLE ${identifier(role)}${place} REVOKE ALL ON ${what} FROM ${identifier(principal)}`;
}

function revokedDefault({ principal, found }: PlanBasis<InspectedDatabase>, one: HeldDefault): Change {
  return {
    action: 'revoke',
    kind: 'default privileges',
    name: one.schema === null ? found.database : `${found.database}.${one.schema}`,
    detail: `on new ${(defaultWords[one.class] ?? 'objects').toLowerCase()} of ${one.role} from ${principal}`,
  };
}
