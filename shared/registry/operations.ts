import type { Timestamp } from '@google-cloud/firestore';
import { hash } from '../operation/canonical.ts';
import type { Change, Note } from '../operation/outcome.ts';
import type { Request } from '../operation/request.ts';

/**
 * - `running`: a worker holds it, under a lease
 * - `pending`: nobody does; the next delivery takes it
 * - `deferred`: it waits, a tenant's that is over its limits or one whose handler says so; its message is kept, and
 *   published again after `notBefore`
 * - `succeeded`, `planned` (a dry run), `failed`: it ended
 */
export type OperationState = 'running' | 'pending' | 'deferred' | 'succeeded' | 'planned' | 'failed';

/**
 * Why an operation failed for good: the message itself was refused (`rejected`), doing it was (`permanent`), or every
 * delivery failed with something that might have passed (`exhausted`).
 */
export type FailureReason = 'rejected' | 'permanent' | 'exhausted';

export interface RecordedError {
  code: string;
  message: string;
  details: Readonly<Record<string, unknown>>;
}

/** A message as it came. Attributes are a list: as names of fields Firestore would refuse some of them (`__a__`). */
export interface KeptMessage {
  attributes: { name: string; value: string }[];
  data?: Buffer;
  /** How many parts hold the data, where it is too long for the record. */
  parts?: number;
}

/** The document of one operation: `operations/{operationDocumentId}`. Times are Firestore timestamps. */
export interface OperationRecord {
  function: string;
  operationId: string;
  dryRun: boolean;
  /** Of the message's content; the same id with another content is a conflict. */
  messageHash: string;
  messageId: string;
  /** When it was first asked for. */
  publishedAt: Timestamp;
  revision?: number;
  claimedActor?: string;
  traceparent?: string;
  /** What it is about, for people and queries: `project:region:name/database`. */
  target?: string;
  /** Who asked, where it was a tenant. */
  tenant?: string;

  state: OperationState;
  /** The number of the attempt. */
  epoch: number;
  /** The nonce of the attempt's worker. */
  owner: string;
  /** The worker is taken for dead when the document has not been written for this long, by Firestore's clock. */
  leaseSeconds: number;
  renewedAt: Timestamp;

  /** Of a tenant's: true has a place among those that run at a time, false waits for one in line; else it does neither. */
  admitted?: boolean | null;
  /** Of a tenant's: it is in the figures of its day. An operation counts once, however often it is run. */
  counted?: boolean;
  /** Of a deferred one: when it may run. */
  notBefore?: Timestamp | null;
  /** Of a deferred one: when its message is published next. */
  publishAt?: Timestamp | null;

  createdAt: Timestamp;
  startedAt: Timestamp;
  finishedAt?: Timestamp;
  /** Duration of the attempt that ended it. */
  durationMs?: number;

  changes?: Change[];
  notes?: Note[];
  /** Of a dry run: the exact statements. */
  statements?: string[];
  /** How many of what. */
  summary?: Record<string, number>;
  /** What whoever asked has to know to use it. */
  result?: Record<string, unknown> | null;
  /** It did what it could; the rest is in the notes. */
  partial?: boolean;
  /** The lists above were too long for the record, which has their beginnings: see `readOutcome`. */
  truncated?: boolean;

  /** Why it failed, or why its last attempt did. */
  error?: RecordedError | null;
  reason?: FailureReason | null;

  /** Whether its end has been published. */
  reported: boolean;
  deadLettered: boolean;
  /** The message as it came, kept when it failed or was deferred so that it can be published again. */
  payload?: KeptMessage | null;
  /** Firestore's TTL deletes it some time after this. */
  expireAt?: Timestamp;
}

export const operationsCollection = 'operations';

/**
 * A hash, because message ids rise: documents with rising names make one hot spot in Firestore. Tenants have ids of their
 * own: none can take another's.
 */
export function operationDocumentId(
  functionName: string,
  { operationId, dryRun, tenant }: Pick<Request, 'operationId' | 'dryRun' | 'tenant'>,
): string {
  const ofTenant = tenant === undefined ? [] : [tenant];
  return hash(functionName, operationId, String(dryRun), ...ofTenant).slice(0, 40);
}

/**
 * The record of a message whose id is taken by another one. It is made of the content, so that redeliveries find it,
 * and the record that was first stays as it is.
 */
export function conflictDocumentId(takenId: string, messageHash: string): string {
  return hash(takenId, messageHash).slice(0, 40);
}

/** Ended because nothing was heard of it for long, and nothing is known to be wrong with it: if its message comes, it is run. */
export const stuckCode = 'STUCK';

export function isStuck({
  state,
  error,
}: Pick<OperationRecord, 'state'> & { readonly error?: RecordedError | null | undefined }): boolean {
  return state === 'failed' && error?.code === stuckCode;
}

/** Of a record whose operation ended, and is run again. */
export const reopened = { reported: false, deadLettered: false, expireAt: null };

/** What a deferral left on a record, and is true no longer when the operation is taken: its message is there. */
export const noLongerDeferred = { notBefore: null, publishAt: null, payload: null, error: null };

/** What has to be written beside the end of an operation, so that nobody waits for it. */
export function leftLine(record: Pick<OperationRecord, 'admitted'> | undefined): { admitted?: null } {
  return record?.admitted === false ? { admitted: null } : {};
}

export function isFinal(state: OperationState): boolean {
  return state === 'succeeded' || state === 'planned' || state === 'failed';
}
