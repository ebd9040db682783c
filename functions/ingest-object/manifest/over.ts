import type { GrantWish } from '../../grant-roles/message.ts';
import type { Derived } from './derived.ts';

/** By clocks that aren't the database's, and a message takes its time to get there. */
const marginMs = 5000;

/**
 * A message without the grants that are over by the time it is sent: one of them would have all others refused.
 *
 * @returns nothing to send where nothing is left; and how many were left out
 */
export function withoutOver(derived: Derived, now: Date): { derived: Derived | undefined; count: number } {
  const { message } = derived;
  if (derived.function !== 'grant-roles' || message['mode'] === 'revoke') return { derived, count: 0 };
  const grants = message['grants'] as readonly GrantWish[];
  const left = grants.filter(
    ({ expiresAt }) => expiresAt === undefined || Date.parse(expiresAt) > now.getTime() + marginMs,
  );
  const count = grants.length - left.length;
  if (count === 0) return { derived, count };
  const isNothing = left.length === 0 && message['mode'] === 'add' && message['customRoles'] === undefined;
  if (isNothing) return { derived: undefined, count };
  const isEmpty = left.length === 0 && message['mode'] === 'exact';
  const some = { ...message, grants: left, ...(isEmpty ? { allowEmpty: true } : {}) };
  return { derived: { ...derived, message: some }, count };
}
