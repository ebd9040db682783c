import type { OperationRecord } from '../shared/registry/operations.ts';
import { redact } from '../shared/telemetry/redact.ts';

/** The order of keys on every level: from what it is to how it ended. What is not listed follows in the alphabet's. */
const order = [
  ...[
    'id',
    'secret',
    'tenant',
    'repository',
    'step',
    'position',
    'function',
    'operationId',
    'dryRun',
    'messageHash',
    'messageId',
    'publishedAt',
    'revision',
  ],
  ...['claimedActor', 'traceparent', 'target', 'state', 'epoch', 'owner', 'leaseSeconds', 'renewedAt'],
  ...['admitted', 'counted', 'notBefore', 'publishAt'],
  ...[
    'createdAt',
    'startedAt',
    'finishedAt',
    'durationMs',
    'summary',
    'partial',
    'changes',
    'action',
    'kind',
    'name',
    'detail',
  ],
  ...['notes', 'path', 'code', 'message', 'statements', 'details', 'truncated', 'error', 'reason'],
  ...['reported', 'deadLettered', 'payload', 'attributes', 'data', 'parts', 'expireAt'],
];
const ranks = new Map(order.map((name, index) => [name, index]));

/**
 * An operation's record as JSON: its id first, times as ISO 8601 in UTC, bytes as base64, keys always in the same
 * order.
 */
export function recordJson(id: string, record: Partial<OperationRecord>): string {
  return toJson(identified({ id, record }));
}

/** Several of them, as an array. */
export function recordsJson(records: readonly Identified[]): string {
  return toJson(records.map(identified));
}

interface Identified {
  readonly id: string;
  readonly record: Partial<OperationRecord>;
}

/** Errors come from everywhere: secrets are taken out of them once more, as from every event. */
function identified({ id, record }: Identified) {
  return record.error ? { id, ...record, error: redact(record.error) } : { id, ...record };
}

/** JSON with times as ISO 8601 in UTC, bytes as base64, and keys always in the same order. */
export function toJson(value: unknown): string {
  return JSON.stringify(plain(value), undefined, 2);
}

function plain(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (isTimestamp(value)) return value.toDate().toISOString();
  const entries = Object.entries(value).sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, part]) => [name, plain(part)]));
}

function rank(name: string): number {
  return ranks.get(name) ?? order.length;
}

function isTimestamp(value: object): value is { toDate(): Date } {
  return 'toDate' in value && typeof value.toDate === 'function';
}
