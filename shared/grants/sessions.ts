import type { OperationContext } from '../operation/definition.ts';
import { OperationError } from '../operation/errors.ts';
import { type InspectedGrants, membershipOptionsSince, type Scope } from '../postgres/grants/model.ts';
import type { GrantsPlan } from '../postgres/grants/plan.ts';
import { roleName } from '../postgres/names.ts';
import { nothing, type Offboarded, together } from '../postgres/offboard/model.ts';
import { endSessions } from '../postgres/offboard/sessions.ts';
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
 * Ends the sessions of those from whom a role was taken that they could act as: one that does so keeps the role's rights,
 * and nobody can see from outside which one does. What can't be ended is noted, with pid and application.
 *
 * @param found the catalog as it was before
 */
export async function endActingSessions(
  operation: Pick<OperationContext, 'pools' | 'signal' | 'remainingMs'>,
  target: Target,
  found: InspectedGrants,
  taken: readonly TakenBack[],
): Promise<Offboarded> {
  const principals = new Set(taken.flatMap((one) => actorsIn(one, found)));
  const parts: Offboarded[] = [];
  for (const principal of principals) {
    const options = { ...operation, dryRun: false, inDatabase: target.database };
    parts.push(await endSessions(operation.pools, target, principal, options).catch(unlessUntouchable));
  }
  return together(...parts);
}

/** Who could act as a role that is taken from them: others' sessions lose their rights with the membership. */
function actorsIn({ scope, plan, resumed = [] }: TakenBack, found: InspectedGrants): string[] {
  const actable = (role: string) => role === 'owner' || found.serverVersion < membershipOptionsSince;
  const could = ({ role, principal }: Membership) => {
    const name = roleName(scope.database, scope.schema, role);
    return found.members.some((held) => held.role === name && held.set && held.members.includes(principal));
  };
  const isResumed = ({ role, principal }: Membership) =>
    actable(role) && resumed.some((one) => one.role === role && one.principal === principal);
  const revoked = plan?.revoked ?? [];
  return revoked.filter((one) => could(one) || isResumed(one)).map(({ principal }) => principal);
}

/** A superuser's sessions don't need the role, and are not ours to end. */
function unlessUntouchable(error: unknown): Offboarded {
  if (error instanceof OperationError && error.code === 'PRINCIPAL_NOT_ALLOWED') return nothing;
  throw error;
}
