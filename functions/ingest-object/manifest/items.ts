import { canonicalJson } from '../../../shared/operation/canonical.ts';
import { formatTarget } from '../../../shared/postgres/target.ts';
import type { TenantRecord } from '../../../shared/registry/tenants/model.ts';
import type { Manifest } from './model.ts';
import { revocationsOf } from './revoke.ts';
import { wantedOf } from './want.ts';
import type { OnDelete, Wanted, WantedGrants } from './wanted.ts';
import { type Where, whereOf } from './where.ts';

/** One thing that a manifest wants, and where. */
export interface Item<W extends Wanted = Wanted> {
  readonly wanted: W;
  readonly where: Where;
}

/** Tenants' records, by their ids. */
export type Tenants = ReadonlyMap<string, TenantRecord>;

/** The ids of all tenants that some manifests are about. */
export function tenantsIn(manifests: readonly Manifest[]): string[] {
  return [...new Set(manifests.flatMap(({ tenant }) => tenant?.id ?? []))];
}

export function itemsOf(manifest: Manifest, tenants: Tenants): Item[] {
  const wanted = wantedOf(manifest);
  const where = whereIn(manifest, tenants);
  return wanted.map((one) => ({ wanted: one, where }));
}

function whereIn(manifest: Manifest, tenants: Tenants): Where {
  const record = manifest.tenant && tenants.get(manifest.tenant.id);
  return whereOf(manifest, wantedOf(manifest), record);
}

/**
 * What former generations granted, and the present one doesn't. Each is where that generation's things are; where several say the
 * same it is one item.
 *
 * @param now undefined where the object is gone
 */
export function revocationItems(
  former: readonly Manifest[],
  now: Manifest | undefined,
  onDelete: OnDelete,
  tenants: Tenants,
): Item<WantedGrants>[] {
  const here = now && formatTarget(whereIn(now, tenants).target);
  const items = new Map<string, Item<WantedGrants>>();
  for (const before of former) {
    const where = whereIn(before, tenants);
    const there = formatTarget(where.target);
    for (const wanted of revocationsOf(before, now, onDelete)) {
      const key = here === undefined || here === there ? wanted.key : `${wanted.key} of ${there}`;
      const known = items.get(key);
      const grants = distinct([...(known?.wanted.grants ?? []), ...wanted.grants]);
      items.set(key, { wanted: { ...wanted, key, grants }, where });
    }
  }
  return [...items.values()];
}

function distinct<T>(list: readonly T[]): T[] {
  return [...new Map(list.map((one) => [canonicalJson(one), one])).values()];
}
