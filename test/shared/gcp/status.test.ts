import { expect, test } from 'vitest';
import { isRetryable, nameOfHttpStatus } from '../../../shared/gcp/status.ts';

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
