/**
 * An answer that isn't 2xx, as Google's REST APIs write it.
 *
 * @see https://cloud.google.com/bigquery/docs/error-messages
 * @see https://cloud.google.com/sql/docs/postgres/admin-api/error-messages
 */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly httpStatus: number;
  readonly reason: string;
  /** The name of a gRPC code, which some services give besides, such as NOT_FOUND. */
  readonly status: string | undefined;

  constructor(httpStatus: number, reason: string, message: string, status?: string) {
    super(message);
    this.httpStatus = httpStatus;
    this.reason = reason;
    this.status = status;
  }

  toJSON(): unknown {
    const { httpStatus, reason, message, status } = this;
    return {
      error: {
        code: httpStatus,
        message,
        errors: [{ message, domain: 'global', reason }],
        ...(status && { status }),
      },
    };
  }
}

export function notImplemented(what: string): ApiError {
  return new ApiError(501, 'notImplemented', `${what} is not implemented here`);
}
