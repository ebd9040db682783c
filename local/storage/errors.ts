import { ApiError } from '../http/api-error.ts';

/** @see https://cloud.google.com/storage/docs/json_api/v1/status-codes */
export function invalid(message: string): ApiError {
  return new ApiError(400, 'invalid', message);
}

export function required(parameter: string): ApiError {
  return new ApiError(400, 'required', `Required parameter: ${parameter}`);
}

export function notFound(message: string): ApiError {
  return new ApiError(404, 'notFound', message);
}

export function conflict(message: string): ApiError {
  return new ApiError(409, 'conflict', message);
}

export function conditionNotMet(): ApiError {
  const message = 'At least one of the pre-conditions you specified did not hold.';
  return new ApiError(412, 'conditionNotMet', message);
}

/** Of a read whose conditions say that the client has it already. */
export function notModified(): ApiError {
  return new ApiError(304, 'notModified', 'Not Modified');
}
