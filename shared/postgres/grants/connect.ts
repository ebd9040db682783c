import { adminRole } from '../names.ts';
import { Aftermath } from './aftermath.ts';
import { type IndexedGrants, isGrantedByUs } from './found.ts';
import { membershipOptionsSince } from './model.ts';
import { type GrantStep, MembershipStatements } from './statements.ts';

/** What becomes of a scope's owners. */
export interface OwnersOutcome {
  /** Undefined where the scope has no owner. */
  readonly owner: string | undefined;
  /** The role that makes the changes. */
  readonly acting: string;
  /** Who is to act as the owner. */
  readonly wanted: readonly string[];
  /** Who is not to. */
  readonly unwanted: readonly string[];
  /** What the scope's own revocations leave. */
  readonly after: Aftermath;
}

/** What one scope's transaction does about the right to connect. */
export interface ConnectSteps {
  readonly grants: readonly GrantStep[];
  readonly revocations: readonly GrantStep[];
}

/**
 * Lets the owners of schemas connect to a closed database, and whoever has become nobody's owner no longer: a pure function.
 * CONNECT comes there by a role of its own, which who only acts as owner doesn't inherit. It is decided once for all scopes
 * that change together: what one of them takes another one may give.
 *
 * @returns the steps of each scope, in their order
 */
export function planConnect(scopes: readonly OwnersOutcome[], index: IndexedGrants): ConnectSteps[] {
  const name = index.roles.get(undefined)?.get('connect');
  if (name === undefined) return scopes.map(() => ({ grants: [], revocations: [] }));
  const planner = new ConnectPlanner(name, scopes, index);
  const revoking = scopes.map((scope) => planner.revocations(scope));
  // After them: with a member goes to whom it passed the right on.
  const granting = scopes.map((scope) => planner.grants(scope));
  return scopes.map((_, at) => ({ grants: granting[at] ?? [], revocations: revoking[at] ?? [] }));
}

class ConnectPlanner {
  readonly #name: string;
  readonly #index: IndexedGrants;
  readonly #options: boolean;
  readonly #wanted: ReadonlySet<string>;
  /** What is left of each owner role's members. */
  readonly #owners: ReadonlyMap<string, Aftermath>;
  readonly #after: Aftermath;
  readonly #decided = new Set<string>();

  constructor(name: string, scopes: readonly OwnersOutcome[], index: IndexedGrants) {
    this.#name = name;
    this.#index = index;
    this.#options = index.found.serverVersion >= membershipOptionsSince;
    this.#wanted = new Set(scopes.flatMap(({ wanted }) => wanted));
    this.#after = new Aftermath(index.held, this.#options);
    const changed = new Map(scopes.map(({ owner, after }) => [owner, after]));
    const roles = [...index.roles.values()].flatMap((levels) => levels.get('owner') ?? []);
    this.#owners = new Map(roles.map((role) => [role, changed.get(role) ?? this.#after]));
  }

  revocations({ acting, owner, unwanted, after }: OwnersOutcome): GrantStep[] {
    const statements = new MembershipStatements(acting, this.#options);
    const lost = after.lost.filter((one) => one.name === owner).map(({ member }) => member);
    for (const principal of [...unwanted, ...lost]) {
      if (this.#decided.has(principal) || this.#owns(principal)) continue;
      this.#decided.add(principal);
      for (const { grantor } of this.#index.held.get(this.#name)?.get(principal) ?? []) {
        if (isGrantedByUs(grantor, this.#options)) statements.revoke(this.#name, principal, grantor, '');
      }
    }
    return statements.revocations(this.#after);
  }

  grants({ acting, wanted }: OwnersOutcome): GrantStep[] {
    const statements = new MembershipStatements(acting, this.#options);
    const lost = this.#after.lost.map(({ member }) => member).filter((one) => this.#owns(one));
    for (const principal of [...wanted, ...lost]) {
      if (this.#decided.has(principal)) continue;
      this.#decided.add(principal);
      // Before 16 a member inherits or not whatever the membership says.
      const held = this.#after.of(this.#name, principal);
      if (held.some(({ inherit }) => inherit || !this.#options)) continue;
      // By the database's own admin: any acting admin may be the one to take it back.
      const grantor = this.#options ? adminRole : undefined;
      statements.grant(this.#name, principal, { inherit: true, set: false }, grantor);
    }
    return statements.grants();
  }

  /** Whether somebody may act as the owner of any schema of the database, when all is done. */
  #owns(principal: string): boolean {
    if (this.#wanted.has(principal)) return true;
    if (this.#index.principals.get(principal)?.ownsElsewhere) return true;
    for (const [role, after] of this.#owners) if (after.of(role, principal).length > 0) return true;
    return false;
  }
}
