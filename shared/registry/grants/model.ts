import type { CustomRole } from '../../postgres/custom-role.ts';
import type { PrincipalKind } from '../../postgres/principals.ts';
import type { Order } from '../claims.ts';

/** Which operation wants something, and its place among others. */
export interface Author extends Order {
  readonly operation: string;
}

/**
 * Something that is wanted. Until the operation that wants it has ended it is undecided, and what was decided before is
 * kept: an impossible wish leaves no trace.
 */
export interface Register<T> {
  readonly value: T & Author;
  readonly undecided?: boolean;
  /** What was decided last, while the value is undecided. */
  readonly before?: T & Author;
}

/** Whether a principal shall have a role, and until when. */
export interface GrantState {
  readonly present: boolean;
  readonly expiresAt?: Date;
  readonly reason?: string;
  /** Who said to ask for it. */
  readonly actor?: string;
  /** It was taken back because its time was over, and by no message. */
  readonly expired?: boolean;
  /** The operation whose grant that was: sent again, it doesn't grant it once more. */
  readonly grantedBy?: string;
}

export interface RegisteredGrant extends Register<GrantState> {
  readonly principal: string;
  readonly kind: PrincipalKind;
  /** A level or the name of a custom role. */
  readonly role: string;
}

export interface RoleState {
  readonly definition: CustomRole;
  readonly checksum: string;
}

/** What became of a grant, for people. */
export interface HistoryEntry {
  readonly at: Date;
  readonly action: 'grant' | 'renew' | 'revoke' | 'expire';
  readonly principal: string;
  readonly role: string;
  readonly operation: string;
  readonly actor?: string;
  readonly reason?: string;
  readonly expiresAt?: Date;
}

/** The document of all grants of one schema, or of one database's own roles: `grants/{hash}`. */
export interface GrantSet {
  readonly instance: string;
  readonly database: string;
  /** Null for the database's own roles. */
  readonly schema: string | null;
  /** The number of the last attempt to change something, and of the last one that ended. */
  readonly epoch: number;
  readonly appliedEpoch: number;
  /** Somebody whose wish is open has got as far as the catalog. */
  readonly reached?: boolean;
  /** The last message that named all grants there are to be. */
  readonly exact: Register<object> | null;
  /** By {@link grantKey}. Those that were taken back stay for a while, so that older messages find them. */
  readonly grants: Readonly<Record<string, RegisteredGrant>>;
  /** By name. */
  readonly customRoles: Readonly<Record<string, Register<RoleState>>>;
  /**
   * Operations whose open wishes were replaced, in part or whole, and by which ones that haven't ended: if these turn out
   * to be impossible, the others' wishes have to be written down again.
   */
  readonly overwritten?: Readonly<Record<string, readonly string[]>>;
  /** The newest first. */
  readonly history: readonly HistoryEntry[];
  /** When the next grant has to be taken back; for the query. */
  readonly nextExpiry: Date | null;
  /** Who has a grant, or is to have one; for the query. */
  readonly principals: readonly string[];
}

export const grantsCollection = 'grants';

/*
 * A document holds 1 MiB. The most that these bounds let come together is built, written and measured by
 * test/shared/registry/grants/size.test.ts.
 */

/** More principals are better put into a group. */
export const mostGrantsPerSet = 500;

/** Grants that are there, or that somebody is about to decide on: a full set can be exchanged for one message's grants. */
export const mostLive = 600;

/** Of those that were taken back; the oldest are forgotten first. */
export const mostTombstones = 400;

export const mostHistory = 100;

/** Each is a role of PostgreSQL, which are all walked when a role is made. */
export const mostCustomRoles = 100;

/** As long as a message's reason may be, where it is ASCII. */
export const mostReasonBytes = 200;

/** An e-mail address. */
export const mostActorBytes = 64;

export function grantKey({ role, principal }: Pick<RegisteredGrant, 'role' | 'principal'>): string {
  return `${role}:${principal}`;
}

export function emptySet(scope: Pick<GrantSet, 'instance' | 'database' | 'schema'>): GrantSet {
  return {
    ...scope,
    epoch: 0,
    appliedEpoch: 0,
    exact: null,
    grants: {},
    customRoles: {},
    history: [],
    nextExpiry: null,
    principals: [],
  };
}

/** Whether an operation has tried before what it wants of a set, and hasn't settled it. */
export function isResumed(set: GrantSet, operation: string): boolean {
  return openOperations(set).includes(operation) || Object.hasOwn(set.overwritten ?? {}, operation);
}

/** Whether an operation was let want something before. */
export function isKnown(set: GrantSet, operation: string): boolean {
  const isItsOwn = ({ value }: RegisteredGrant) => value.operation === operation;
  return isResumed(set, operation) || Object.values(set.grants).some(isItsOwn);
}

/** Whether an operation replaced wishes of others that may have got as far as the catalog. */
export function hasOverwritten({ overwritten = {} }: GrantSet, operation: string): boolean {
  return Object.values(overwritten).some((by) => by.includes(operation));
}

/** The operations that want something of a set and haven't settled it. */
export function openOperations({ exact, grants, customRoles }: GrantSet): string[] {
  const registers = [exact, ...Object.values(grants), ...Object.values(customRoles)];
  return [...new Set(registers.flatMap((one) => (one?.undecided ? [one.value.operation] : [])))];
}
