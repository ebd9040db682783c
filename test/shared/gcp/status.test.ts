import { expect, test } from 'vitest';
import { fromServiceError, hasStatus, isRetryable, nameOfHttpStatus } from '../../../shared/gcp/status.ts';

test.for([
  [400, undefined, 'INVALID_ARGUMENT', false],
  [401, undefined, 'UNAUTHENTICATED', true],
  [403, 'notAuthorized', 'PERMISSION_DENIED', false],
  [403, 'quotaExceeded', 'RESOURCE_EXHAUSTED', true],
  [404, undefined, 'NOT_FOUND', false],
  [409, 'operationInProgress', 'ABORTED', true],
  [412, undefined, 'FAILED_PRECONDITION', false],
  [418, undefined, 'FAILED_PRECONDITION', false],
  [429, undefined, 'RESOURCE_EXHAUSTED', true],
  [500, undefined, 'INTERNAL', true],
  [502, undefined, 'UNAVAILABLE', true],
  [503, undefined, 'UNAVAILABLE', true],
  [504, undefined, 'DEADLINE_EXCEEDED', true],
] as const)('HTTP %i (%s) is %s', ([status, reason, name, retryable]) => {
  expect(nameOfHttpStatus(status, reason)).toBe(name);
  expect(isRetryable(nameOfHttpStatus(status, reason))).toBe(retryable);
});

const restError = (code: number, reason?: string) =>
  Object.assign(new Error('what was said'), {
    code,
    ...(reason && { errors: [{ reason, message: 'more' }] }),
  });

test.each([
  [404, undefined, 'GOOGLE_NOT_FOUND', false],
  [403, undefined, 'GOOGLE_PERMISSION_DENIED', false],
  [403, 'rateLimitExceeded', 'GOOGLE_RESOURCE_EXHAUSTED', true],
  [503, 'backendError', 'GOOGLE_UNAVAILABLE', true],
])('an error of a REST client with %i (%s) is %s', (status, reason, code, retryable) => {
  expect(fromServiceError(restError(status, reason))).toMatchObject({ code, retryable });
});

test('the same question is asked of both kinds of clients', () => {
  expect(hasStatus(restError(404), 'NOT_FOUND')).toBe(true);
  expect(hasStatus(restError(5), 'NOT_FOUND')).toBe(true);
  expect(hasStatus(restError(403), 'NOT_FOUND')).toBe(false);
  expect(fromServiceError(restError(308))).toBeUndefined();
});
