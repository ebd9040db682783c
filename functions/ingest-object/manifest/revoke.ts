import { type GrantWish, roleOf } from '../../grant-roles/message.ts';
import type { Manifest } from './model.ts';
import { type RoleSet, roleSetsOf, setName } from './sets.ts';
import type { OnDelete, WantedGrants } from './wanted.ts';

/**
 * The grants that a manifest had and no longer has, to be taken back where `onDelete` says so. What ran out is among them, so that
 * each keeps its place in the list however late it is: the comparison leaves it out. They are of the place of `before`: where
 * `after` is about another one, all of them.
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
): WantedGrants[] {
  if (onDelete === 'keep') return [];
  return goneFrom(before, after).flatMap(({ set, now: kept, gone }) => {
    // What is exact has no others.
    if (kept?.exact) return [];
    const staying = new Set(kept?.grants.map(({ wish }) => wish.principal));
    const isReplaced = ({ principal }: GrantWish) => staying.has(principal);
    return [
      ...revocation(
        `revoke ${set.name}`,
        [],
        set,
        gone.filter((wish) => !isReplaced(wish)),
      ),
      ...revocation(`replaced ${set.name}`, [`grants ${set.name}`], set, gone.filter(isReplaced)),
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
  return [
    ...neverTakenBack(before, after),
    ...goneFrom(before, after).flatMap(({ set, gone }) =>
      gone.map((wish) => `${wish.principal} ${roleOf(wish)} of ${placeName(set, before)}`),
    ),
  ];
}

/** The same of what is no grant of its own. */
export function neverTakenBack(before: Manifest, after: Manifest | undefined): string[] {
  const same = isSamePlace(before, after) ? after : undefined;
  const missing = (kind: string, had: object, has: object = {}) =>
    Object.keys(had).flatMap((name) => (Object.hasOwn(has, name) ? [] : [`${kind} ${name}`]));
  return [
    ...(before.tenant && !same ? [`tenant ${before.tenant.id}`] : []),
    ...missing('schema', before.schemas, same?.schemas),
    // A secret is the project's: the same wherever its database is.
    ...missing('secret', before.secrets, after?.secrets),
    ...ownersGone(before, same).map(([name, owner]) => `${owner} as the owner of ${name}`),
  ];
}

/** Whoever was a schema's `owner`, and has that neither by this field nor by a grant, before or now. */
function ownersGone(before: Manifest, same: Manifest | undefined): [schema: string, owner: string][] {
  const isGranted = (one: Manifest | undefined, schema: string, owner: string) =>
    (one ? roleSetsOf(one) : []).some(
      ({ name, grants }) =>
        name === schema && grants.some(({ wish }) => wish.principal === owner && roleOf(wish) === 'owner'),
    );
  return Object.entries(before.schemas).flatMap(([name, { owner }]) => {
    if (owner === undefined) return [];
    const now = same && Object.hasOwn(same.schemas, name) ? same.schemas[name]?.owner : undefined;
    const isElsewhere = isGranted(before, name, owner) || isGranted(same, name, owner);
    return now === owner || isElsewhere ? [] : [[name, owner] as [string, string]];
  });
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
