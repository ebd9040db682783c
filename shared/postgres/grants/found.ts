import type { CustomRole } from '../custom-role.ts';
import { type Marker, parseMarker } from '../marker.ts';
import { droverAdmins, roleName } from '../names.ts';
import type { Held, HeldGrants } from './aftermath.ts';
import type { InspectedCycle, InspectedGrants, InspectedPrincipal, Scope, WantedGrant } from './model.ts';

/** The role whose marker has the number of the last change to a scope's grants. */
export function markerRole({ database, schema }: Scope): string {
  return roleName(database, schema, schema === undefined ? 'monitor' : 'owner');
}

/** Whether a role of Drover's is there for a level or custom role: marked as what it is called. */
export function hasRole({ database, schema }: Scope, level: string, found: InspectedGrants): boolean {
  const marker = markerIn(found, roleName(database, schema, level));
  return marker?.schema === schema && marker?.database === database && marker.level === level;
}

/** The epoch that the last change to a scope's grants left. */
export function foundEpoch(scope: Scope, found: InspectedGrants): number {
  return markerIn(found, markerRole(scope))?.grants ?? 0;
}

/** The epoch that the last change to the schema itself left; 0 where the scope is a database. */
export function foundSchemaEpoch(scope: Scope, found: InspectedGrants): number {
  if (scope.schema === undefined) return 0;
  return markerIn(found, markerRole(scope))?.epoch ?? 0;
}

/** Whether somebody shall have a role, by the database's clock. */
export function isWantedAt({ now }: InspectedGrants, { present, notAfter }: WantedGrant): boolean {
  return present && (notAfter === undefined || notAfter.getTime() > Date.parse(now));
}

/** Comments by role, of what was found last: looked into for every scope of a database. */
const comments = new WeakMap<InspectedGrants, ReadonlyMap<string, string>>();

/** The marker of a role, if it has one. */
export function markerIn(found: InspectedGrants, name: string): Marker | undefined {
  const known = comments.get(found) ?? new Map(found.roles.map((role) => [role.name, role.comment]));
  comments.set(found, known);
  return markerOf(known.get(name));
}

function markerOf(comment: string | undefined): Marker | undefined {
  return parseMarker(comment ?? null);
}

/** What the catalog says, found by role: made once for all the scopes of a database. */
export interface IndexedGrants {
  readonly found: InspectedGrants;
  /**
   * Roles that are marked as what they are called, by schema, undefined for the database's own, and by level or name of
   * a custom role: the name alone says nothing.
   */
  readonly roles: ReadonlyMap<string | undefined, ReadonlyMap<string, string>>;
  /** By role, then by member. */
  readonly held: HeldGrants;
  readonly principals: ReadonlyMap<string, InspectedPrincipal>;
}

/**
 * Granted by one of Drover's admins: roles of the database are granted by whichever has made them, too. Before 16 whoever
 * may change a role may take any membership in it back.
 *
 * @param options whether memberships have options and a grantor: from 16 on
 */
export function isGrantedByUs(grantor: string, options: boolean): boolean {
  return !options || droverAdmins.has(grantor);
}

/**
 * What makes it impossible that a principal becomes a member of a role.
 *
 * @param defined custom roles that get this definition before
 */
export function cyclesOf(
  { database, schema }: Scope,
  { role, principal }: { readonly role: string; readonly principal: string },
  found: InspectedGrants,
  defined: readonly Pick<CustomRole, 'name' | 'inherits'>[] = [],
): InspectedCycle[] {
  if (found.cycles.length === 0) return [];
  const inherits = defined.find(({ name }) => name === role)?.inherits ?? [];
  const names = [role, ...inherits].map((level) => roleName(database, schema, level));
  return found.cycles.filter((one) => one.principal === principal && names.includes(one.role));
}

export function indexGrants(found: InspectedGrants): IndexedGrants {
  const held = new Map<string, Map<string, readonly Held[]>>();
  for (const { role, members, ...how } of found.members) {
    const byMember = held.get(role) ?? new Map<string, readonly Held[]>();
    held.set(role, byMember);
    const alone = [how];
    for (const member of members) {
      const others = byMember.get(member);
      byMember.set(member, others ? [...others, how] : alone);
    }
  }
  const roles = new Map<string | undefined, Map<string, string>>();
  for (const role of found.roles) {
    const marker = markerOf(role.comment);
    if (marker === undefined || !isMarkedAs(marker, role.name)) continue;
    const ofScope = roles.get(marker.schema) ?? new Map<string, string>();
    roles.set(marker.schema, ofScope.set(marker.level, role.name));
  }
  const principals = new Map(found.principals.map((one) => [one.name, one]));
  return { found, roles, held, principals };
}

function isMarkedAs({ database, schema, level }: Marker, name: string): boolean {
  return name === roleName(database, schema, level);
}
