import type { Note } from '../../operation/outcome.ts';
import { formatMarker, type Marker, parseMarker } from '../marker.ts';
import { actingAdmin, adminRole, roleName } from '../names.ts';
import { actingAs, identifier, sql } from '../sql.ts';
import { Aftermath, type Held, type HeldGrants } from './aftermath.ts';
import {
  type DesiredGrants,
  type InspectedGrants,
  membershipOptionsSince,
  type Scope,
  type WantedGrant,
} from './model.ts';
import { type GrantStep, MembershipStatements } from './statements.ts';

export interface GrantsPlan {
  readonly steps: readonly GrantStep[];
  readonly notes: readonly Note[];
  /** Whom a membership is taken away from that lets act as the role: sessions may still do so. */
  readonly revoked: readonly { readonly role: string; readonly principal: string }[];
  /** Wanted memberships that are there already. */
  readonly kept: number;
  /** Grants that are not to be taken back yet, by the database's clock. */
  readonly early: readonly { readonly role: string; readonly principal: string }[];
}

/** How members have a role: acting as the owner is a deliberate step; all else works by itself, and nobody acts as it. */
function optionsOf(role: string): Pick<Held, 'inherit' | 'set'> {
  return role === 'owner' ? { inherit: false, set: true } : { inherit: true, set: false };
}

/** The holder of what Drover may do, and those who act with it. */
function isDroverAdmin(name: string): boolean {
  return (
    name === adminRole || (name.startsWith(adminRole) && /^_[0-9]{2}$/.test(name.slice(adminRole.length)))
  );
}

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

/** Comments by role, of what was found last: looked into for every scope of a database. */
const comments = new WeakMap<InspectedGrants, ReadonlyMap<string, string>>();

function markerIn(found: InspectedGrants, name: string): Marker | undefined {
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
}

export function indexGrants(found: InspectedGrants): IndexedGrants {
  const held = new Map<string, Map<string, Held[]>>();
  for (const { role, members, ...how } of found.members) {
    const byMember = held.get(role) ?? new Map<string, Held[]>();
    held.set(role, byMember);
    for (const member of members) {
      const list = byMember.get(member);
      if (list) list.push(how);
      else byMember.set(member, [how]);
    }
  }
  const roles = new Map<string | undefined, Map<string, string>>();
  for (const role of found.roles) {
    const marker = markerOf(role.comment);
    if (marker === undefined || !isMarkedAs(marker, role.name)) continue;
    const ofScope = roles.get(marker.schema) ?? new Map<string, string>();
    roles.set(marker.schema, ofScope.set(marker.level, role.name));
  }
  return { found, roles, held };
}

function isMarkedAs({ database, schema, level }: Marker, name: string): boolean {
  return name === roleName(database, schema, level);
}

/**
 * What has to be done so that the members of a scope's roles are as desired: a pure function. Applied, and planned again,
 * nothing is left but notes. Grants come before revocations, and what stays is never revoked in between.
 */
export function planGrants(desired: DesiredGrants, index: IndexedGrants): GrantsPlan {
  const current = { ...desired, grants: atTimeOf(index.found, desired.grants) };
  const planner = new Planner(current, index);
  for (const { role, principal, present, notBefore } of current.grants) {
    if (present) planner.grant(role, principal);
    else planner.takeBack(role, principal, notBefore);
  }
  if (desired.surplus === 'revoke') planner.takeBackOthers();
  return planner.plan();
}

/** What has run out is not to be there. */
function atTimeOf({ now }: InspectedGrants, grants: readonly WantedGrant[]): WantedGrant[] {
  const time = Date.parse(now);
  const isOver = ({ notAfter }: WantedGrant) => notAfter !== undefined && notAfter.getTime() <= time;
  return grants.map((grant) => (isOver(grant) ? { ...grant, present: false } : grant));
}

class Planner {
  readonly #desired: DesiredGrants;
  readonly #index: IndexedGrants;
  readonly #options: boolean;
  readonly #roles: ReadonlyMap<string, string>;
  readonly #connect: string | undefined;
  readonly #statements: MembershipStatements;
  readonly #notes: Note[] = [];
  /** Grants of others, of which some go with what this plan takes from those who made them. */
  readonly #foreign: { name: string; principal: string; one: Held; how: string }[] = [];
  readonly #takenBack: { role: string; principal: string }[] = [];
  readonly #early: { role: string; principal: string }[] = [];
  #kept = 0;

