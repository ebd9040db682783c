import { config } from '../config.ts';
import { publish } from '../gcp/pubsub.ts';
import type { OperationRecord } from '../registry/operations.ts';
import { redact } from '../telemetry/redact.ts';

/** The data of a result event. */
export interface OperationResult {
  /** The id of the operation's record. */
  operation: string;
  operationId: string;
  function: string;
  state: 'succeeded' | 'planned' | 'failed';
  dryRun: boolean;
  target: string | null;
  claimedActor: string | null;
  tenant: string | null;
  /** Of the attempt that ended it. */
  attempt: number;
  publishedAt: string;
  finishedAt: string;
  durationMs: number;
  changes: unknown[];
  notes: unknown[];
  summary: Record<string, number> | null;
  /** What whoever asked has to know to use it: names and places, never values. */
  result: Record<string, unknown> | null;
  /** It did what it could; the rest is in the notes. */
  partial: boolean;
  /** The lists are longer than shown; the record has them whole. */
  truncated: boolean;
  error: unknown;
  reason: string | null;
}

/**
 * Publishes how an operation ended, as a CloudEvent in structured mode. Its id is made of the operation and the
 * attempt, so that whoever sees it twice can tell.
 *
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
 */
export async function publishResult(id: string, record: OperationRecord): Promise<void> {
  await publishEvent(resultEvent(id, record), {
    function: record.function,
    'operation-id': record.operationId,
    state: record.state,
    ...(record.traceparent === undefined ? {} : { traceparent: record.traceparent }),
  });
}

/** Publishes a CloudEvent in structured mode, on the topic of the results. */
export async function publishEvent(
  event: { readonly type: string },
  attributes: Readonly<Record<string, string>>,
): Promise<void> {
  await publish(config().DROVER_RESULTS_TOPIC, Buffer.from(JSON.stringify(event)), {
    'content-type': 'application/cloudevents+json; charset=utf-8',
    type: event.type,
    ...attributes,
  });
}

export function resultEvent(id: string, record: OperationRecord) {
  const finishedAt = asDate(record.finishedAt).toISOString();
  const data: OperationResult = {
    operation: id,
    operationId: record.operationId,
    function: record.function,
    state: record.state as OperationResult['state'],
    dryRun: record.dryRun,
    target: record.target ?? null,
    claimedActor: record.claimedActor ?? null,
    tenant: record.tenant ?? null,
    attempt: record.epoch,
    publishedAt: asDate(record.publishedAt).toISOString(),
    finishedAt,
    durationMs: record.durationMs ?? 0,
    changes: record.changes ?? [],
    notes: record.notes ?? [],
    summary: record.summary ?? null,
    result: record.result ?? null,
    partial: record.partial ?? false,
    truncated: record.truncated ?? false,
    error: redact(record.error ?? null),
    reason: record.reason ?? null,
  };
  return {
    specversion: '1.0',
    id: `${id}.${record.epoch}.${record.state}`,
    source: `//drover/projects/${config().GOOGLE_CLOUD_PROJECT}/functions/${record.function}`,
    type: `drover.operation.${record.state}`,
    subject: record.operationId,
    time: finishedAt,
    datacontenttype: 'application/json',
    data,
  };
}

/** A record just written holds dates, one that was read Firestore's timestamps. */
function asDate(time: { toDate(): Date } | Date | undefined): Date {
  if (time === undefined) throw new Error('an operation that ended has no time of its end');
  return time instanceof Date ? time : time.toDate();
}
