import type { DesiredGrants } from '../../../../shared/postgres/grants/model.ts';
import type { GrantsPlan } from '../../../../shared/postgres/grants/plan.ts';
import { roleName } from '../../../../shared/postgres/names.ts';
import { future, isOwn, type Place, past, roleNameOf } from './states.ts';

/** One row of pg_auth_members. */
export interface Row {
  readonly role: string;
  readonly member: string;
  readonly grantor: string;
  readonly admin: boolean;
  readonly inherit: boolean;
  readonly set: boolean;
}

export interface Verdict {
  readonly place: Place;
  readonly desired: DesiredGrants;
  readonly plan: Pick<GrantsPlan, 'notes' | 'early' | 'revoked'>;
  /** From PostgreSQL 16 on a membership has options and several grantors. */
  readonly options: boolean;
  readonly before: readonly Row[];
  readonly after: readonly Row[];
}

/** What is wanted now: what has run out isn't any more. */
export function atPresent(desired: DesiredGrants): DesiredGrants {
  const grants = desired.grants.map((one) => (one.notAfter === past ? { ...one, present: false } : one));
  return { ...desired, grants };
}

/** What is wrong with the outcome of a change: nothing, in the words of the contract. */
export function wrongs(given: Verdict): string[] {
  const verdict = { ...given, desired: atPresent(given.desired) };
  return [...wrongGrants(verdict), ...wrongSurplus(verdict), ...wrongOthers(verdict)];
}

const isOf = (role: string, member: string) => (row: Row) => row.role === role && row.member === member;
const show = (row: Row) => JSON.stringify(row);

function isOurs({ options }: Verdict, { grantor }: Row): boolean {
  return !options || /^drover_admin(_\d\d)?$/.test(grantor);
}

function isNoted({ plan }: Verdict, ...words: string[]): boolean {
  return plan.notes.some(({ message }) => words.every((word) => message.includes(word)));
}

function wrongGrants(verdict: Verdict): string[] {
  const { place, desired, plan, options, before, after } = verdict;
  return desired.grants.flatMap(({ role, principal, present, notBefore }): string[] => {
    const name = roleName(place.database, place.schema, role);
    const rows = after.filter(isOf(name, principal));
    const ours = rows.filter((row) => isOurs(verdict, row));
    const wrong = (what: string) => [`${principal} ${what} ${name}: ${rows.map(show).join(' ')}`];
    if (role === 'nothing')
      return isNoted(verdict, principal, name) || !present ? [] : wrong('has no note about');
    if (present) {
      const fits = (row: Row) =>
        !options || (row.inherit === (role !== 'owner') && row.set === (role === 'owner'));
      if (ours.length === 0) return wrong('has not');
      if (!ours.every(fits)) return wrong('has in another way');
      const foreign = rows.filter((row) => !ours.includes(row));
      return [
        ...(ours.some(({ admin }) => admin) && !isNoted(verdict, principal, 'may pass')
          ? wrong('may pass on')
          : []),
        ...foreign
          .filter(({ admin, inherit }) => admin || (role === 'owner' && inherit))
          .filter(({ grantor }) => !isNoted(verdict, principal, name, grantor))
          .flatMap(() => wrong('has too much, without a note, of')),
      ];
    }
    const isEarly = notBefore === future && before.some(isOf(name, principal));
    if (isEarly !== plan.early.some((one) => one.role === role && one.principal === principal)) {
      return wrong('is wrongly early or late with');
    }
    if (isEarly) {
      const safe = before.some((row) => isOf(name, principal)(row) && isOurs(verdict, row));
      return after.some(isOf(name, principal)) || !safe ? [] : wrong('lost too early');
    }
    const isRevoked = plan.revoked.some((one) => one.role === role && one.principal === principal);
    return [
      ...(ours.length > 0 ? wrong('still has') : []),
      ...(isRevoked === rows.length > 0 ? wrong('is wrongly taken for done with') : []),
      ...rows
        .filter(({ grantor }) => !isNoted(verdict, principal, name, grantor))
        .flatMap(() => wrong('still has, without a note,')),
    ];
  });
}

