/**
 * An answer that isn't 200, as Google's REST APIs write it.
 *
 * @see https://cloud.google.com/sql/docs/postgres/admin-api/error-messages
 */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly httpStatus: number;
  readonly reason: string;

  constructor(httpStatus: number, reason: string, message: string) {
    super(message);
    this.httpStatus = httpStatus;
    this.reason = reason;
  }

  toJSON(): unknown {
    const { httpStatus, reason, message } = this;
    return { error: { code: httpStatus, message, errors: [{ message, domain: 'global', reason }] } };
  }
}

export function invalid(message: string): ApiError {
  return new ApiError(400, 'invalid', `Invalid request: ${message}`);
}

export function notImplemented(what: string): ApiError {
  return new ApiError(501, 'notImplemented', `${what} is not implemented here`);
}
