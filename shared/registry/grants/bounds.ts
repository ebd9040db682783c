import { OperationError } from '../../operation/errors.ts';
import {
  type GrantSet,
  mostCustomRoles,
  mostGrantsPerSet,
  mostLive,
  mostTombstones,
  type RegisteredGrant,
} from './model.ts';

/**
 * A text for people, no longer than that. What is cut off is in the operation's own record.
 *
 * @param most bytes, which is what a document has a limited number of
 */
export function cutText(text: string, most: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= most) return text;
  let end = most - Buffer.byteLength('…');
  // Not within a character.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return `${bytes.subarray(0, end).toString()}…`;
}

/** Of what was taken back the place in time is kept; why it was granted, and who asked for what, is in the history. */
export function asTombstone(grant: RegisteredGrant): RegisteredGrant {
  if (grant.undecided || grant.value.present) return grant;
  const { reason: _, actor: __, ...value } = grant.value;
  return { ...grant, value };
}

/** A document has its limits, and names can be made up without end. */
export function forgetOldest(grants: GrantSet['grants']): GrantSet['grants'] {
  const gone = Object.entries(grants).filter(([, { value, undecided }]) => !undecided && !value.present);
  if (gone.length <= mostTombstones) return grants;
  const byAge = gone.sort(([, a], [, b]) => Number(a.value.publishedAt) - Number(b.value.publishedAt));
  const forgotten = new Set(byAge.slice(0, gone.length - mostTombstones).map(([key]) => key));
  return Object.fromEntries(Object.entries(grants).filter(([key]) => !forgotten.has(key)));
}

/**
 * Refuses what a document has no room for. What makes a set no larger is always possible.
 *
 * @throws OperationError `TOO_MANY_GRANTS`, `TOO_MANY_CUSTOM_ROLES`, `TOO_MANY_UNDECIDED` (retryable)
 */
export function refuseTooMany(before: GrantSet, after: GrantSet): void {
  const exceeds = (count: (set: GrantSet) => number, most: number) =>
    count(after) > Math.max(most, count(before));
  if (exceeds(countPresent, mostGrantsPerSet)) {
    throw tooMany(before, 'TOO_MANY_GRANTS', 'data.grants', [
      `More than ${mostGrantsPerSet} grants on the roles of`,
      'Grant them to a group.',
    ]);
  }
  if (exceeds(countCustomRoles, mostCustomRoles)) {
    throw tooMany(before, 'TOO_MANY_CUSTOM_ROLES', 'data.customRoles', [
      `More than ${mostCustomRoles} custom roles of`,
      'Bring one that is there to another definition.',
    ]);
  }
  // Where nobody else's wish is open there is nothing to wait for, and what one message can ask for finds room.
  if (exceeds(countLive, mostLive) && Object.values(before.grants).some(({ undecided }) => undecided)) {
    throw new OperationError(
      'TOO_MANY_UNDECIDED',
      `Too many grants on the roles of ${nameOf(before)} are changing at the moment; this waits for some of them`,
      { retryable: true },
    );
  }
}

function tooMany(set: GrantSet, code: string, path: string, [what, advice]: [string, string]) {
  const message = `${what} ${nameOf(set)}. ${advice}`;
  return new OperationError(code, message, { details: { problems: [{ path, code, message }] } });
}

function nameOf({ database, schema }: GrantSet): string {
  return schema === null ? database : `${database}.${schema}`;
}

function countPresent({ grants }: GrantSet): number {
  return Object.values(grants).filter(({ value }) => value.present).length;
}

function countCustomRoles({ customRoles }: GrantSet): number {
  return Object.keys(customRoles).length;
}

/** Those that are there, and those that somebody is about to decide on. */
function countLive({ grants }: GrantSet): number {
  return Object.values(grants).filter(({ value, undecided }) => value.present || undecided).length;
}
