import type { BigQueryRequest } from '../gcp/bigquery.ts';
import { isRetryable, isServiceError, nameOfHttpStatus, type StatusName } from '../gcp/status.ts';
import { OperationError } from '../operation/errors.ts';

/** What BigQuery says is wrong. @see https://cloud.google.com/bigquery/docs/reference/rest/v2/ErrorProto */
export interface ErrorProto {
  readonly reason?: string;
  readonly message?: string;
}

/** Reasons that say more than the HTTP status they come with. @see https://cloud.google.com/bigquery/docs/error-messages */
const byReason: Readonly<Record<string, StatusName>> = {
  accessDenied: 'PERMISSION_DENIED',
  backendError: 'UNAVAILABLE',
  conditionNotMet: 'FAILED_PRECONDITION',
  duplicate: 'ALREADY_EXISTS',
  internalError: 'INTERNAL',
  jobBackendError: 'UNAVAILABLE',
  jobInternalError: 'INTERNAL',
  jobRateLimitExceeded: 'RESOURCE_EXHAUSTED',
  notFound: 'NOT_FOUND',
  quotaExceeded: 'RESOURCE_EXHAUSTED',
  rateLimitExceeded: 'RESOURCE_EXHAUSTED',
  tableUnavailable: 'UNAVAILABLE',
};

const needed = 'roles/bigquery.dataOwner and roles/bigquery.jobUser';

/** What an error of the official client means for an operation. */
export function explainBigQueryError(error: unknown, { method, path }: BigQueryRequest): OperationError {
  if (error instanceof OperationError) return error;
  const call = `${method} ${path}`;
  if (!isServiceError(error)) return noAnswer(error, call);
  const [first] = 'errors' in error && Array.isArray(error.errors) ? (error.errors as ErrorProto[]) : [];
  const name = byReason[first?.reason ?? ''] ?? nameOfHttpStatus(error.code, first?.reason);
  return failure(name, `BigQuery answered ${error.code} to ${call}: ${first?.message ?? error.message}`, {
    status: error.code,
    reason: first?.reason,
    cause: error,
  });
}

/** What a job that ended with an error means. */
export function explainJobError({ reason, message }: ErrorProto, job: string): OperationError {
  const name = byReason[reason ?? ''] ?? 'INVALID_ARGUMENT';
  return failure(name, `BigQuery's job ${job} failed: ${message ?? reason}`, { job, reason });
}

/** No token could be had, or none with which to ask for one. */
export function noCredentials(cause: unknown): OperationError {
  const message = `There are no credentials for BigQuery: ${textOf(cause)}`;
  return new OperationError('GOOGLE_UNAUTHENTICATED', message, { retryable: true, cause });
}

function noAnswer(cause: unknown, call: string): OperationError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  const name: StatusName = code === 'ETIMEDOUT' ? 'DEADLINE_EXCEEDED' : 'UNAVAILABLE';
  return failure(name, `BigQuery gave no answer to ${call}: ${textOf(cause)}`, { cause });
}

function failure(
  name: StatusName,
  message: string,
  { cause, ...details }: { cause?: unknown } & Record<string, unknown>,
): OperationError {
  const advice = name === 'PERMISSION_DENIED' ? ` (the function's service account needs ${needed})` : '';
  return new OperationError(`GOOGLE_${name}`, `${message}${advice}`, {
    retryable: isRetryable(name),
    details: Object.fromEntries(Object.entries(details).filter(([, value]) => value !== undefined)),
    cause,
  });
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether BigQuery refused with this status. */
export function refusedWith(error: unknown, name: StatusName): boolean {
  return error instanceof OperationError && error.code === `GOOGLE_${name}`;
}
