import { OperationError } from '../operation/errors.ts';

/** What a PostgreSQL error report has, as node-postgres gives it (Appendix "Protocol Error and Notice Fields"). */
export interface ServerError extends Error {
  readonly code: string;
  readonly severity?: string;
  readonly detail?: string;
  readonly hint?: string;
}

export function isServerError(error: unknown): error is ServerError {
  return (
    error instanceof Error &&
    'severity' in error &&
    'code' in error &&
    typeof error.code === 'string' &&
    /^[0-9A-Z]{5}$/.test(error.code)
  );
}

/** Code and meaning of each SQLSTATE, or class of them, after which another attempt may succeed. */
const retryable: readonly (readonly [prefix: string, code: string, meaning: string])[] = [
  ['08', 'DATABASE_UNAVAILABLE', 'The connection to PostgreSQL broke'],
  ['53', 'DATABASE_OVERLOADED', 'PostgreSQL is out of a resource'],
  ['57P0', 'DATABASE_UNAVAILABLE', 'PostgreSQL is starting, stopping or ended the session'],
  ['57014', 'DEADLINE_EXCEEDED', 'The statement took longer than the time left'],
  ['40001', 'CONCURRENT_UPDATE', 'Another transaction changed the same rows'],
  ['40P01', 'CONCURRENT_UPDATE', 'Two transactions waited for each other'],
  ['55P03', 'LOCK_TIMEOUT', 'Another session holds a lock that this change needs'],
  ['55006', 'OBJECT_IN_USE', 'Another session is using the object'],
  ['25006', 'READ_ONLY', 'The server accepts no writes at the moment (a replica, or a failover)'],
  ['25P03', 'DATABASE_UNAVAILABLE', 'PostgreSQL ended the session because it idled in a transaction'],
  ['58', 'DATABASE_FAULT', 'PostgreSQL met an error of its system'],
  ['XX', 'DATABASE_FAULT', 'PostgreSQL met an error of its own'],
  ['28', 'AUTHENTICATION_FAILED', 'PostgreSQL refused the login'],
];

const permanent: Readonly<Record<string, string>> = {
  '3D000': 'DATABASE_NOT_FOUND',
  '42501': 'PERMISSION_DENIED',
  '42704': 'OBJECT_NOT_FOUND',
};

/**
 * Whether another session made the same change at the same moment, so that inspecting again shows what is left to do.
 * Roles and their memberships belong to the whole instance and no lock of one database protects them.
 */
export function isConcurrentChange(error: unknown): boolean {
  if (!isServerError(error)) return false;
  if (['23505', '42710', '40001', '40P01'].includes(error.code)) return true;
  return error.code === 'XX000' && /tuple concurrently (updated|deleted)/.test(error.message);
}

/** SQLSTATEs of a thing that isn't there, or is already. */
const vanished = new Set(['42P01', '42704', '42883', '3F000', '42P06', '42701']);

/**
 * Whether a planned statement met another catalog than the one it was planned for: a table was dropped, a login
 * deleted. Where it is so again after another look, it is no coincidence but an error like any other.
 */
export function isOutdatedPlan(error: unknown): boolean {
  if (!isServerError(error)) return false;
  return (
    vanished.has(error.code) || (error.code === 'XX000' && error.message.includes('cache lookup failed'))
  );
}

/**
 * What an error of PostgreSQL means for an operation.
 *
 * @see https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
export function fromServerError(error: ServerError): OperationError {
  const details = {
    sqlstate: error.code,
    ...(error.detail === undefined ? {} : { detail: error.detail }),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  };
  if (isConcurrentChange(error)) {
    return new OperationError(
      'CONCURRENT_UPDATE',
      `Another session changed the same object: ${error.message}`,
      {
        retryable: true,
        details,
        cause: error,
      },
    );
  }
  const known = retryable.find(([prefix]) => error.code.startsWith(prefix));
  if (known) {
    const [, code, meaning] = known;
    return new OperationError(code, `${meaning}: ${error.message}`, {
      retryable: true,
      details,
      cause: error,
    });
  }
  const code = permanent[error.code] ?? 'DATABASE_ERROR';
  return new OperationError(code, `PostgreSQL refused: ${error.message}`, { details, cause: error });
}
