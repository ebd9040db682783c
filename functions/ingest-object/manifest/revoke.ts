import { type GrantWish, roleOf } from '../../grant-roles/message.ts';
import type { Manifest } from './model.ts';
import { type RoleSet, roleSetsOf, setName } from './sets.ts';
import type { OnDelete, WantedGrants } from './wanted.ts';

/**
 * The grants that a manifest had and no longer has, to be taken back where `onDelete` says so. What ran out is left out. They are
 * of the place of `before`: where `after` is about another one, all of them.
 *
 * Whoever gets another role of the same schema instead loses the former one (`replaced`) after the grant; nothing waits for
 * the others.
 *
 * @param after undefined: the file was deleted
 */
export function revocationsOf(
  before: Manifest,
  after: Manifest | undefined,
  onDelete: OnDelete = (after ?? before).onDelete,
  now = new Date(),
): WantedGrants[] {
  if (onDelete === 'keep') return [];
  return goneFrom(before, after).flatMap(({ set, now: kept, gone }) => {
    // What is exact has no others.
    if (kept?.exact) return [];
    const left = gone.filter(
      ({ expiresAt }) => expiresAt === undefined || Date.parse(expiresAt) > now.getTime(),
    );
    const staying = new Set(kept?.grants.map(({ wish }) => wish.principal));
    const isReplaced = ({ principal }: GrantWish) => staying.has(principal);
    return [
      ...revocation(
        `revoke ${set.name}`,
        [],
        set,
        left.filter((wish) => !isReplaced(wish)),
      ),
      ...revocation(`replaced ${set.name}`, [`grants ${set.name}`], set, left.filter(isReplaced)),
    ];
  });
}

function revocation(
  key: string,
  after: readonly string[],
  { schema }: RoleSet,
  wishes: readonly GrantWish[],
): WantedGrants[] {
  if (wishes.length === 0) return [];
  // What says when a grant ends has no place where it is taken back.
  const grants = wishes.map(({ expiresAt: _, ...wish }) => wish);
  return [
    { kind: 'grants', key, after, schema, mode: 'revoke', grants, customRoles: [], createMissing: false },
  ];
}

/**
 * What a manifest had and no longer has, for people: grants, and what is never taken back.
 *
 * @param after undefined: the file was deleted
 * @returns `schema billing`, `secret app-billing`, `alice@acme.com reader of billing`
 */
export function noLongerNamed(before: Manifest, after: Manifest | undefined): string[] {
  const same = isSamePlace(before, after) ? after : undefined;
  const missing = (kind: string, had: object, has: object = {}) =>
    Object.keys(had).flatMap((name) => (Object.hasOwn(has, name) ? [] : [`${kind} ${name}`]));
  return [
    ...(before.tenant && !same ? [`tenant ${before.tenant.id}`] : []),
    ...missing('schema', before.schemas, same?.schemas),
    // A secret is the project's: the same wherever its database is.
    ...missing('secret', before.secrets, after?.secrets),
    ...goneFrom(before, after).flatMap(({ set, gone }) =>
      gone.map((wish) => `${wish.principal} ${roleOf(wish)} of ${placeName(set, before)}`),
    ),
  ];
}

/** Whether two manifests are about the same database, or the same tenant. */
export function isSamePlace(one: Manifest, other: Manifest | undefined): boolean {
  if (other === undefined) return false;
  if (one.tenant || other.tenant) return one.tenant?.id === other.tenant?.id;
  return (
    one.database?.instance === other.database?.instance && one.database?.database === other.database?.database
  );
}

interface Gone {
  /** As it was. */
  readonly set: RoleSet;
  /** As it is. */
  readonly now: RoleSet | undefined;
  readonly gone: readonly GrantWish[];
}

function goneFrom(before: Manifest, after: Manifest | undefined): Gone[] {
  const sets = after && isSamePlace(before, after) ? roleSetsOf(after) : [];
  const byName = new Map(sets.map((set) => [set.name, set]));
  return roleSetsOf(before).map((set) => {
    const now = byName.get(set.name);
    const kept = new Set(now?.grants.map(({ wish }) => keyOf(wish)));
    return { set, now, gone: set.grants.map(({ wish }) => wish).filter((wish) => !kept.has(keyOf(wish))) };
  });
}

function keyOf(wish: GrantWish): string {
  return JSON.stringify([wish.principal, roleOf(wish)]);
}

function placeName({ name }: RoleSet, { tenant, database }: Manifest): string {
  if (name === setName.own) return `tenant ${tenant?.id}`;
  return name === setName.database ? (database?.database ?? 'the database') : name;
}
