import type { Firestore } from '@google-cloud/firestore';
import type { Waiting } from '../operation/deferral.ts';
import type { Delivery } from '../operation/delivery.ts';
import type { OperationError } from '../operation/errors.ts';
import type { Outcome } from '../operation/outcome.ts';
import { redact } from '../telemetry/redact.ts';
import { type Claim, leaseLost } from './claims.ts';
import { expiry } from './expiry.ts';
import { type Intent, markApplied, withdraw } from './intents.ts';
import {
  type FailureReason,
  isFinal,
  leftLine,
  type OperationRecord,
  operationsCollection,
  type RecordedError,
} from './operations.ts';
import { inlineBytes, keepOutcome, keepPayload } from './parts.ts';

/** How an operation ended. */
export type End =
  | { readonly state: 'succeeded' | 'planned'; readonly outcome: Outcome }
  | {
      readonly state: 'failed';
      readonly error: OperationError;
      readonly reason: FailureReason;
      readonly delivery: Delivery;
    };

/** Of a list that goes to a part of its own. */
const shownWhenTruncated = 50;

/**
 * Ends an operation: its record and the registry's, in one transaction, so that neither says what the other doesn't.
 *
 * @param applied the intent that is fulfilled now, and what came of it
 * @returns the record as it is now
 * @throws OperationError `LEASE_LOST`: a successor has it, and its outcome counts
 */
export async function completeOperation(
  db: Firestore,
  claim: Claim,
  end: End,
  intent?: { intent: Intent; facts?: Record<string, unknown> },
): Promise<OperationRecord> {
  const finishedAt = new Date();
  const fields = {
    ...(end.state === 'failed' ? await failure(claim, end) : await success(claim, end.outcome)),
    state: end.state,
    finishedAt,
    durationMs: finishedAt.getTime() - claim.startedAt.getTime(),
    reported: false,
    expireAt: expiry(finishedAt),
  };
  return db.runTransaction(async (transaction) => {
    const references = intent === undefined ? [claim.ref] : [claim.ref, intent.intent.ref];
    const [operation, intended] = await transaction.getAll(...references);
    const record = operation?.data() as OperationRecord | undefined;
    if (record?.owner !== claim.owner) throw leaseLost(claim);
    if (isFinal(record.state)) return record; // written before; only the answer was lost
    transaction.update(claim.ref, { ...fields, ...leftLine(record) });
    // What was begun may have been taken back, with all that was known of it.
    if (intent && intended?.exists) {
      if (end.state === 'failed') withdraw(transaction, claim, intent.intent, intended);
      else markApplied(transaction, claim, intent.intent, intended, intent.facts ?? {});
    }
    return { ...record, ...fields } as unknown as OperationRecord;
  });
}

/** What an earlier attempt may have left on the record, and is true no longer. */
const mended = { error: null, reason: null, payload: null };

async function success(claim: Claim, outcome: Outcome) {
  const { changes, notes = [], statements, summary, result, partial } = outcome;
  const rest = { summary, result, partial, ...mended };
  const whole = Buffer.from(JSON.stringify({ changes, notes, statements }));
  if (whole.length <= inlineBytes) return { changes, notes, statements, truncated: false, ...rest };
  await keepOutcome(claim.ref, claim.epoch, whole);
  return {
    changes: beginning(changes),
    notes: beginning(notes),
    statements: statements && beginning(statements),
    truncated: true,
    ...rest,
  };
}

/** As much of a list as people look at and a record has room for. */
function beginning<T>(list: readonly T[]): T[] {
  let bytes = 0;
  return list.slice(0, shownWhenTruncated).filter((one) => {
    bytes += Buffer.byteLength(JSON.stringify(one));
    return bytes <= inlineBytes / 4;
  });
}

async function failure(claim: Claim, end: End & { state: 'failed' }) {
  return {
    error: recordable(end.error),
    reason: end.reason,
    payload: await keepPayload(claim.ref, end.delivery),
  };
}

/** An error as a record can hold it: long lists in its details are cut. */
export function recordable({ code, message, details = {} }: OperationError): RecordedError {
  const fits = Buffer.byteLength(JSON.stringify(details)) <= inlineBytes;
  const shown = Object.entries(details).map(([name, value]) => [
    name,
    Array.isArray(value) && !fits
      ? [...value.slice(0, shownWhenTruncated), `… ${value.length} in all`]
      : value,
  ]);
  return redact({
    code,
    message: message.slice(0, 8192),
    details: Object.fromEntries(shown),
  }) as RecordedError;
}

/**
 * Has an operation wait, because its handler has to. Its message is kept, for nobody delivers it again.
 *
 * @throws OperationError `LEASE_LOST`: a successor has it, and may be done already
 */
export async function deferOperation(
  db: Firestore,
  claim: Claim,
  { error, notBefore }: Waiting,
  delivery: Delivery,
): Promise<void> {
  const payload = await keepPayload(claim.ref, delivery);
  await db.runTransaction(async (transaction) => {
    const record = (await transaction.get(claim.ref)).data() as OperationRecord | undefined;
    if (record?.owner !== claim.owner) throw leaseLost(claim);
    if (record.state !== 'running') return; // written before; only the answer was lost
    transaction.update(claim.ref, {
      state: 'deferred',
      notBefore,
      publishAt: notBefore,
      payload,
      error: recordable(error),
      // It waits for another than its tenant's others do: neither in their way nor in their line.
      ...(record.admitted ? { admitted: null } : {}),
    });
  });
}

/** Hands an operation back, so that the next delivery takes it at once instead of waiting for the lease to end. */
export async function releaseOperation(claim: Claim, error: OperationError): Promise<void> {
  const fields = { state: 'pending', error: recordable(error), renewedAt: new Date() };
  await claim.ref.update(fields, { lastUpdateTime: claim.token });
}

/**
 * Notes that the end of an operation was published: this end, and not one that a replay came to since.
 *
 * @param published the record whose end it was
 */
export async function markReported(
  db: Firestore,
  id: string,
  published: Pick<OperationRecord, 'epoch' | 'state'>,
): Promise<void> {
  const ref = db.collection(operationsCollection).doc(id);
  await db.runTransaction(async (transaction) => {
    const record = (await transaction.get(ref)).data() as OperationRecord | undefined;
    if (record?.epoch !== published.epoch || record.state !== published.state) return;
    transaction.update(ref, { reported: true });
  });
}
