import type { CustomRole } from '../../postgres/custom-role.ts';
import type { DesiredGrants, WantedGrant } from '../../postgres/grants/model.ts';
import { asTombstone } from './bounds.ts';
import type { GrantSetWish } from './merge.ts';
import { mapValues, summarise } from './merge.ts';
import {
  type Author,
  type GrantSet,
  type GrantState,
  grantKey,
  type HistoryEntry,
  mostHistory,
  type Register,
  type RegisteredGrant,
} from './model.ts';

/** What the catalog has to be like for a set: what is decided, and what this operation wants. */
export type Wanted = Pick<DesiredGrants, 'grants' | 'customRoles' | 'surplus' | 'undecided' | 'define'>;

/**
 * What a wish, merged into a set, has to bring about. Other operations' open wishes are theirs. What runs out before that
 * is brought about is not given any more; `reconcile` takes it out of the registry as if it had been there until then.
 */
export function wantedOf(set: GrantSet, wish: GrantSetWish, superseded: readonly string[]): Wanted {
  const wanted = untimedWantedOf(set, wish, superseded);
  const withEnd = (grant: WantedGrant) => {
    const value = set.grants[grantKey(grant)]?.value;
    const isMine = value?.operation === wish.author.operation;
    return isMine && value.present && value.expiresAt ? { ...grant, notAfter: value.expiresAt } : grant;
  };
  return { ...wanted, grants: wanted.grants.map(withEnd) };
}

function untimedWantedOf(set: GrantSet, wish: GrantSetWish, superseded: readonly string[]): Wanted {
  const customRoles = Object.keys(set.customRoles);
  const define = wish.customRoles
    .filter(({ name }) => !superseded.includes(name))
    .flatMap(({ name }) => set.customRoles[name]?.value.definition ?? []);
  if (wish.mode === 'exact' && set.exact?.value.operation === wish.author.operation) {
    return { ...wantedOfAll(set, wish.author.operation), surplus: 'revoke', define };
  }
  const present = wish.mode !== 'revoke';
  const mine = wish.grants.filter((grant) => !superseded.includes(grantKey(grant)));
  return {
    grants: mine.map(({ role, principal }) => ({ role, principal, present })),
    customRoles,
    define,
    surplus: 'ignore',
    undecided: [],
  };
}

/**
 * What all of a set asks for.
 *
 * @param operation whose own open wishes count as decided
 */
export function wantedOfAll(set: GrantSet, operation?: string): Wanted {
  const all = Object.values(set.grants);
  const isOthers = ({ undecided, value }: RegisteredGrant) =>
    undecided === true && value.operation !== operation;
  return {
    grants: all
      .filter((one) => !isOthers(one))
      .map(({ role, principal, value }) => ({ role, principal, present: value.present })),
    customRoles: Object.keys(set.customRoles),
    surplus: 'ignore',
    undecided: all.filter(isOthers).map(({ role, principal }) => ({ role, principal })),
  };
}

/** What the catalog has to be like without what operations want of it: as it was decided before. */
export function wantedWithout(set: GrantSet, operations: readonly string[]): Wanted {
  const isTheirs = ({ undecided, value }: Register<object>) =>
    undecided === true && operations.includes(value.operation);
  const grants = Object.values(set.grants).filter(isTheirs);
  const customRoles = Object.values(set.customRoles).filter(isTheirs);
  return {
    grants: grants.map(({ role, principal, before }) => ({
      role,
      principal,
      present: before?.present ?? false,
      ...(before?.present && before.expiresAt ? { notAfter: before.expiresAt } : {}),
    })),
    customRoles: Object.keys(set.customRoles),
    define: customRoles.map(({ value, before }) => before?.definition ?? emptied(value.definition)),
    surplus: 'ignore',
    undecided: [],
  };
}

/** A role that was never to be stays without any rights: dropping it would take objects' privileges along. */
function emptied({ name, version }: CustomRole): CustomRole {
  return { name, version, inherits: [], privileges: { tables: [], sequences: [], routines: [] }, native: [] };
}

