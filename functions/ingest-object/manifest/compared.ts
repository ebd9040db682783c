import type { OperationContext } from '../../../shared/operation/definition.ts';
import { formatTarget } from '../../../shared/postgres/target.ts';
import { compareAll } from './compare/all.ts';
import type { Compared } from './compare/model.ts';
import type { Item, Tenants } from './items.ts';
import { readState } from './state.ts';
import type { Wanted } from './wanted.ts';

/**
 * Holds items against what is so: one look at the catalog of each database.
 *
 * @param former what the generation before wanted, where all of that was done
 * @param hidden keys of items that are held against nothing
 * @returns in the order of the items
 */
export async function compareItems(
  items: readonly Item[],
  tenants: Tenants,
  former: readonly Wanted[],
  operation: Pick<OperationContext, 'pools' | 'signal' | 'registry'>,
  hidden: ReadonlySet<string> = new Set(),
): Promise<Compared[]> {
  const groups = Map.groupBy(items, ({ where: { target, ownSchema, exists } }) =>
    JSON.stringify([formatTarget(target), ownSchema, exists]),
  );
  const compared = new Map<string, Compared>();
  for (const group of groups.values()) {
    const [first] = group;
    if (first === undefined) continue;
    const { where } = first;
    const wanted = group.map((item) => item.wanted);
    const tenant = wanted.find((one) => one.kind === 'tenant');
    const comparing = {
      where,
      state: await readState(wanted, where, operation),
      tenant: tenant && tenants.get(tenant.tenant),
      former,
      now: new Date(),
      hidden,
    };
    for (const one of compareAll(wanted, comparing)) compared.set(one.wanted.key, one);
  }
  return items.flatMap(({ wanted }) => compared.get(wanted.key) ?? []);
}
