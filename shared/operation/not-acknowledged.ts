import type { Logger } from '../telemetry/log.ts';
import type { OperationError } from './errors.ts';

/** Ordinary parts of a message's life; everything else that isn't acknowledged wants a look. */
const ordinary = new Set([
  'BUSY',
  'LEASE_LOST',
  'NEWER_UNDECIDED',
  'SHUTTING_DOWN',
  'CONCURRENT_UPDATE',
  'LOCK_TIMEOUT',
]);

/**
 * The error by which a function refuses to acknowledge a message. The Functions Framework answers it with 500 and
 * writes its `stack` to standard error, so the stack is the log entry: one line of JSON like every other.
 */
export function notAcknowledged(log: Logger, error: OperationError): Error {
  const severity = ordinary.has(error.code) ? 'INFO' : error.code === 'INTERNAL' ? 'ERROR' : 'WARNING';
  const refusal = new Error(`${error.code}: ${error.message}`, { cause: error });
  refusal.stack = log.format(severity, 'not acknowledged, will be delivered again', {
    code: error.code,
    problem: error.message,
    ...(error.code === 'INTERNAL' && error.cause instanceof Error ? { stack: error.cause.stack } : {}),
  });
  return refusal;
}
