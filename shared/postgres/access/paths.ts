import type { MembershipRow } from './rows.ts';

/**
 * How a role comes to what another one may do:
 *
 * - `inherit`: at once, for every membership on the way is inherited
 * - `set`: after SET ROLE
 * - `admin`: not now, but it may give itself the membership
 * - `none`: not at all; the membership has neither INHERIT nor SET
 */
export type How = 'inherit' | 'set' | 'admin' | 'none';

/** From most to least. */
export const hows: readonly How[] = ['inherit', 'set', 'admin', 'none'];

/** All grants that make one role a member of another, and what they come to together. */
export interface Step {
  readonly role: string;
  readonly member: string;
  readonly inherit: boolean;
  readonly set: boolean;
  readonly admin: boolean;
  readonly grants: readonly MembershipRow[];
}

/** Memberships that lead from one role to another. */
export interface Path {
  /** The roles on the way, both ends included. */
  readonly roles: readonly string[];
  readonly steps: readonly Step[];
  readonly state: State;
}

/** What somebody at the beginning of a path can do with the role at its end. */
interface State {
  /** Has its privileges at once. */
  readonly inherits: boolean;
  /** May SET ROLE to it. */
  readonly sets: boolean;
  /** Has its privileges once it has SET ROLE to whatever it may. */
  readonly has: boolean;
  /** Could make itself a member. */
  readonly takes: boolean;
}

/**
 * PostgreSQL lets a session SET ROLE along memberships that all have SET, as the login that it began as, and gives it the
 * privileges that are inherited from there. So what is inherited first and needs SET ROLE behind that is out of reach.
 * ADMIN is used with the privileges of the member that has it.
 *
 * @see https://www.postgresql.org/docs/current/role-membership.html
 */
function follow(state: State, { inherit, set, admin }: Step): State {
  const sets = state.sets && set;
  return {
    inherits: state.inherits && inherit,
    sets,
    has: sets || (state.has && inherit),
    takes: (state.takes && (inherit || set || admin)) || (state.has && admin),
  };
}

const atHome: State = { inherits: true, sets: true, has: true, takes: false };

/** The same role can be reached in many ways; these are enough for people, and no way to a further right is lost. */
const pathsPerState = 8;

/** The memberships of each role, by its name. */
export type Graph = ReadonlyMap<string, readonly Step[]>;

export function graphOf(memberships: readonly MembershipRow[]): Graph {
  const grants = Map.groupBy(memberships, ({ role, member }) => JSON.stringify([role, member]));
  const steps = [...grants.values()].flatMap(([first, ...others]): Step[] => {
    if (first === undefined) return [];
    const all = [first, ...others].sort((a, b) => compare(a.grantor, b.grantor));
    return [
      {
        role: first.role,
        member: first.member,
        inherit: all.some(({ inherit }) => inherit),
        set: all.some(({ set }) => set),
        admin: all.some(({ admin }) => admin),
        grants: all,
      },
    ];
  });
  return Map.groupBy(
    steps.sort((a, b) => compare(a.role, b.role)),
    ({ member }) => member,
  );
}

/**
 * All ways that lead on from a role, the one that leads nowhere included.
 *
 * @param passes whether a path may lead on through a role
 * @returns `cut` where there are more than anybody would read; those that are left out lead to the same roles by the
 *   same means
 */
export function pathsFrom(
  role: string,
  graph: Graph,
  passes: (role: string) => boolean,
): { readonly paths: readonly Path[]; readonly cut: boolean } {
  const paths: Path[] = [];
  const seen = new Map<string, number>();
  let cut = false;
  const walk = (path: Path): void => {
    const end = path.roles.at(-1) ?? role;
    const key = JSON.stringify([end, path.state]);
    const count = seen.get(key) ?? 0;
    if (count >= pathsPerState) {
      cut = true;
      return;
    }
    seen.set(key, count + 1);
    paths.push(path);
    if (path.steps.length > 0 && !passes(end)) return;
    for (const step of graph.get(end) ?? []) {
      walk({
        roles: [...path.roles, step.role],
        steps: [...path.steps, step],
        state: follow(path.state, step),
      });
    }
  };
  walk({ roles: [role], steps: [], state: atHome });
  return { paths, cut };
}

/** @param attribute what is at the end is no privilege but an attribute, such as SUPERUSER: it is never inherited */
export function howOf({ state }: Path, { attribute = false } = {}): How {
  if (state.inherits && !attribute) return 'inherit';
  if (attribute ? state.sets : state.has) return 'set';
  return state.takes ? 'admin' : 'none';
}

/** The role to SET ROLE to for what the end of a path may do: the first that will do. */
export function roleToSet({ roles, steps }: Path, { attribute = false } = {}): string | undefined {
  for (let first = attribute ? steps.length : 0; first <= steps.length; first += 1) {
    const way = steps.slice(0, first).every(({ set }) => set);
    if (way && steps.slice(first).every(({ inherit }) => inherit)) return roles[first];
  }
  return undefined;
}

/** Whether somebody at the beginning of a path may pass on what its `index`-th membership gives. */
export function passesOn({ steps }: Path, index: number): boolean {
  const before = steps.slice(0, index).reduce(follow, atHome);
  return before.has && (steps[index]?.admin ?? false);
}

/** In an order that is the same everywhere. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
