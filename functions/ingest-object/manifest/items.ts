import { formatTarget } from '../../../shared/postgres/target.ts';
import type { TenantRecord } from '../../../shared/registry/tenants/model.ts';
import { type GrantWish, roleOf } from '../../grant-roles/message.ts';
import type { Logins } from './logins.ts';
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

/** @param logins of the manifest's secrets that are there */
export function itemsOf(manifest: Manifest, tenants: Tenants, logins?: Logins): Item[] {
  const wanted = wantedOf(manifest, logins);
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
 * @param grantedBy its own operations: what others granted stays
 */
export function revocationItems(
  former: readonly Manifest[],
  now: Manifest | undefined,
  onDelete: OnDelete,
  tenants: Tenants,
  grantedBy?: ReadonlySet<string>,
): Item<WantedGrants>[] {
  const here = placeIn(now ?? former.at(-1), tenants);
  const items = new Map<string, Item<WantedGrants>>();
  for (const before of former) {
    const where = whereIn(before, tenants);
    const there = placeIn(before, tenants);
    for (const wanted of revocationsOf(before, now, onDelete)) {
      const key = here === there ? wanted.key : `${wanted.key} of ${there}`;
      const known = items.get(key);
      const grants = distinct([...(known?.wanted.grants ?? []), ...wanted.grants]);
      items.set(key, { wanted: { ...wanted, key, grants, ...(grantedBy && { grantedBy }) }, where });
    }
  }
  return [...items.values()];
}

/** What a manifest is about: the same for all of its generations that are about the same. */
function placeIn(manifest: Manifest | undefined, tenants: Tenants): string | undefined {
  if (manifest === undefined) return undefined;
  return manifest.tenant ? `tenant ${manifest.tenant.id}` : formatTarget(whereIn(manifest, tenants).target);
}

/** Why something was granted, and until when, is no matter where it is taken back. */
function distinct(list: readonly GrantWish[]): GrantWish[] {
  return [...new Map(list.map((one) => [JSON.stringify([one.principal, roleOf(one)]), one])).values()];
}
