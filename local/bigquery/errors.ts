import { ApiError } from '../http/api-error.ts';

/** https://cloud.google.com/bigquery/docs/error-messages */
export function invalid(message: string): ApiError {
  return new ApiError(400, 'invalid', message, 'INVALID_ARGUMENT');
}

/** @param what such as `Dataset project:dataset` */
export function notFound(what: string): ApiError {
  return new ApiError(404, 'notFound', `Not found: ${what}`, 'NOT_FOUND');
}

export function duplicate(what: string): ApiError {
  return new ApiError(409, 'duplicate', `Already Exists: ${what}`, 'ALREADY_EXISTS');
}

export function conditionNotMet(): ApiError {
  return new ApiError(412, 'conditionNotMet', 'Precondition check failed.', 'FAILED_PRECONDITION');
}

export function resourceInUse(what: string): ApiError {
  return new ApiError(400, 'resourceInUse', `${what} is still in use`, 'INVALID_ARGUMENT');
}
