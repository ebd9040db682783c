import type { Note } from '../../operation/outcome.ts';
import { formatMarker } from '../marker.ts';
import { actingAdmin, roleName } from '../names.ts';
import { identifier, sql } from '../sql.ts';
import { Aftermath, type Held } from './aftermath.ts';
import { type ConnectSteps, type OwnersOutcome, planConnect } from './connect.ts';
import { cyclesOf, type IndexedGrants, isGrantedByUs, isWantedAt, markerIn, markerRole } from './found.ts';
import {
  type DesiredGrants,
  type InspectedGrants,
  membershipOptionsSince,
  type WantedGrant,
} from './model.ts';
import { cycleNote, foreignNote, levelNote, passedOnNote } from './notes.ts';
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

type Options = Pick<Held, 'inherit' | 'set'>;

/** How members have a role: acting as the owner is a deliberate step; all else works by itself, and nobody acts as it. */
const ownersOptions: Options = { inherit: false, set: true };
const othersOptions: Options = { inherit: true, set: false };

/**
 * What has to be done so that the members of the roles of some scopes, which change in one transaction, are as desired: a
 * pure function. Applied, and planned again, nothing is left but notes. Grants come before revocations, and what stays is
 * never revoked in between.
 *
 * @returns a plan for each of them, in their order
 */
export function planGrants(scopes: readonly DesiredGrants[], index: IndexedGrants): GrantsPlan[] {
  const planners = scopes.map((scope) => plannerOf(scope, index));
  const connect = planConnect(
    planners.map((planner) => planner.owners()),
    index,
  );
  return planners.map((planner, at) => planner.plan(connect[at]));
}

function plannerOf(desired: DesiredGrants, index: IndexedGrants): Planner {
  const current = { ...desired, grants: atTimeOf(index.found, desired.grants) };
  const planner = new Planner(current, index);
  for (const { role, principal, present, notBefore } of current.grants) {
    if (present) planner.grant(role, principal);
    else planner.takeBack(role, principal, notBefore);
  }
  if (desired.surplus === 'revoke') planner.takeBackOthers();
  return planner;
}

/** What has run out is not to be there. */
function atTimeOf(found: InspectedGrants, grants: readonly WantedGrant[]): readonly WantedGrant[] {
  const isOver = (grant: WantedGrant) => grant.present && !isWantedAt(found, grant);
  if (!grants.some(isOver)) return grants;
  return grants.map((grant) => (isOver(grant) ? { ...grant, present: false } : grant));
}

/** A role that is asked for, and who has it. */
interface Place {
  readonly name: string;
  /** It is there, or about to be. */
  readonly known: boolean;
  readonly members: ReadonlyMap<string, readonly Held[]>;
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
  readonly #owners: string[] = [];
  readonly #places = new Map<string, Place>();
  readonly #after: Aftermath;
  #revocations: readonly GrantStep[] | undefined;
  #kept = 0;

  constructor(desired: DesiredGrants, index: IndexedGrants) {
    const { database, schema } = desired;
    this.#desired = desired;
    this.#index = index;
    this.#options = index.found.serverVersion >= membershipOptionsSince;
    this.#statements = new MembershipStatements(actingAdmin(database, schema), this.#options);
    this.#after = new Aftermath(index.held, this.#options);
    this.#roles = index.roles.get(schema) ?? new Map();
    this.#connect = index.roles.get(undefined)?.get('connect');
  }

