import type { Converged } from '../../../../shared/postgres/schema/converge.ts';
import { schemaRoles } from '../../../../shared/postgres/schema/inspect.ts';
import { levelDefinitions, type RoleDefinition } from '../../../../shared/postgres/schema/levels.ts';
import type { SchemaRoles } from '../../../../shared/postgres/schema/model.ts';
import type { Fact } from './catalog.ts';
import { type Actor, custom, type World } from './deeds.ts';
import type { Wish } from './starting-state.ts';

/** What the roles of a schema are called, whatever a wish says of them. */
export function namesIn(database: string, schema: string): (actor: Actor) => string {
  const { custom: customs, ...roles } = schemaRoles(database, schema, custom);
  const names: Readonly<Record<string, string>> = { ...roles, ...customs };
  return (actor) => names[actor] ?? actor;
}

/** Names of grantors change when an object changes its owner; the privileges don't. */
export function anonymous({ schema }: World) {
  return (fact: Fact): Fact =>
    fact.area === 'privilege' && fact.schema === schema ? { ...fact, grantor: '' } : fact;
}

/** Whether a fact is none of the business of this schema's management, a custom role that isn't asked for included. */
export function isOthers(
  fact: Fact,
  before: readonly Fact[],
  { schema, role }: World,
  roles: SchemaRoles,
  { adopt, lockDatabase, principal, customRoles = [] }: Wish,
): boolean {
  const { acting: _, custom: customs, ...made } = roles;
  const ours = (name: string) => [...Object.values(made), ...Object.values(customs)].includes(name);
  const left = custom.filter((name) => !customRoles.some((one) => one.name === name)).map(role);
  const inside = fact.schema === schema;
  switch (fact.area) {
    case 'role':
      return !ours(fact.about);
    case 'comment':
      return !ours(fact.about.replace(/^role /, '')) && !inside;
    case 'membership':
      // Who closes the database lets all of its roles connect.
      if (left.includes(fact.who)) return fact.about !== roles.connect;
      return !ours(fact.about) && !ours(fact.who);
    case 'owner':
      return !(inside && (adopt || fact.who === 'drover_admin' || ours(fact.who)));
    case 'default':
      return !fact.about.startsWith(`${roles.owner} `) || !(ours(fact.who) || fact.who === 'PUBLIC');
    case 'privilege': {
      if (fact.about.startsWith('database ')) {
        const locked =
          lockDatabase ||
          before.some(
            (one) => one.area === 'owner' && one.about === fact.about && one.who === 'drover_admin',
          );
        return (
          !ours(fact.who) &&
          fact.who !== 'drover_writers' &&
          fact.who !== principal &&
          !(locked && fact.who === 'PUBLIC')
        );
      }
      if (fact.about === 'schema public') return !(lockDatabase && fact.who === 'PUBLIC');
      if (!inside) return true;
      const owned = before.some(
        (one) => one.area === 'owner' && one.about === fact.about && one.who === fact.who,
      );
      return !ours(fact.who) && !owned && fact.who !== 'drover_admin';
    }
  }
}

const classes = { tables: 'r', sequences: 'S', routines: 'f' } as const;
type Class = keyof typeof classes;

/** What the roles hold too little of, or too much by the owner's grants and by memberships, unless a note says so. */
export function wrongRights(
  facts: readonly Fact[],
  { schema }: World,
  roles: SchemaRoles,
  { customRoles = [] }: Wish,
  { levels, notes }: Converged,
): string[] {
  const definitions: readonly (readonly [role: string, RoleDefinition])[] = [
    ...levels.map((level) => [roles[level], levelDefinitions[level]] as const),
    ...customRoles.map((one) => [roles.custom[one.name] ?? '', one] as const),
  ];
  const noted = (...names: string[]) =>
    notes.some(({ message }) => names.every((name) => message.includes(name)));
  return definitions.flatMap(([role, { inherits, native, privileges }]) => {
    if (privileges === undefined) return [];
    const theirs = facts.filter(({ who }) => who === role);
    const wrong: string[] = [];
    const compare = (on: string, wanted: readonly string[], held: readonly Fact[]) => {
      const lacking = wanted.filter((one) => !held.some(({ what }) => what.replace('*', '') === one));
      const surplus = held.filter(
        ({ what, grantor }) => ['', roles.owner].includes(grantor) && !wanted.includes(what),
      );
      if (lacking.length > 0) wrong.push(`${role} lacks ${lacking.join(', ')} on ${on}`);
      if (surplus.length > 0 && !noted(role)) {
        wrong.push(`${role} still has ${surplus.map(({ what }) => what).join(', ')} on ${on}`);
      }
    };
    for (const [about, objectClass] of objectsOf(facts, schema, roles.owner)) {
      const held = theirs.filter((fact) => fact.area === 'privilege' && fact.about === about);
      compare(about, privileges[objectClass], held);
    }
    for (const [objectClass, letter] of Object.entries(classes) as [Class, string][]) {
      const defaults = theirs.filter(
        ({ area, about }) => area === 'default' && about === `${roles.owner} ${letter}`,
      );
      const inside = (fact: Fact) => fact.schema === schema;
      compare(`new ${objectClass}`, privileges[objectClass], defaults.filter(inside));
      const everywhere = defaults.filter((fact) => fact.schema === null);
      compare(`new ${objectClass} of all schemas`, [], everywhere);
    }
    const reaches = inherits.length === 0 && Object.values(privileges).flat().length > 0;
    const onSchema = theirs.filter(({ area, about }) => area === 'privilege' && about === `schema ${schema}`);
    compare('the schema', reaches ? ['USAGE'] : [], onSchema);

    const wanted: readonly string[] = [...inherits.map((level) => roles[level]), ...native];
    const joined = theirs.filter(({ area }) => area === 'membership').map(({ about }) => about);
    for (const name of wanted) {
      if (!joined.includes(name) && !noted(role, name)) wrong.push(`${role} is no member of ${name}`);
    }
    for (const name of joined) {
      if (![...wanted, roles.connect].includes(name) && !noted(role, name)) {
        wrong.push(`${role} is still a member of ${name}`);
      }
    }
    return wrong;
  });
}

/** The relations and routines that the owner has in the schema, and of which class they are. */
function objectsOf(facts: readonly Fact[], schema: string, owner: string): [about: string, Class][] {
  // A table knows no USAGE.
  const sequences = facts.filter(({ area, what }) => area === 'privilege' && what.startsWith('USAGE'));
  return facts
    .filter((one) => one.area === 'owner' && one.schema === schema && one.who === owner)
    .flatMap(({ about }): [string, Class][] => {
      if (about.startsWith('routine ')) return [[about, 'routines']];
      if (!about.startsWith('relation ')) return [];
      return [[about, sequences.some((one) => one.about === about) ? 'sequences' : 'tables']];
    });
}
