import { config } from '../config.ts';
import { firestore } from '../gcp/firestore.ts';
import { type Claim, claimOperation } from '../registry/claims.ts';
import { completeOperation, deferOperation, markReported, releaseOperation } from '../registry/completion.ts';
import type { Intent } from '../registry/intents.ts';
import { conflictDocumentId, type OperationRecord, operationDocumentId } from '../registry/operations.ts';
import { createLogger, type Logger, type Severity, traceFields } from '../telemetry/log.ts';
import { continueTrace, inSpan } from '../telemetry/trace.ts';
import { type Attempted, attempt } from './attempt.ts';
import { classify } from './classify.ts';
import type { Waiting } from './deferral.ts';
import type { OperationDefinition } from './definition.ts';
import { type Delivery, readDelivery } from './delivery.ts';
import { OperationError } from './errors.ts';
import { notAcknowledged } from './not-acknowledged.ts';
import { authorize, subjectOf } from './policy.ts';
import type { Received } from './received.ts';
import { publishResult } from './report.ts';
import {
  attribute,
  invalidMessage,
  type ParsedData,
  parseData,
  type Request,
  readRequest,
} from './request.ts';
import { type Limits, runAbortable } from './running.ts';

/** Time kept back from the platform's timeout for ending the operation. */
const reserveSeconds = 10;

/**
 * The life of one message. Every step may be the last one before a crash, and every one may be repeated:
 *
 *     1 deliver      take the message out of its envelope
 *     2 validate     attributes and data; what can never be valid ends as `failed` (rejected)
 *     3 authorize    likewise for what the policy doesn't allow
 *     4 claim        create the record, or find that somebody else did; a tenant's message is admitted, or deferred
 *     5 run          the handler, under lease and deadline
 *     6 complete     record and registry, in one transaction, if this worker still holds the claim; or defer
 *     7 report       the result event, then `reported` on the record
 *     8 acknowledge  return
 *
 * Before 4 nothing has happened and the message comes again. Between 4 and 6 the record is `running` and its lease
 * runs out; where it is `deferred`, by 4 or because the handler has to wait, its message is kept and published again.
 * Between 6 and 7 the record is final and unreported: the next delivery reports. After 7 a delivery finds nothing to do.
 */
export async function deliver<M>(definition: OperationDefinition<M>, event: unknown): Promise<void> {
  const { name } = definition;
  const log = createLogger({ function: name });
  let delivery: Delivery;
  try {
    const delivered = readDelivery(event);
    const adapted = definition.adapt?.(delivered);
    if (adapted && 'ignore' in adapted) return log.log('INFO', 'event ignored', { why: adapted.ignore });
    delivery = { ...delivered, ...adapted };
  } catch (error) {
    throw notAcknowledged(log, classify(error));
  }
  const { request, problems } = readRequest(delivery);
  const data = parseData(delivery.data, definition.message);
  const refused = refusal(definition, request, data, problems);
  const operation: Received<M> = {
    definition,
    delivery,
    request,
    data,
    refused,
    id: operationDocumentId(name, request),
    log: log.with({
      operation: request.operationId,
      ...(request.tenant === undefined ? {} : { tenant: request.tenant }),
      ...traceFields(request.traceparent),
    }),
  };
  const timeoutMs = Math.max(1, definition.timeoutSeconds - reserveSeconds) * 1000;
  await continueTrace(request.traceparent, () =>
    inSpan(
      'drover.deliver',
      { 'drover.function': name, 'drover.operation': request.operationId },
      async () => {
        try {
          await runAbortable(timeoutMs, (limits) => handle(operation, limits));
        } catch (error) {
          throw notAcknowledged(operation.log, classify(error));
        }
      },
    ),
  );
}

function refusal<M>(
  definition: OperationDefinition<M>,
  { tenant }: Request,
  data: ParsedData<M>,
  attributeProblems: readonly { path: string; message: string }[],
): OperationError | undefined {
  const problems = [...attributeProblems, ...('problems' in data ? data.problems : [])];
  if (problems.length > 0 || 'problems' in data) return invalidMessage(problems);
  if (tenant !== undefined && !definition.forTenants) return notForTenants(definition.name, tenant);
  const access = definition.access(data.message);
  return access && authorize(definition.name, access, config().DROVER_POLICY.rules);
}

function notForTenants(name: string, tenant: string): OperationError {
  const message = `${name} is not for tenants: a message to it can't have the attribute ${attribute.tenant} (${tenant})`;
  return new OperationError('NOT_ALLOWED', message, { details: { tenant } });
}