  grant(role: string, principal: string): void {
    const { name, known, members } = this.#place(role);
    if (!known) {
      this.#notes.push(levelNote(name, principal));
      return;
    }
    const cycles = cyclesOf(this.#desired, { role, principal }, this.#index.found, this.#desired.define);
    if (cycles.length > 0) {
      this.#notes.push(cycleNote(name, cycles, this.#options));
      return;
    }
    const held = members.get(principal) ?? [];
    if (this.#give(name, principal, held, role === 'owner' ? ownersOptions : othersOptions)) this.#kept += 1;
    for (const other of held) {
      if (this.#isOurs(other.grantor)) {
        if (other.admin) this.#takeAdminBack(role, name, principal, other.grantor);
      } else if (other.admin || (role === 'owner' && other.inherit)) {
        this.#foreign.push({ name, principal, one: other, how: 'more than it should by' });
      }
    }
    if (role === 'owner') this.#owners.push(principal);
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
  }

  takeBackOthers(): void {
    const known = new Map<string, Set<string>>();
    for (const { role, principal } of [...this.#desired.grants, ...this.#desired.undecided]) {
      known.set(role, (known.get(role) ?? new Set()).add(principal));
    }
    for (const [role, name] of this.#roles) {
      if (name === this.#connect) continue;
      const listed = known.get(role);
      for (const principal of this.#place(role).members.keys()) {
        if (!listed?.has(principal)) this.takeBack(role, principal, undefined);
      }
    }
  }

  /** Nothing is to be granted or taken back after that. */
  owners(): OwnersOutcome {
    const { database, schema } = this.#desired;
    this.#revocations = this.#statements.revocations(this.#after);
    const unwanted = this.#takenBack.filter(({ role }) => role === 'owner');
    return {
      owner: this.#roles.get('owner'),
      acting: actingAdmin(database, schema),
      wanted: this.#owners,
      unwanted: unwanted.map(({ principal }) => principal),
      after: this.#after,
    };
  }

  plan({ grants, revocations }: ConnectSteps = { grants: [], revocations: [] }): GrantsPlan {
    const after = this.#after;
    const steps = [...this.#statements.grants(), ...grants, ...(this.#revocations ?? []), ...revocations];
    const { fence } = this.#desired;
    if (fence && (steps.length > 0 || fence.outstanding)) steps.push(...this.#markerStep(fence.epoch));
    for (const { name, principal, one, how } of this.#foreign) {
      if (after.of(name, principal).includes(one)) this.#notes.push(foreignNote(name, principal, one, how));
    }
    return {
      steps,
      notes: this.#notes,
      // Who still has it by a grant of somebody else's may act as it.
      revoked: [...this.#takenBack, ...this.#lostWith(after)].filter(
        ({ role, principal }) => after.of(this.#place(role).name, principal).length === 0,
      ),
      kept: this.#kept,
      early: this.#early,
    };
  }

  /** What was taken from somebody together with what another one may pass on. */
  #lostWith({ lost }: Aftermath): { role: string; principal: string }[] {
    if (lost.length === 0) return [];
    const levels = new Map([...this.#roles].map(([role, name]) => [name, role]));
    const wanted = this.#desired.grants.filter(({ present }) => present);
    const known = new Set([...wanted, ...this.#takenBack].map(keyOf));
    return lost.flatMap(({ name, member }) => {
      const one = { role: levels.get(name) ?? '', principal: member };
      return levels.has(name) && !known.has(keyOf(one)) ? [one] : [];
    });
  }

  #place(role: string): Place {
    const found = this.#places.get(role);
    if (found) return found;
    const { database, schema, define } = this.#desired;
    const name = this.#roles.get(role) ?? roleName(database, schema, role);
    const known = this.#roles.has(role) || define?.some((one) => one.name === role) === true;
    const place = { name, known, members: this.#index.held.get(name) ?? new Map<string, readonly Held[]>() };
    this.#places.set(role, place);
    return place;
  }

  #held(name: string, principal: string): readonly Held[] {
    return this.#index.held.get(name)?.get(principal) ?? [];
  }

  #isOurs(grantor: string): boolean {
    return isGrantedByUs(grantor, this.#options);
  }

  /**
   * Sees to it that a member has a role by a grant of ours, as it should. What we granted otherwise is changed where it
   * is: whoever granted it may still do so.
   *
   * @returns whether it is so already
   */
  #give(name: string, member: string, held: readonly Held[], wanted: Options): boolean {
    let [isMine, isRight] = [false, true];
    for (const { grantor, inherit, set } of held) {
      if (!this.#isOurs(grantor)) continue;
      isMine = true;
      if (!this.#options || (inherit === wanted.inherit && set === wanted.set)) continue;
      isRight = false;
      this.#statements.grant(name, member, wanted, grantor);
    }
    if (!isMine) this.#statements.grant(name, member, wanted, undefined);
    return isMine && isRight;
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
    this.#notes.push(passedOnNote(name, principal, others, grantor));
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
