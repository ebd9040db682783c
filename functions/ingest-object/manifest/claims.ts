import { hash } from '../../../shared/operation/canonical.ts';
import type { Target } from '../../../shared/postgres/target.ts';
import type { Claimed } from '../../../shared/registry/manifests/model.ts';
import { schemaOf } from './derived.ts';
import type { Item } from './items.ts';

const ownRoles = 'own roles';

/** Claims to secrets are written down together, in so many documents at most: two hexadecimal digits. */
const shardDigits = 2;

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

function claimsOfItem({ wanted, where }: Item): { scope: readonly string[]; name: string }[] {
  switch (wanted.kind) {
    case 'tenant': {
      const own = where.ownSchema === undefined ? [] : [ofSchema(where.target, where.ownSchema)];
      return [{ scope: ['tenant', wanted.tenant], name: 'tenant' }, ...own];
    }
    case 'secret':
      return [{ scope: ['secrets', hash(wanted.secret).slice(0, shardDigits)], name: wanted.secret }];
    case 'schema':
      return [ofSchema(where.target, wanted.schema)];
    case 'grants':
      return [ofSchema(where.target, schemaOf(wanted, where))];
  }
}

function ofSchema({ instance, database }: Target, schema: string | undefined) {
  return {
    scope: ['database', instance, database],
    name: schema === undefined ? ownRoles : `schema ${schema}`,
  };
}

/** A claim in words: `schema billing of project:region:name/app`. */
export function claimInWords(scope: readonly string[], name: string): string {
  const [kind, ...place] = scope;
  if (kind === 'database') return `the ${name} of ${place.join('/')}`;
  return kind === 'tenant' ? `the tenant ${place[0]}` : `the secret ${name}`;
}

/** Whether all that an item speaks of is among some claims. */
export function isClaimed(item: Item, claims: readonly Claimed[]): boolean {
  const names = new Set(
    claims.flatMap(({ scope, names }) => names.map((name) => JSON.stringify([scope, name]))),
  );
  return claimsOfItem(item).every(({ scope, name }) => names.has(JSON.stringify([scope, name])));
}
