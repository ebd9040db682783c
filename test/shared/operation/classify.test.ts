import { connect } from 'node:net';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { classify } from '../../../shared/operation/classify.ts';
import { OperationError } from '../../../shared/operation/errors.ts';

const withCode = (code: string | number, more: object = {}) =>
  Object.assign(new Error('what was said'), { code, ...more });
const server = (code: string, message = 'what was said') =>
  Object.assign(new Error(message), { severity: 'ERROR', code, hint: 'the hint' });

describe('an error of PostgreSQL', () => {
  it.each([
    ['08006', 'DATABASE_UNAVAILABLE', true],
    ['53300', 'DATABASE_OVERLOADED', true],
    ['57P01', 'DATABASE_UNAVAILABLE', true],
    ['57014', 'DEADLINE_EXCEEDED', true],
    ['40001', 'CONCURRENT_UPDATE', true],
    ['40P01', 'CONCURRENT_UPDATE', true],
    ['55P03', 'LOCK_TIMEOUT', true],
    ['55006', 'OBJECT_IN_USE', true],
    ['25006', 'READ_ONLY', true],
    ['25P03', 'DATABASE_UNAVAILABLE', true],
    ['23505', 'CONCURRENT_UPDATE', true],
    ['42710', 'CONCURRENT_UPDATE', true],
    ['28P01', 'AUTHENTICATION_FAILED', true],
    ['28000', 'AUTHENTICATION_FAILED', true],
    ['42501', 'PERMISSION_DENIED', false],
    ['42704', 'OBJECT_NOT_FOUND', false],
    ['42P01', 'DATABASE_ERROR', false],
    ['23503', 'DATABASE_ERROR', false],
    ['3D000', 'DATABASE_NOT_FOUND', false],
  ])('%s is %s, retryable: %s', (sqlstate, code, retryable) => {
    const thrown = server(sqlstate);
    expect(classify(thrown)).toMatchObject({
      code,
      retryable,
      cause: thrown,
      details: { sqlstate, hint: 'the hint' },
    });
  });

  it('that says "tuple concurrently updated" is a lost race', () => {
    expect(classify(server('XX000', 'tuple concurrently updated'))).toMatchObject({
      code: 'CONCURRENT_UPDATE',
      retryable: true,
    });
  });
});

describe('the answer of a Google service', () => {
  it.each([
    [14, 'UNAVAILABLE', true],
    [4, 'DEADLINE_EXCEEDED', true],
    [10, 'ABORTED', true],
    [8, 'RESOURCE_EXHAUSTED', true],
    [13, 'INTERNAL', true],
    [16, 'UNAUTHENTICATED', true],
    [7, 'PERMISSION_DENIED', false],
    [5, 'NOT_FOUND', false],
    [3, 'INVALID_ARGUMENT', false],
    [9, 'FAILED_PRECONDITION', false],
    [6, 'ALREADY_EXISTS', false],
  ])('%i is GOOGLE_%s, retryable: %s', (status, name, retryable) => {
    const thrown = withCode(status);
    expect(classify(thrown)).toMatchObject({ code: `GOOGLE_${name}`, retryable, cause: thrown });
  });

  it('of a status that has no rule is taken for a bug', () => {
    expect(classify(withCode(2))).toMatchObject({ code: 'INTERNAL', retryable: true });
  });
});

describe('a broken connection', () => {
  it.each([
    'ECONNREFUSED',
    'ECONNRESET',
    'ECONNABORTED',
    'EHOSTUNREACH',
    'ENETUNREACH',
    'ENOTFOUND',
    'EAI_AGAIN',
    'EPIPE',
    'ETIMEDOUT',
  ])('with %s may be back', (code) => {
    expect(classify(withCode(code))).toMatchObject({ code: 'UNAVAILABLE', retryable: true });
  });

  it.each([
    'Connection terminated',
    'Connection terminated unexpectedly',
    'Connection terminated due to connection timeout',
    'timeout expired',
    'Client has encountered a connection error and is not queryable',
  ])('may be back where node-postgres says "%s", without a code', (message) => {
    expect(classify(new Error(message))).toMatchObject({ code: 'UNAVAILABLE', retryable: true });
  });

  it('is known as a socket really reports it', async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    connect(1, '127.0.0.1').once('error', resolve);
    expect(classify(await promise)).toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('is known as node-postgres really reports it', async () => {
    const client = new pg.Client({ host: '127.0.0.1', port: 1 });
    const thrown = await client.connect().catch((error: unknown) => error);
    expect(classify(thrown)).toMatchObject({ code: 'UNAVAILABLE' });
  });
});

describe('anything else', () => {
  it('that has a meaning already keeps it', () => {
    const error = new OperationError('LEASE_LOST', 'gone', { retryable: true });
    expect(classify(error)).toBe(error);
  });

  it.each([
    ['an error', new TypeError('x is not a function'), 'x is not a function'],
    ['an error with the code of something else', withCode('ERR_INVALID_ARG_TYPE'), 'what was said'],
    ['five letters of no server', withCode('EPERM'), 'what was said'],
    ['text', 'just so', 'just so'],
    ['nothing', undefined, 'undefined'],
  ])('is taken for a bug of ours and tried again: %s', (_, thrown, said) => {
    expect(classify(thrown)).toMatchObject({
      code: 'INTERNAL',
      retryable: true,
      message: `Unexpected error, probably a bug: ${said}`,
    });
  });

  it('keeps what was thrown as its cause', () => {
    const thrown = new TypeError('x is not a function');
    expect(classify(thrown).cause).toBe(thrown);
  });
});
