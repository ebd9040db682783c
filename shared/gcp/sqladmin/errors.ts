import { OperationError } from '../../operation/errors.ts';
import { isRetryable, nameOfHttpStatus } from '../status.ts';

const neededPermissions = 'cloudsql.instances.get and cloudsql.users.list, .create and .delete';

/** What the Admin API refused, in its own words. */
interface Refusal {
  readonly status: number;
  readonly reason: string | undefined;
  readonly message: string;
}

/**
 * What an error of the official client means for an operation.
 *
 * @see https://cloud.google.com/sql/docs/postgres/admin-api/error-messages
 */
export function fromClientError(error: unknown, instance: string): OperationError {
  const because = error instanceof Error ? error.message : String(error);
  const refusal = refusalIn(error);
  if (refusal === undefined) {
    // DOMException's name for what AbortSignal.timeout does; the client wraps it and keeps the name as its code.
    const timedOut = error instanceof Error && /timeout/i.test(`${error.name} ${codeOf(error)}`);
    return new OperationError(
      timedOut ? 'GOOGLE_DEADLINE_EXCEEDED' : 'GOOGLE_UNAVAILABLE',
      `The Cloud SQL Admin API gave no answer about ${instance}: ${because}`,
      { retryable: true, cause: error },
    );
  }
  const { status, reason, message } = refusal;
  const details = { status, ...(reason !== undefined && { reason }) };
  if (status === 404) {
    return new OperationError('INSTANCE_NOT_FOUND', `Cloud SQL has no instance ${instance}: ${message}`, {
      details,
      cause: error,
    });
  }
  const name = nameOfHttpStatus(status, reason);
  const advice =
    name === 'PERMISSION_DENIED' ? ` (the function's service account needs ${neededPermissions})` : '';
  return new OperationError(
    `GOOGLE_${name}`,
    `The Cloud SQL Admin API answered ${status} about ${instance}: ${message}${advice}`,
    { retryable: isRetryable(name), details, cause: error },
  );
}

/** No token could be had, or none with which to ask for one. */
export function fromAuthenticationError(error: unknown): OperationError {
  const because = error instanceof Error ? error.message : String(error);
  return new OperationError(
    'GOOGLE_UNAUTHENTICATED',
    `There are no credentials for the Cloud SQL Admin API: ${because}`,
    { retryable: true, cause: error },
  );
}

/** Another operation is under way in the instance, which has them one after the other. */
export function isBusy(error: OperationError): boolean {
  return error.details?.['reason'] === 'operationInProgress';
}

function refusalIn(error: unknown): Refusal | undefined {
  const response = error instanceof Object && 'response' in error ? error.response : undefined;
  if (!(response instanceof Object && 'status' in response) || typeof response.status !== 'number') {
    return undefined;
  }
  const data = 'data' in response ? response.data : undefined;
  const said = data instanceof Object && 'error' in data ? (data.error as Partial<ErrorBody>) : {};
  return {
    status: response.status,
    reason: said.errors?.[0]?.reason,
    message: said.message ?? (error instanceof Error ? error.message : `HTTP status ${response.status}`),
  };
}

/** https://cloud.google.com/apis/design/errors#http_mapping, in the form that this API has always had */
interface ErrorBody {
  readonly message: string;
  readonly errors: readonly { readonly reason?: string }[];
}

function codeOf(error: Error): unknown {
  return 'code' in error ? error.code : undefined;
}
