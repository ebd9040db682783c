import { hash } from '../../../shared/operation/canonical.ts';
import type { Target } from '../../../shared/postgres/target.ts';
import type { Claimed } from '../../../shared/registry/manifests/model.ts';
import { schemaOf } from './derived.ts';
import type { Item } from './items.ts';

const ownRoles = 'own roles';

/**
 * Claims to secrets are written down together, and those to what is in a database, in so many documents at most: hexadecimal
 * digits. A document holds 1 MiB, and a claim has the name of an object, which may have 1 KiB.
 */
const shardDigits = { secrets: 2, database: 1 } as const;

/** What a manifest speaks of, which no other one may. */
export function claimsOf(items: readonly Item[]): Claimed[] {
  const scopes = new Map<string, { scope: readonly string[]; names: Set<string> }>();
  for (const item of items) {
    for (const { scope, name } of claimsOfItem(item)) {
      const key = JSON.stringify(scope);
      const known = scopes.get(key) ?? { scope, names: new Set<string>() };
      scopes.set(key, known);
      known.names.add(name);
    }
  }
  return [...scopes.values()].map(({ scope, names }) => ({ scope, names: [...names] }));
}

function claimsOfItem(item: Item): { scope: readonly string[]; name: string }[] {
  const claims = allClaimsOf(item);
  // A name that stands for one that isn't known yet would be claimed by one tenant, and refused to all others.
  return item.where.isUnnamed ? claims.filter(({ scope: [kind] }) => kind !== 'database') : claims;
}

function allClaimsOf({ wanted, where }: Item): { scope: readonly string[]; name: string }[] {
  switch (wanted.kind) {
    case 'tenant': {
      const own = where.ownSchema === undefined ? [] : [ofSchema(where.target, where.ownSchema)];
      return [{ scope: ['tenant', wanted.tenant], name: 'tenant' }, ...own];
    }
    case 'secret':
      return [{ scope: ['secrets', shardOf('secrets', wanted.secret)], name: wanted.secret }];
    case 'schema':
      return [ofSchema(where.target, wanted.schema)];
    case 'grants':
      return [ofSchema(where.target, schemaOf(wanted, where))];
  }
}

function ofSchema({ instance, database }: Target, schema: string | undefined) {
  const name = schema === undefined ? ownRoles : `schema ${schema}`;
  return { scope: ['database', instance, database, shardOf('database', name)], name };
}

function shardOf(kind: keyof typeof shardDigits, name: string): string {
  return hash(name).slice(0, shardDigits[kind]);
}

/** A claim in words: `schema billing of project:region:name/app`. */
export function claimInWords(scope: readonly string[], name: string): string {
  const [kind, ...place] = scope;
  if (kind === 'database') return `the ${name} of ${place.slice(0, 2).join('/')}`;
  return kind === 'tenant' ? `the tenant ${place[0]}` : `the secret ${name}`;
}

/** Whether all that an item speaks of is among some claims. */
export function isClaimed(item: Item, claims: readonly Claimed[]): boolean {
  const names = new Set(
    claims.flatMap(({ scope, names }) => names.map((name) => JSON.stringify([scope, name]))),
  );
  return claimsOfItem(item).every(({ scope, name }) => names.has(JSON.stringify([scope, name])));
}
