import type { Timestamp } from '@google-cloud/firestore';
import { hash } from '../operation/canonical.ts';
import type { Change, Note } from '../operation/outcome.ts';
import type { Request } from '../operation/request.ts';

/**
 * - `running`: a worker holds it, under a lease
 * - `pending`: nobody does; the next delivery takes it
 * - `succeeded`, `planned` (a dry run), `failed`: it ended
 */
export type OperationState = 'running' | 'pending' | 'succeeded' | 'planned' | 'failed';

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

  state: OperationState;
  /** The number of the attempt. */
  epoch: number;
  /** The nonce of the attempt's worker. */
  owner: string;
  /** The worker is taken for dead when the document has not been written for this long, by Firestore's clock. */
  leaseSeconds: number;
  renewedAt: Timestamp;

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
  /** The message as it came, kept when it failed so that it can be replayed. */
  payload?: KeptMessage | null;
  /** Firestore's TTL deletes it some time after this. */
  expireAt?: Timestamp;
}

export const operationsCollection = 'operations';

/** A hash, because message ids rise: documents with rising names make one hot spot in Firestore. */
export function operationDocumentId(
  functionName: string,
  { operationId, dryRun }: Pick<Request, 'operationId' | 'dryRun'>,
): string {
  return hash(functionName, operationId, String(dryRun)).slice(0, 40);
}

/**
 * The record of a message whose id is taken by another one. It is made of the content, so that redeliveries find it,
 * and the record that was first stays as it is.
 */
export function conflictDocumentId(takenId: string, messageHash: string): string {
  return hash(takenId, messageHash).slice(0, 40);
}

export function isFinal(state: OperationState): boolean {
  return state === 'succeeded' || state === 'planned' || state === 'failed';
}
