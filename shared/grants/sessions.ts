import type { OperationContext } from '../operation/definition.ts';
import { type InspectedGrants, membershipOptionsSince, type Scope } from '../postgres/grants/model.ts';
import type { GrantsPlan } from '../postgres/grants/plan.ts';
import { roleName } from '../postgres/names.ts';
import { type Offboarded, together } from '../postgres/offboard/model.ts';
import { endActingSessions as endSessions } from '../postgres/offboard/sessions.ts';
import type { Target } from '../postgres/target.ts';

interface Membership {
  readonly role: string;
  readonly principal: string;
}

/** What was taken back in one scope. */
export interface TakenBack {
  readonly scope: Scope;
  readonly plan: GrantsPlan | undefined;
  /** What an earlier attempt may have taken back already, without getting as far as the sessions. */
  readonly resumed?: readonly Membership[];
}

/**
 * Ends the sessions of those who could act as a role only by whom it was taken from: one that does so keeps the role's
 * rights, and nobody can see from outside which one does. Of a group that are its members'. What can't be ended is noted,
 * with pid and application.
 *
 * @param found the catalog as it was before
 */
export async function endActingSessions(
  operation: Pick<OperationContext, 'pools' | 'signal' | 'remainingMs'>,
  target: Target,
  found: InspectedGrants,
  taken: readonly TakenBack[],
): Promise<Offboarded> {
  const { pools, signal, remainingMs } = operation;
  const lost = new Map<string, string[]>();
  for (const { principal, name } of taken.flatMap((one) => lostIn(one, found))) {
    lost.set(principal, [...(lost.get(principal) ?? []), name]);
  }
  const parts: Offboarded[] = [];
  for (const [principal, roles] of lost) {
    const options = { signal, remainingMs, dryRun: false, lost: { roles }, inDatabase: target.database };
    parts.push(await endSessions(pools, target, principal, options));
  }
  return together(...parts);
}

/** Who could act as a role that is taken from them: others' sessions lose their rights with the membership. */
function lostIn(
  { scope, plan, resumed = [] }: TakenBack,
  found: InspectedGrants,
): { readonly principal: string; readonly name: string }[] {
  const actable = (role: string) => role === 'owner' || found.serverVersion < membershipOptionsSince;
  const nameOf = (role: string) => roleName(scope.database, scope.schema, role);
  const could = ({ role, principal }: Membership) =>
    found.members.some((held) => held.role === nameOf(role) && held.set && held.members.includes(principal));
  const isResumed = ({ role, principal }: Membership) =>
    actable(role) && resumed.some((one) => one.role === role && one.principal === principal);
  const revoked = plan?.revoked ?? [];
  return revoked
    .filter((one) => could(one) || isResumed(one))
    .map(({ principal, role }) => ({ principal, name: nameOf(role) }));
}