function wrongSurplus(verdict: Verdict): string[] {
  const { place, desired, before, after } = verdict;
  const named = new Set(
    [...desired.grants, ...desired.undecided].map(({ role, principal }) =>
      JSON.stringify([roleName(place.database, place.schema, role), principal]),
    ),
  );
  const ofScope = (['owner', 'reader', 'auditor'] as const).map((role) => roleNameOf(role, place));
  const isSurplus = ({ role, member }: Row) =>
    ofScope.includes(role) && !isOwn(member, place) && !named.has(JSON.stringify([role, member]));
  const surplus = after.filter(isSurplus);
  if (desired.surplus === 'ignore') {
    return before
      .filter(
        (row) => isSurplus(row) && isOurs(verdict, row) && !after.some((one) => show(one) === show(row)),
      )
      .map((row) => `not named, and changed: ${show(row)}`);
  }
  return surplus
    .filter((row) => isOurs(verdict, row) || !isNoted(verdict, row.member, row.role, row.grantor))
    .map((row) => `too much, without a note: ${show(row)}`);
}

/** What nobody asked to change: other schemas, Drover's own roles, what others are deciding about. */
function wrongOthers(verdict: Verdict): string[] {
  const { place, desired, options, before, after } = verdict;
  const others = (['other owner', 'other reader'] as const).map((role) => roleNameOf(role, place));
  const undecided = new Set(
    desired.undecided.map(({ role, principal }) =>
      JSON.stringify([roleName(place.database, place.schema, role), principal]),
    ),
  );
  // By grace of somebody who may lose it, it may go with his.
  const isSafe = (row: Row) => isOurs(verdict, row) || !before.some(isOf(row.role, row.grantor));
  const isUntouchable = (row: Row) =>
    others.includes(row.role) ||
    ((isOwn(row.member, place) || undecided.has(JSON.stringify([row.role, row.member]))) && isSafe(row));
  const only = (rows: readonly Row[]) => rows.filter(isUntouchable).map(show).sort();
  const [was, is] = [only(before), only(after)];
  const connect = roleNameOf('connect', place);
  const connects = (principal: string) =>
    after.some((row) => isOf(connect, principal)(row) && (row.inherit || !options));
  return [
    ...was.filter((row) => !is.includes(row)).map((row) => `touched: ${row}`),
    ...is.filter((row) => !was.includes(row)).map((row) => `made: ${row}`),
    ...(place.closed
      ? desired.grants
          .filter(({ role, present, principal }) => role === 'owner' && present && !connects(principal))
          .map(({ principal }) => `${principal} can't connect`)
      : []),
    ...wrongConnects(verdict),
  ];
}

/** Who no longer acts as any owner connects no more by a grant of ours; who still does, does. */
function wrongConnects(verdict: Verdict): string[] {
  const { place, desired, plan, before, after } = verdict;
  const connect = roleNameOf('connect', place);
  const ours = (rows: readonly Row[], principal: string) =>
    rows
      .filter((row) => isOf(connect, principal)(row) && isOurs(verdict, row))
      .map(show)
      .sort()
      .join();
  return desired.grants.flatMap(({ role, principal, present }) => {
    const had = before.some(isOf(roleNameOf('owner', place), principal));
    const isEarly = plan.early.some((one) => one.role === role && one.principal === principal);
    if (role !== 'owner' || present || !had || isEarly) return [];
    const stillActs =
      before.some(isOf(roleNameOf('other owner', place), principal)) ||
      after.some(isOf(roleNameOf('owner', place), principal));
    const expected = stillActs ? ours(before, principal) : '';
    return ours(after, principal) === expected ? [] : [`connects wrongly: ${principal}`];
  });
}
