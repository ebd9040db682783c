import { OperationError } from '../../operation/errors.ts';
import { type CustomRole, checksumOf } from '../../postgres/custom-role.ts';
import type { PrincipalKind } from '../../postgres/principals.ts';
import { isOlder } from '../intents.ts';
import { cutText, forgetOldest, refuseTooMany } from './bounds.ts';
import {
  type Author,
  type GrantSet,
  type GrantState,
  grantKey,
  mostActorBytes,
  mostReasonBytes,
  openOperations,
  type Register,
  type RegisteredGrant,
} from './model.ts';

/** What a message wants of one scope. */
export interface GrantSetWish {
  readonly mode: 'add' | 'exact' | 'revoke';
  readonly author: Author;
  readonly actor?: string;
  readonly grants: readonly {
    readonly principal: string;
    readonly kind: PrincipalKind;
    readonly role: string;
    readonly expiresAt?: Date;
    readonly reason?: string;
  }[];
  readonly customRoles: readonly CustomRole[];
}

/** Principals that were taken out of the instance as a whole, and by whom: an older grant doesn't bring them back. */
export type Closed = ReadonlyMap<string, Author>;

export interface Merged {
  readonly set: GrantSet;
  /** What of the wish something newer has decided already: keys of grants, names of custom roles. */
  readonly superseded: readonly string[];
  /** The operations that did. */
  readonly by: readonly string[];
  /** The one that superseded all of it. */
  readonly supersededBy?: string;
}

/** A message's place among others about the same register: its own is never newer than itself, but its end is. */
function isSuperseded(register: Register<Partial<GrantState>> | null | undefined, author: Author): boolean {
  if (!register || register.value.operation === author.operation) return false;
  return register.value.grantedBy === author.operation || isOlder(author, register.value);
}

/** The registers that a wish is about, and the one that stands above all of them. */
function concerned(set: GrantSet, { mode, grants }: GrantSetWish): (Register<object> | null | undefined)[] {
  const named = grants.map((grant) => set.grants[grantKey(grant)]);
  return [set.exact, ...(mode === 'exact' ? Object.values(set.grants) : named)];
}

/** Operations that want something newer and of which nobody knows yet whether it can be. */
export function newerUndecided(set: GrantSet, wish: GrantSetWish): string[] {
  const newer = concerned(set, wish).filter(
    (register) => register?.undecided && isSuperseded(register, wish.author),
  );
  // Of a role the higher version is the newer one, whenever it came.
  const redefined = wish.customRoles.flatMap(({ name, version }) => {
    const known = ownEntry(set.customRoles, name);
    const isOpen = known?.undecided && known.value.operation !== wish.author.operation;
    return isOpen && known.value.definition.version >= version ? [known] : [];
  });
  const operations = [...newer, ...redefined].flatMap((register) => register?.value.operation ?? []);
  return [...new Set(operations)];
}

