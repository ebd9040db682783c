import { parseMarker } from '../postgres/marker.ts';
import { droverAdmins } from '../postgres/names.ts';
import type { DescribedAccess, DescribedGrant, DescribedPolicy } from './describe/access.ts';
import type { Omission } from './describe/omissions.ts';
import type { OrderedObject } from './describe/order.ts';
import type { Grantee, Grants, Policy } from './manifest.ts';

/** Which role is which level of which schema, by role name. */
export type Levels = ReadonlyMap<string, Exclude<Grantee, 'PUBLIC'>>;

/** So many objects are named in one statement. */
const namesPerStatement = 500;

/** @param roles with their comments, which say what they are */
export function levelsOf(
  roles: readonly { readonly name: string; readonly comment: string }[],
  schemas: readonly string[],
): Levels {
  return new Map(
    roles.flatMap(({ name, comment }) => {
      const marker = parseMarker(comment);
      if (marker?.schema === undefined || !schemas.includes(marker.schema)) return [];
      return [[name, { schema: marker.schema, level: marker.level }] as const];
    }),
  );
}

export interface AccessToArchive {
  readonly grants: Grants[];
  readonly policies: Policy[];
  /** What roles have that are none of the schemas'. */
  readonly omissions: readonly Omission[];
}

/** Puts levels in the place of roles, and objects together that the same roles may do the same with. */
export function archiveAccess(
  access: readonly DescribedAccess[],
  policies: readonly DescribedPolicy[],
  objects: readonly OrderedObject[],
  levels: Levels,
): AccessToArchive {
  const omissions: Omission[] = [];
  const leftOut = (object: string, what: string, role: string) => {
    if (droverAdmins.has(role)) return;
    omissions.push({ object, reason: `${what} ${role}, which is no role of these schemas`, minor: true });
  };
  const granteeOf = (role: string | null): Grantee | undefined =>
    role === null ? 'PUBLIC' : levels.get(role);
  const phaseOf = new Map(
    objects.map(({ node, phase }) => [node, phase === 'before-data' ? phase : 'after-data'] as const),
  );

  const groups: Grants[] = [];
  const latest = new Map<string, Grants>();
  for (const { node, on, schema, name, column, grants } of access) {
    const phase = node === null ? 'schema' : phaseOf.get(node);
    // What isn't described has been told of as that.
    if (phase === undefined) continue;
    const known = grants.filter(({ role }) => granteeOf(role) !== undefined);
    for (const { role, privilege } of grants.filter((grant) => !known.includes(grant)))
      if (role !== null) leftOut(`${on.toLowerCase()} ${name}`, `it grants ${privilege} to`, role);
    const to = together(known, granteeOf);
    const key = JSON.stringify([phase, on, schema, to]);
    const group = column === null ? latest.get(key) : undefined;
    if (group && group.names.length < namesPerStatement) {
      group.names.push(name);
      continue;
    }
    const begun: Grants = { phase, on, schema, names: [name], ...(column !== null && { column }), to };
    groups.push(begun);
    if (column === null) latest.set(key, begun);
  }

  return {
    grants: groups,
    policies: policies.map(({ roles, ...policy }) => {
      const object = `policy ${policy.name} on table ${policy.schema}.${policy.table}`;
      for (const role of roles) {
        if (role !== null && granteeOf(role) === undefined) leftOut(object, 'it is for', role);
      }
      return { ...policy, to: roles.flatMap((role) => granteeOf(role) ?? []) };
    }),
    omissions,
  };
}

/** What each grantee has, in one grant for what may be passed on and one for what may not. */
function together(
  grants: readonly DescribedGrant[],
  granteeOf: (role: string | null) => Grantee | undefined,
): Grants['to'] {
  const found = new Map<string, Grants['to'][number]>();
  for (const { role, privilege, grantable } of grants) {
    const grantee = granteeOf(role);
    if (grantee === undefined) continue;
    const key = JSON.stringify([grantee, grantable]);
    const entry = found.get(key) ?? { grantee, privileges: [], grantable };
    entry.privileges.push(privilege);
    found.set(key, entry);
  }
  // By level: role names, by which they came, are other ones in another database.
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
}