async function handle<M>(operation: Received<M>, limits: Limits): Promise<void> {
  const { id, log } = operation;
  const db = await firestore();
  const claimed = await inSpan('drover.claim', {}, () => claimOperation(db, wanted(operation)));
  switch (claimed.kind) {
    case 'claimed': {
      const { tenant } = operation.request;
      if (tenant !== undefined && operation.refused === undefined) {
        // Most messages are the platform's own, and don't wait for this to be loaded.
        const { admit } = await import('./admit.ts');
        const verdict = await admit(db, claimed.claim, operation, tenant);
        if (verdict.kind === 'end') return finish(operation, claimed.claim, verdict.end);
        if (verdict.kind === 'wait') return;
      }
      const { end, intent, facts } = await attempt(db, claimed.claim, operation, limits);
      return finish(operation, claimed.claim, end, intent && { intent, facts });
    }
    case 'conflict':
      return refuseConflict(operation);
    case 'report':
      await report(id, claimed.record, log);
      return;
    case 'done':
      log.log('INFO', 'duplicate of an operation that ended');
      return;
    case 'busy':
      throw new OperationError('BUSY', 'Another worker is at this operation', { retryable: true });
  }
}

function wanted<M>({ definition, data, ...operation }: Received<M>) {
  const access = 'message' in data ? definition.access(data.message) : undefined;
  return {
    ...operation,
    functionName: definition.name,
    messageHash: data.hash,
    target: access && subjectOf(access),
    leaseSeconds: config().DROVER_LEASE_SECONDS,
  };
}

/**
 * The operation of this id is about something else, and its record must stay as it is: the refusal has one of its
 * own, whose id is made of the content, so that redeliveries find it.
 */
async function refuseConflict<M>(operation: Received<M>): Promise<void> {
  const id = conflictDocumentId(operation.id, operation.data.hash);
  const error = new OperationError(
    'IDEMPOTENCY_CONFLICT',
    `An operation with the id ${operation.request.operationId} exists, and its message was another one. ` +
      'Every new message needs an id of its own.',
    { details: { operation: operation.id } },
  );
  const db = await firestore();
  const claimed = await claimOperation(db, { ...wanted(operation), id });
  const { delivery } = operation;
  if (claimed.kind === 'claimed') {
    await finish(operation, claimed.claim, { state: 'failed', error, reason: 'rejected', delivery });
  } else if (claimed.kind === 'report') await report(id, claimed.record, operation.log);
  else if (claimed.kind === 'busy')
    throw new OperationError('BUSY', 'Another worker is at it', { retryable: true });
}

/** Steps 6 and 7, or the way back: an attempt that may be repeated hands its operation over to the next delivery. */
async function finish<M>(
  operation: Received<M>,
  claim: Claim,
  end: Attempted['end'],
  intended?: { intent: Intent; facts: Record<string, unknown> },
): Promise<void> {
  if (end.state === 'pending') {
    // Where even this fails, the lease runs out by itself.
    if (end.error.code !== 'LEASE_LOST') await releaseOperation(claim, end.error).catch(() => undefined);
    throw end.error;
  }
  if (end.state === 'deferred') return defer(operation, claim, end);
  const db = await firestore();
  const record = await inSpan('drover.complete', {}, () =>
    orRelease(claim, completeOperation(db, claim, end, intended)),
  );
  await report(claim.id, record, operation.log);
}

/** The handler has to wait. Its message is kept, and published again by `reconcile`. */
async function defer<M>({ delivery, log }: Received<M>, claim: Claim, waiting: Waiting): Promise<void> {
  const db = await firestore();
  await inSpan('drover.defer', {}, () => orRelease(claim, deferOperation(db, claim, waiting, delivery)));
  const { error, notBefore } = waiting;
  log.log('INFO', 'operation deferred', {
    record: claim.id,
    notBefore: notBefore.toISOString(),
    why: error.message,
  });
}

/** Where an end can't be written, the operation is handed back. */
async function orRelease<T>(claim: Claim, written: Promise<T>): Promise<T> {
  try {
    return await written;
  } catch (thrown) {
    // If it was written and only the answer lost, this is refused: the record's time has moved on.
    await releaseOperation(claim, classify(thrown)).catch(() => undefined);
    throw thrown;
  }
}

async function report(id: string, record: OperationRecord, log: Logger): Promise<void> {
  await inSpan('drover.report', {}, async () => {
    await publishResult(id, record);
    await markReported(await firestore(), id, record);
  });
  const { state, durationMs, epoch, changes, notes, error, reason } = record;
  log.log(severity(record), `operation ${state}`, {
    record: id,
    durationMs,
    attempt: epoch,
    changes: changes?.length ?? 0,
    ...(notes?.length ? { notes: notes.map(({ code }) => code) } : {}),
    ...(error ? { code: error.code, reason, problem: error.message } : {}),
  });
}

/** What the publisher has to mend is no error of the platform's. */
function severity({ state, reason }: OperationRecord): Severity {
  if (state !== 'failed') return 'INFO';
  return reason === 'rejected' ? 'WARNING' : 'ERROR';
}
