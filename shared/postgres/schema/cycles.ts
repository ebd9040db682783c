import type { OperationError } from '../../operation/errors.ts';
import { identifier, sql } from '../sql.ts';
import type { Situation } from './context.ts';
import { connectMembers, isClosed } from './database.ts';
import { needsAdmin } from './needs-admin.ts';

interface Membership {
  readonly role: string;
  readonly member: string;
}

/** Roles that somebody made members of each other the wrong way round: PostgreSQL would refuse the right one. */
export function refuseCycle(situation: Situation): OperationError | undefined {
  const { found } = situation;
  const wanted = wantedMemberships(situation);
  for (const { role, member } of wanted) {
    const way = wayBetween(role, member, [...found.within, ...wanted]) ?? [];
    const obstacle = way.find((step) => found.within.includes(step));
    if (obstacle === undefined) continue;
    return needsAdmin(
      'MEMBERSHIP_CYCLE',
      `${member} should be a member of ${role}, but ${obstacle.member} is one of ${obstacle.role}, ` +
        'directly or through others: they would be members of each other.',
      [sql`REVOKE ${identifier(obstacle.role)} FROM ${identifier(obstacle.member)}`],
    );
  }
  return undefined;
}

function wantedMemberships(situation: Situation): Membership[] {
  const { desired, roles, found, wanted } = situation;
  const connecting = isClosed(desired, found) ? connectMembers(situation) : [];
  return [
    ...wanted.flatMap(({ name, inherits }) => inherits.map((role) => ({ role, member: name }))),
    { role: roles.owner, member: roles.acting },
    ...(desired.owner === undefined ? [] : [{ role: roles.owner, member: desired.owner }]),
    ...[...connecting].map((member) => ({ role: roles.connect, member })),
  ];
}

/** The memberships by which one role is a member of another, or undefined where it is none. */
function wayBetween(
  from: string,
  to: string,
  memberships: readonly Membership[],
  seen: Set<string> = new Set(),
): Membership[] | undefined {
  if (from === to) return [];
  seen.add(from);
  for (const step of memberships) {
    if (step.member !== from || seen.has(step.role)) continue;
    const rest = wayBetween(step.role, to, memberships, seen);
    if (rest) return [step, ...rest];
  }
  return undefined;
}
