import { fromServiceError, isServiceError } from '../gcp/status.ts';
import { fromServerError, isServerError } from '../postgres/sqlstate.ts';
import { OperationError } from './errors.ts';

const socketErrors = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
]);

/**
 * The one table of what libraries throw and what it means. What no row knows is taken for a bug of ours: retried,
 * because a retry is safe and may help, and logged as one; the delivery limit ends it.
 */
export function classify(thrown: unknown): OperationError {
  if (thrown instanceof OperationError) return thrown;
  if (isServerError(thrown)) return fromServerError(thrown);
  if (isServiceError(thrown)) {
    const known = fromServiceError(thrown);
    if (known) return known;
  }
  if (isConnectionLoss(thrown)) {
    return new OperationError('UNAVAILABLE', `A connection could not be made or broke: ${thrown.message}`, {
      retryable: true,
      cause: thrown,
    });
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new OperationError('INTERNAL', `Unexpected error, probably a bug: ${message}`, {
    retryable: true,
    cause: thrown,
  });
}

/** node-postgres reports a lost connection without a code of its own. */
function isConnectionLoss(thrown: unknown): thrown is Error {
  if (!(thrown instanceof Error)) return false;
  if ('code' in thrown && typeof thrown.code === 'string' && socketErrors.has(thrown.code)) return true;
  return /^(Connection terminated|Connection ended|timeout expired|Client has encountered a connection error)/.test(
    thrown.message,
  );
}
