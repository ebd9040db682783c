import { describe, expect, it } from 'vitest';
import { classify } from '../../../shared/operation/classify.ts';
import { OperationError } from '../../../shared/operation/errors.ts';
import { notAcknowledged } from '../../../shared/operation/not-acknowledged.ts';
import { createLogger } from '../../../shared/telemetry/log.ts';

const log = createLogger({ function: 'create-schema', operation: 'one' });
const entryOf = (error: OperationError) => JSON.parse(notAcknowledged(log, error).stack ?? '');

describe('the error that refuses an acknowledgement', () => {
  it('has one line of JSON for a stack, which is what the framework writes', () => {
    const error = notAcknowledged(log, new OperationError('LOCK_TIMEOUT', 'two\nlines', { retryable: true }));
    expect(error.stack).not.toContain('\n');
    expect(JSON.parse(error.stack ?? '')).toMatchObject({
      message: 'not acknowledged, will be delivered again',
      function: 'create-schema',
      operation: 'one',
      code: 'LOCK_TIMEOUT',
      problem: 'two\nlines',
    });
  });

  it('keeps what it was made of', () => {
    const error = new OperationError('LOCK_TIMEOUT', 'a lock', { retryable: true });
    expect(notAcknowledged(log, error)).toMatchObject({ message: 'LOCK_TIMEOUT: a lock', cause: error });
  });

  it.each([
    ['BUSY', 'INFO'],
    ['LEASE_LOST', 'INFO'],
    ['SHUTTING_DOWN', 'INFO'],
    ['NEWER_UNDECIDED', 'INFO'],
    ['DATABASE_UNAVAILABLE', 'WARNING'],
    ['DEADLINE_EXCEEDED', 'WARNING'],
    ['NOT_A_MESSAGE', 'WARNING'],
    ['INTERNAL', 'ERROR'],
  ])('is logged for %s as %s', (code, severity) => {
    expect(entryOf(new OperationError(code, 'it happened')).severity).toBe(severity);
  });

  it('shows where a bug is', () => {
    const entry = entryOf(classify(new TypeError('x is not a function')));
    expect(entry.stack).toMatch(/^TypeError: x is not a function\n\s+at .*not-acknowledged\.test\.ts/);
  });

  it('shows no stack of what is no bug', () => {
    expect(
      entryOf(new OperationError('LOCK_TIMEOUT', 'a lock', { cause: new Error('x') })),
    ).not.toHaveProperty('stack');
  });

  it('shows no secret', () => {
    const thrown = new Error('can’t reach postgres://drover:hunter2@10.0.0.1/app');
    expect(notAcknowledged(log, classify(thrown)).stack).not.toContain('hunter2');
  });
});
