import { OperationError } from '../operation/errors.ts';

/** gRPC's status codes by number. @see https://grpc.io/docs/guides/status-codes/ */
export const grpcStatus = {
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

export type StatusName = keyof typeof grpcStatus;

const retryable: ReadonlySet<StatusName> = new Set([
  'DEADLINE_EXCEEDED',
  'RESOURCE_EXHAUSTED',
  'ABORTED',
  'INTERNAL',
  'UNAVAILABLE',
  'UNAUTHENTICATED',
]);

export interface ServiceError extends Error {
  readonly code: number;
}

export function isServiceError(error: unknown): error is ServiceError {
  // A DOMException has a number of its own, which means something else.
  if (!(error instanceof Error) || error instanceof DOMException) return false;
  return 'code' in error && typeof error.code === 'number';
}

/** Whether a Google service answered with this status. */
export function hasStatus(error: unknown, name: StatusName): boolean {
  return isServiceError(error) && nameOfStatus(error) === name;
}

/** What an error of a Google service means for an operation; undefined for a status that has no rule. */
export function fromServiceError(error: ServiceError): OperationError | undefined {
  const name = nameOfStatus(error);
  if (name === undefined) return undefined;
  return new OperationError(`GOOGLE_${name}`, `A Google service answered ${name}: ${error.message}`, {
    retryable: isRetryable(name),
    cause: error,
  });
}

/** gRPC's codes end where HTTP's have not begun, so the number says which of the two kinds of client threw it. */
function nameOfStatus(error: ServiceError): StatusName | undefined {
  if (error.code >= 400 && error.code < 600) return nameOfHttpStatus(error.code, reasonIn(error));
  return (Object.keys(grpcStatus) as StatusName[]).find((name) => grpcStatus[name] === error.code);
}

/** The clients of REST APIs keep the errors of the answer. */
function reasonIn(error: object): string | undefined {
  const [first] = 'errors' in error && Array.isArray(error.errors) ? (error.errors as unknown[]) : [];
  return first instanceof Object && 'reason' in first && typeof first.reason === 'string'
    ? first.reason
    : undefined;
}

/** @see https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto */
const namesByHttpStatus: Readonly<Record<number, StatusName>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  408: 'DEADLINE_EXCEEDED',
  409: 'ABORTED',
  412: 'FAILED_PRECONDITION',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
  504: 'DEADLINE_EXCEEDED',
};

/** Quotas that were answered with 403 before there was 429, and still are by some. */
const quotaReasons: ReadonlySet<string> = new Set([
  'rateLimitExceeded',
  'userRateLimitExceeded',
  'quotaExceeded',
  'dailyLimitExceeded',
]);

/**
 * What an HTTP status of a Google REST API means in the same terms. A status that has no rule is taken for UNAVAILABLE
 * from 500 on and for FAILED_PRECONDITION below.
 *
 * @param reason of the first of the answer's errors
 */
export function nameOfHttpStatus(status: number, reason?: string): StatusName {
  if (status === 403 && quotaReasons.has(reason ?? '')) return 'RESOURCE_EXHAUSTED';
  return namesByHttpStatus[status] ?? (status >= 500 ? 'UNAVAILABLE' : 'FAILED_PRECONDITION');
}

/** Whether another attempt may succeed after this status. */
export function isRetryable(name: StatusName): boolean {
  return retryable.has(name);
}