/** Grants whose time is over, that nobody is about to change; and those that this operation is taking back already. */
export function dueGrants(set: GrantSet, now: Date, operation: string): RegisteredGrant[] {
  return Object.values(set.grants).filter(({ value, undecided }) => {
    if (undecided) return value.expired === true && value.operation === operation;
    return value.present && value.expiresAt !== undefined && value.expiresAt <= now;
  });
}

/** Marks grants as being taken back. They keep their place in time, so that any renewal is newer. */
export function expire(set: GrantSet, due: readonly RegisteredGrant[], operation: string): GrantSet {
  const keys = new Set(due.map(grantKey));
  return summarise({
    ...set,
    grants: mapValues(set.grants, (grant) => {
      if (!keys.has(grantKey(grant)) || grant.undecided) return grant;
      const grantedBy = grant.value.operation;
      const value = { ...grant.value, present: false, expired: true, operation, grantedBy };
      return { ...grant, value, undecided: true, before: grant.value };
    }),
  });
}

/** How long an older message may still come, or be replayed. */
export interface Retention {
  readonly now: Date;
  readonly keepDays: number;
}

export interface Settled {
  readonly set: GrantSet;
  /** Operations that overwrote what this one wanted, and of which nobody knew yet whether they can do it. */
  readonly overwrittenBy: readonly string[];
}

/** What an operation has done, and under which number. */
export interface Done {
  readonly operation: string;
  readonly epoch: number;
  /** The number that it found in the catalog: of an attempt that may not have settled what it did there. */
  readonly found?: number;
}

/** Records that what an operation wanted is so. */
export function settle(
  set: GrantSet,
  { operation, epoch, found = 0 }: Done,
  { now, keepDays }: Retention,
): Settled {
  const history: HistoryEntry[] = [];
  const decide = <T extends Register<object>>(register: T): T => {
    if (!register.undecided || register.value.operation !== operation) return register;
    const { undecided: _, before: __, ...rest } = register;
    return rest as unknown as T;
  };
  const grants = mapValues(set.grants, (grant) => {
    const decided = decide(grant);
    if (decided !== grant) history.push(...entryOf(grant, now));
    return isForgotten(decided, now, keepDays) ? undefined : asTombstone(decided);
  });
  const overwrittenBy = set.overwritten?.[operation] ?? [];
  // What it replaced is older than what is so now; unless it was replaced itself, and may yet fail at its next attempt.
  const overwritten = mapValues(set.overwritten ?? {}, (by) => {
    const others = by.filter((other) => other !== operation || overwrittenBy.length > 0);
    return others.length > 0 ? others : undefined;
  });
  const settled = summarise({
    ...set,
    appliedEpoch: Math.max(set.appliedEpoch, epoch),
    // What this one did is in the catalog, even where it isn't decided.
    reached: set.reached === true || found > set.appliedEpoch || overwrittenBy.length > 0,
    exact: set.exact ? decide(set.exact) : null,
    grants,
    customRoles: mapValues(set.customRoles, decide),
    overwritten,
    history: [...history, ...set.history].slice(0, mostHistory),
  });
  return { set: settled, overwrittenBy };
}

function isForgotten({ value, undecided }: RegisteredGrant, now: Date, keepDays: number): boolean {
  return !undecided && !value.present && value.publishedAt.getTime() < now.getTime() - keepDays * 86_400_000;
}

/** What became of a grant, where it is another one than before. */
function entryOf({ principal, role, value, before }: RegisteredGrant, at: Date): HistoryEntry[] {
  const action = actionOf(value, before);
  if (action === undefined) return [];
  const { operation, actor, reason, expiresAt } = value;
  return [
    {
      at,
      action,
      principal,
      role,
      operation,
      ...(actor === undefined ? {} : { actor }),
      ...(reason === undefined ? {} : { reason }),
      ...(expiresAt === undefined ? {} : { expiresAt }),
    },
  ];
}

function actionOf(
  value: GrantState & Author,
  before: GrantState | undefined,
): HistoryEntry['action'] | undefined {
  if (!value.present) {
    if (!before?.present) return undefined;
    return value.expired ? 'expire' : 'revoke';
  }
  if (!before?.present) return 'grant';
  return value.expiresAt?.getTime() === before.expiresAt?.getTime() ? undefined : 'renew';
}
