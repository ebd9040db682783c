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

type StatusName = keyof typeof grpcStatus;

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
  return isServiceError(error) && error.code === grpcStatus[name];
}

/** What an error of a Google service means for an operation; undefined for a status that has no rule. */
export function fromServiceError(error: ServiceError): OperationError | undefined {
  const name = (Object.keys(grpcStatus) as StatusName[]).find(
    (candidate) => grpcStatus[candidate] === error.code,
  );
  if (name === undefined) return undefined;
  return new OperationError(`GOOGLE_${name}`, `A Google service answered ${name}: ${error.message}`, {
    retryable: retryable.has(name),
    cause: error,
  });
}