/** A role may be called `constructor`. */
function ownEntry<T>(map: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

/**
 * Writes a wish into a set: the newest wish counts for each grant, whatever the order in which they arrive; of custom
 * roles the highest version.
 *
 * @throws OperationError `ROLE_VERSION_CONFLICT`, and what {@link refuseTooMany} throws
 */
export function merge(set: GrantSet, wish: GrantSetWish, closed: Closed = new Map()): Merged {
  const { mode, author } = wish;
  const newerExact = set.exact && isSuperseded(set.exact, author) ? set.exact : undefined;
  const superseded: string[] = [];
  const by = new Set<string>();
  const giveWay = (key: string, { value }: Register<object>) => {
    superseded.push(key);
    by.add(value.operation);
  };
  const overwritten = new Set<string>();
  const assign = <T extends object>(known: Register<T> | null | undefined, value: T): Register<T> => {
    if (known?.undecided && known.value.operation !== author.operation)
      overwritten.add(known.value.operation);
    return assigned(known ?? undefined, { ...value, ...author });
  };
  const grants: Record<string, RegisteredGrant> = { ...set.grants };
  for (const grant of wish.grants) {
    const key = grantKey(grant);
    const known = grants[key];
    const offboarded = mode === 'revoke' ? undefined : asRegister(closed.get(grant.principal));
    const newer = newerExact ?? [known, offboarded].find((one) => isSuperseded(one, author));
    if (newer) giveWay(key, newer);
    else grants[key] = { ...identityOf(grant), ...assign(known, stateOf(grant, wish)) };
  }
  const listed = new Set(wish.grants.map(grantKey));
  for (const [key, known] of mode === 'exact' && !newerExact ? Object.entries(set.grants) : []) {
    if (listed.has(key) || isSuperseded(known, author) || !isOpen(known)) continue;
    grants[key] = { ...identityOf(known), ...assign<GrantState>(known, { present: false }) };
  }
  const customRoles = { ...set.customRoles };
  for (const [index, definition] of wish.customRoles.entries()) {
    const known = ownEntry(customRoles, definition.name);
    const checksum = checksumOf(definition);
    const { version } = known?.value.definition ?? { version: 0 };
    if (known && version === definition.version && known.value.checksum !== checksum) {
      throw versionConflict(definition, index);
    }
    if (known && version > definition.version) giveWay(definition.name, known);
    else if (version < definition.version) {
      customRoles[definition.name] = assign(known, { definition, checksum });
    }
  }
  const exact = mode === 'exact' && !newerExact ? assign<object>(set.exact, {}) : set.exact;
  const merged = summarise({
    ...set,
    exact,
    grants,
    customRoles,
    overwritten: noteOverwritten(set, author.operation, overwritten),
  });
  refuseTooMany(set, merged);
  const nothingLeft = newerExact && superseded.length === wish.grants.length + wish.customRoles.length;
  return {
    set: merged,
    superseded,
    by: [...by],
    ...(nothingLeft ? { supersededBy: newerExact.value.operation } : {}),
  };
}

function asRegister(value: Author | undefined): Register<object> | undefined {
  return value && { value };
}

/** So many are remembered: who never came back to ask is forgotten in the end. */
const mostOverwritten = 100;

/** For each of them; the newest decide. */
const mostOverwriters = 8;

/** Who wants something again writes it down again: what was replaced before is no matter any more. */
function noteOverwritten(
  { overwritten = {} }: GrantSet,
  by: string,
  operations: ReadonlySet<string>,
): NonNullable<GrantSet['overwritten']> {
  const noted = new Map(Object.entries(overwritten));
  noted.delete(by);
  for (const operation of operations) {
    noted.set(operation, [...new Set([...(noted.get(operation) ?? []), by])].slice(-mostOverwriters));
  }
  return Object.fromEntries([...noted].slice(-mostOverwritten));
}

/** There, or somebody is about to decide on it. */
function isOpen({ value, undecided }: RegisteredGrant): boolean {
  return value.present || undecided === true;
}

function stateOf(grant: GrantSetWish['grants'][number], { mode, actor }: GrantSetWish): GrantState {
  const who = actor === undefined ? {} : { actor: cutText(actor, mostActorBytes) };
  if (mode === 'revoke') return { present: false, ...who };
  const { expiresAt, reason } = grant;
  return {
    present: true,
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(reason === undefined ? {} : { reason: cutText(reason, mostReasonBytes) }),
    ...who,
  };
}

function identityOf({ principal, kind, role }: Pick<RegisteredGrant, 'principal' | 'kind' | 'role'>) {
  return { principal, kind, role };
}

/** What was decided stays known, until the new value is decided too. A value of the same operation is decided already. */
function assigned<T extends object>(known: Register<T> | undefined, value: T & Author): Register<T> {
  if (known === undefined) return { value, undecided: true };
  if (!known.undecided && known.value.operation === value.operation) return known;
  const before = known.undecided ? known.before : known.value;
  return { value, undecided: true, ...(before === undefined ? {} : { before }) };
}

/** Takes what an operation wanted out again: it turned out to be impossible. */
export function withdraw(set: GrantSet, operation: string): GrantSet {
  const back = <T extends Register<object>>(register: T): T | undefined => {
    if (!register.undecided || register.value.operation !== operation) return register;
    const { undecided: _, before, ...rest } = register;
    return before === undefined ? undefined : ({ ...rest, value: before } as unknown as T);
  };
  const { [operation]: _, ...overwritten } = set.overwritten ?? {};
  return summarise({
    ...set,
    exact: set.exact ? (back(set.exact) ?? null) : null,
    grants: mapValues(set.grants, back),
    customRoles: mapValues(set.customRoles, back),
    overwritten,
  });
}

/** A map without those of its values that become undefined. */
export function mapValues<T>(
  map: Readonly<Record<string, T>>,
  change: (value: T) => T | undefined,
): Record<string, T> {
  return Object.fromEntries(
    Object.entries(map).flatMap(([key, value]) => {
      const changed = change(value);
      return changed === undefined ? [] : [[key, changed] as const];
    }),
  );
}

/** A set without what there is no room for, and with the fields that queries need, as they follow from the others. */
export function summarise(set: GrantSet): GrantSet {
  const grants = forgetOldest(set.grants);
  const states = Object.values(grants).flatMap(({ principal, value, before }) =>
    [value, before].flatMap((state) => (state?.present ? [{ principal, ...state }] : [])),
  );
  const expiries = states.flatMap(({ expiresAt }) => (expiresAt ? [expiresAt.getTime()] : []));
  const open = Object.values(grants).filter(({ undecided }) => undecided);
  return {
    ...set,
    grants,
    ...(set.reached === undefined ? {} : { reached: set.reached && openOperations(set).length > 0 }),
    principals: [...new Set([...states, ...open].map(({ principal }) => principal))].sort(),
    nextExpiry: expiries.length === 0 ? null : new Date(Math.min(...expiries)),
  };
}

function versionConflict({ name, version }: CustomRole, index: number): OperationError {
  const code = 'ROLE_VERSION_CONFLICT';
  const message = `The custom role ${name} has another definition with the version ${version}. A changed definition needs a higher version.`;
  const problems = [{ path: `data.customRoles[${index}].version`, code, message }];
  return new OperationError(code, message, { details: { customRole: name, version, problems } });
}