  constructor(desired: DesiredGrants, index: IndexedGrants) {
    const { database, schema } = desired;
    this.#desired = desired;
    this.#index = index;
    this.#options = index.found.serverVersion >= membershipOptionsSince;
    this.#statements = new MembershipStatements(actingAdmin(database, schema), this.#options);
    this.#roles = index.roles.get(schema) ?? new Map();
    this.#connect = index.roles.get(undefined)?.get('connect');
  }

  grant(role: string, principal: string): void {
    const name = this.#roleName(role);
    if (!this.#roles.has(role) && !this.#desired.define?.some(({ name }) => name === role)) {
      this.#notes.push({
        code: 'LEVEL_NOT_FOUND',
        message: `${principal} should have ${name}, and there is no such role of Drover’s.`,
      });
      return;
    }
    if (this.#give(name, principal, optionsOf(role))) this.#kept += 1;
    for (const other of this.#held(name, principal)) {
      if (this.#isOurs(other.grantor)) {
        if (other.admin) this.#takeAdminBack(role, name, principal, other.grantor);
      } else if (other.admin || (role === 'owner' && other.inherit)) {
        this.#foreign.push({ name, principal, one: other, how: 'more than it should by' });
      }
    }
    if (role === 'owner') this.#letConnect(principal);
  }

  takeBack(role: string, principal: string, notBefore: Date | undefined): void {
    const name = this.#roles.get(role);
    const held = name === undefined ? [] : this.#held(name, principal);
    const isEarly = notBefore !== undefined && Date.parse(this.#index.found.now) < notBefore.getTime();
    if (held.length > 0 && isEarly) {
      this.#early.push({ role, principal });
      return;
    }
    // Where nothing is left to take, an earlier attempt took it, and may not have got as far as the sessions.
    this.#takenBack.push({ role, principal });
    if (name === undefined || held.length === 0) return;
    for (const one of held) {
      if (this.#isOurs(one.grantor)) this.#statements.revoke(name, principal, one.grantor, '');
      else this.#foreign.push({ name, principal, one, how: 'it still by' });
    }
    if (role === 'owner') this.#takeConnectBack(name, principal);
  }

  takeBackOthers(): void {
    const known = new Set([...this.#desired.grants, ...this.#desired.undecided].map(keyOf));
    for (const [role, name] of this.#roles) {
      if (name === this.#connect) continue;
      for (const principal of this.#index.held.get(name)?.keys() ?? []) {
        if (!known.has(keyOf({ role, principal }))) this.takeBack(role, principal, undefined);
      }
    }
  }

  plan(): GrantsPlan {
    const after = new Aftermath(this.#index.held, this.#options);
    const steps = this.#statements.steps(after);
    const { fence } = this.#desired;
    if (fence && (steps.length > 0 || fence.outstanding)) steps.push(...this.#markerStep(fence.epoch));
    for (const { name, principal, one, how } of this.#foreign) {
      if (after.of(name, principal).includes(one)) this.#noteForeign(name, principal, one, how);
    }
    const wanted = new Set(this.#desired.grants.filter(({ present }) => present).map(keyOf));
    const levels = new Map([...this.#roles].map(([role, name]) => [name, role]));
    const lost = after.lost.flatMap(({ name, member }) => {
      const one = { role: levels.get(name) ?? '', principal: member };
      return levels.has(name) && !wanted.has(keyOf(one)) ? [one] : [];
    });
    const revoked = new Map([...this.#takenBack, ...lost].map((one) => [keyOf(one), one]));
    return {
      steps,
      notes: this.#notes,
      // Who still has it by a grant of somebody else's may act as it.
      revoked: [...revoked.values()].filter(
        ({ role, principal }) => after.of(this.#roleName(role), principal).length === 0,
      ),
      kept: this.#kept,
      early: this.#early,
    };
  }

  #roleName(role: string): string {
    return this.#roles.get(role) ?? roleName(this.#desired.database, this.#desired.schema, role);
  }

  #held(name: string, principal: string): readonly Held[] {
    return this.#index.held.get(name)?.get(principal) ?? [];
  }

  /**
   * Granted by one of Drover's admins: roles of the database are granted by whichever has made them, too. Before 16
   * whoever may change a role may take any membership in it back.
   */
  #isOurs(grantor: string): boolean {
    return !this.#options || isDroverAdmin(grantor);
  }

  /**
   * Sees to it that a member has a role by a grant of ours, as it should. What we granted otherwise is changed where it
   * is: whoever granted it may still do so.
   *
   * @returns whether it is so already
   */
  #give(name: string, member: string, wanted: Pick<Held, 'inherit' | 'set'>): boolean {
    const mine = this.#held(name, member).filter(({ grantor }) => this.#isOurs(grantor));
    if (mine.length === 0) {
      this.#statements.grant(name, member, wanted, undefined);
      return false;
    }
    if (!this.#options) return true;
    const wrong = mine.filter(({ inherit, set }) => inherit !== wanted.inherit || set !== wanted.set);
    for (const { grantor } of wrong) this.#statements.grant(name, member, wanted, grantor);
    return wrong.length === 0;
  }

  /** To whom a member passed a role on. They would lose it with the member's ADMIN option. */
  #passedOn(name: string, grantor: string): string[] {
    if (!this.#options) return [];
    const members = [...(this.#index.held.get(name) ?? [])];
    return members
      .filter(([, held]) => held.some((one) => one.grantor === grantor))
      .map(([member]) => member);
  }

  #takeAdminBack(role: string, name: string, principal: string, grantor: string): void {
    const others = this.#passedOn(name, principal);
    const open = new Set(this.#desired.undecided.map(keyOf));
    const all =
      this.#desired.surplus === 'revoke' && !others.some((one) => open.has(keyOf({ role, principal: one })));
    if (all || others.length === 0) {
      this.#statements.revoke(name, principal, grantor, 'ADMIN OPTION FOR ');
      return;
    }
    const revoke = sql`REVOKE ADMIN OPTION FOR ${identifier(name)} FROM ${identifier(principal)} CASCADE`;
    this.#notes.push({
      code: 'GRANT_PASSED_ON',
      message: `${principal} may pass ${name} on, and did, to ${others.join(', ')}, who would lose it too. Mode exact takes that back.`,
      statements: actingAs(grantor, [revoke]),
    });
  }

  /** In a closed database CONNECT comes by a role of its own, which who only acts as owner doesn't inherit. */
  #letConnect(principal: string): void {
    const name = this.#connect;
    if (name === undefined) return;
    // Before 16 a member inherits or not whatever the membership says.
    if (this.#held(name, principal).some(({ inherit }) => inherit || !this.#options)) return;
    // By the database's own admin: any acting admin may be the one to take it back.
    this.#statements.grant(
      name,
      principal,
      { inherit: true, set: false },
      this.#options ? adminRole : undefined,
    );
  }

  #takeConnectBack(lost: string, principal: string): void {
    const name = this.#connect;
    if (name === undefined) return;
    const { owns = [] } = this.#index.found.principals.find((one) => one.name === principal) ?? {};
    if (owns.some((role) => role !== lost)) return;
    for (const { grantor } of this.#held(name, principal)) {
      if (this.#isOurs(grantor)) this.#statements.revoke(name, principal, grantor, '');
    }
  }

  #noteForeign(name: string, principal: string, { grantor }: Held, how: string): void {
    const revoke = sql`REVOKE ${identifier(name)} FROM ${identifier(principal)} GRANTED BY ${identifier(grantor)}`;
    this.#notes.push({
      code: 'FOREIGN_MEMBERSHIP',
      message: `${principal} has ${name}, and ${how} a grant of ${grantor}. Who may act as ${grantor} can revoke it.`,
      statements: actingAs(grantor, [revoke]),
    });
  }

  #markerStep(epoch: number): GrantStep[] {
    const name = markerRole(this.#desired);
    const marker = markerIn(this.#index.found, name);
    if (marker === undefined) return [];
    return [
      {
        sql: sql`COMMENT ON ROLE ${identifier(name)} IS ${formatMarker({ ...marker, grants: epoch })}`,
        changes: [],
      },
    ];
  }
}

/** Unambiguous: no level or custom role has a colon in its name. */
function keyOf({ role, principal }: { readonly role: string; readonly principal: string }): string {
  return `${role}:${principal}`;
}
