import { describe, expect, test } from 'vitest';
import { fromServerError, isConcurrentChange, isServerError } from '../../../shared/postgres/sqlstate.ts';

const serverError = (code: string, message = 'what the server said', more: object = {}) =>
  Object.assign(new Error(message), { severity: 'ERROR', code, ...more });

describe('may succeed at another attempt', () => {
  test.each([
    ['08000', 'DATABASE_UNAVAILABLE'],
    ['08006', 'DATABASE_UNAVAILABLE'],
    ['08P01', 'DATABASE_UNAVAILABLE'],
    ['53000', 'DATABASE_OVERLOADED'],
    ['53100', 'DATABASE_OVERLOADED'],
    ['53200', 'DATABASE_OVERLOADED'],
    ['53300', 'DATABASE_OVERLOADED'],
    ['57P01', 'DATABASE_UNAVAILABLE'],
    ['57P02', 'DATABASE_UNAVAILABLE'],
    ['57P03', 'DATABASE_UNAVAILABLE'],
    ['57014', 'DEADLINE_EXCEEDED'],
    ['40001', 'CONCURRENT_UPDATE'],
    ['40P01', 'CONCURRENT_UPDATE'],
    ['55P03', 'LOCK_TIMEOUT'],
    ['55006', 'OBJECT_IN_USE'],
    ['25006', 'READ_ONLY'],
    ['25P03', 'DATABASE_UNAVAILABLE'],
    ['23505', 'CONCURRENT_UPDATE'],
    ['42710', 'CONCURRENT_UPDATE'],
    ['58030', 'DATABASE_FAULT'],
    ['XX000', 'DATABASE_FAULT'],
    ['28P01', 'AUTHENTICATION_FAILED'],
    ['28000', 'AUTHENTICATION_FAILED'],
  ])('%s: %s', (sqlstate, code) => {
    const error = fromServerError(serverError(sqlstate));
    expect(error).toMatchObject({ code, retryable: true, details: { sqlstate } });
    expect(error.message).toContain('what the server said');
  });

  test.each(['updated', 'deleted'])('XX000, tuple concurrently %s: CONCURRENT_UPDATE', (what) => {
    const error = fromServerError(serverError('XX000', `tuple concurrently ${what}`));
    expect(error).toMatchObject({ code: 'CONCURRENT_UPDATE', retryable: true });
  });
});

describe('fails for good', () => {
  test.each([
    ['42501', 'PERMISSION_DENIED'],
    ['42704', 'OBJECT_NOT_FOUND'],
    ['42P01', 'DATABASE_ERROR'],
    ['42P06', 'DATABASE_ERROR'],
    ['42P07', 'DATABASE_ERROR'],
    ['42601', 'DATABASE_ERROR'],
    ['23502', 'DATABASE_ERROR'],
    ['23503', 'DATABASE_ERROR'],
    ['23514', 'DATABASE_ERROR'],
    ['3D000', 'DATABASE_NOT_FOUND'],
  ])('%s: %s, with what the server said', (sqlstate, code) => {
    const cause = serverError(sqlstate, 'no', { detail: 'the detail', hint: 'the hint' });
    const error = fromServerError(cause);
    expect(error).toMatchObject({
      code,
      retryable: false,
      details: { sqlstate, detail: 'the detail', hint: 'the hint' },
      cause,
    });
  });
});

describe('a change that another session made at the same moment', () => {
  test.each(['23505', '42710', '40001', '40P01'])('is %s', (code) => {
    expect(isConcurrentChange(serverError(code))).toBe(true);
  });

  test('is not any internal error, nor an error of somebody else', () => {
    expect(isConcurrentChange(serverError('XX000', 'cache lookup failed'))).toBe(false);
    expect(isConcurrentChange(new Error('tuple concurrently updated'))).toBe(false);
    expect(isConcurrentChange('23505')).toBe(false);
  });
});

test('an error is the server’s if it has a severity and a SQLSTATE', () => {
  expect(isServerError(serverError('42P01'))).toBe(true);
  expect(isServerError(Object.assign(new Error('x'), { code: 'ECONNREFUSED' }))).toBe(false);
  expect(isServerError(Object.assign(new Error('x'), { code: '42P01' }))).toBe(false);
  expect(isServerError(Object.assign(new Error('x'), { severity: 'ERROR', code: 7 }))).toBe(false);
  expect(isServerError({ severity: 'ERROR', code: '42P01' })).toBe(false);
});
