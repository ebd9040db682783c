import type { Note } from '../../operation/outcome.ts';
import { actingAs, identifier, sql } from '../sql.ts';
import type { Held } from './aftermath.ts';
import type { InspectedCycle } from './model.ts';

/** Nobody can be given a role that isn't there. */
export function levelNote(name: string, principal: string): Note {
  return {
    code: 'LEVEL_NOT_FOUND',
    message: `${principal} should have ${name}, and there is no such role of Drover’s.`,
  };
}

/** A principal has more than it should, by somebody else's grant. */
export function foreignNote(name: string, principal: string, { grantor }: Held, how: string): Note {
  const revoke = sql`REVOKE ${identifier(name)} FROM ${identifier(principal)} GRANTED BY ${identifier(grantor)}`;
  return {
    code: 'FOREIGN_MEMBERSHIP',
    message: `${principal} has ${name}, and ${how} a grant of ${grantor}. Who may act as ${grantor} can revoke it.`,
    statements: actingAs(grantor, [revoke]),
  };
}

/** Taking back the right to pass a role on would take the role from others. */
export function passedOnNote(
  name: string,
  principal: string,
  others: readonly string[],
  grantor: string,
): Note {
  const revoke = sql`REVOKE ADMIN OPTION FOR ${identifier(name)} FROM ${identifier(principal)} CASCADE`;
  return {
    code: 'GRANT_PASSED_ON',
    message: `${principal} may pass ${name} on, and did, to ${others.join(', ')}, who would lose it too. Mode exact takes that back.`,
    statements: actingAs(grantor, [revoke]),
  };
}

/** Roles that are members of each other the wrong way round: PostgreSQL would refuse the right one. */
export function cycleNote(name: string, cycles: readonly InspectedCycle[], options: boolean): Note {
  return {
    code: 'MEMBERSHIP_CYCLE',
    message: `${cycles[0]?.principal} should be a member of ${name}: ${describeCycle(cycles)}.`,
    statements: cycles.flatMap((one) => breakCycle(one, options)),
  };
}

/** Why a role can't become a member, in words. */
export function describeCycle(cycles: readonly InspectedCycle[]): string {
  const members = [...new Set(cycles.map(({ member }) => member))].join(', ');
  return `${members} became a member of ${cycles[0]?.principal}, and they would be members of each other`;
}

/**
 * The statements that take a wrong membership back.
 *
 * @param options whether memberships have a grantor who alone can do that: from 16 on
 */
export function breakCycle({ principal, member, grantor }: InspectedCycle, options: boolean): string[] {
  const revoke = sql`REVOKE ${identifier(principal)} FROM ${identifier(member)}`;
  return options ? actingAs(grantor, [sql`${revoke} GRANTED BY ${identifier(grantor)}`]) : [revoke.text];
}
