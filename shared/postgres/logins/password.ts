import { randomBytes } from 'node:crypto';
import { classify } from '../../operation/classify.ts';
import { OperationError } from '../../operation/errors.ts';
import { scramVerifier } from '../scram.ts';
import { identifier, sql } from '../sql.ts';
import { fromServerError, isServerError } from '../sqlstate.ts';
import { adminOfLogins, changeLogins, type LoginOptions, type LoginScope } from './change.ts';
import type { LoginSession } from './inspect.ts';
import { formatLoginMarker } from './marker.ts';
import { adminFor, inUse, LoginFenced, loginNotFound, markerOf } from './refusals.ts';

const passwordBytes = 32;
const saltBytes = 16;

/** 256 random bits in characters that need no quoting anywhere. */
export function newPassword(): string {
  return randomBytes(passwordBytes).toString('base64url');
}

export interface PasswordChange {
  readonly login: string;
  readonly password: string;
  /** Of this attempt: refused where the login carries a higher one. */
  readonly epoch: number;
  /** Refuse it while the login is in use. */
  readonly onlyIdle: boolean;
}

/**
 * Gives a login another password. PostgreSQL gets the verifier, never the password.
 *
 * @returns the sessions of the login at that moment
 * @throws LoginFenced
 * @throws OperationError `LOGIN_NOT_FOUND`, `LOGIN_NOT_MANAGED`, `LOGIN_NOT_ALLOWED`, `LOGIN_IN_USE`, `LOGIN_OUT_OF_REACH`,
 *   `VERIFIER_REFUSED`
 */
export async function setPassword(
  scope: LoginScope,
  { login, password, epoch, onlyIdle }: PasswordChange,
  options: LoginOptions,
): Promise<readonly LoginSession[]> {
  const verifier = await scramVerifier(password, randomBytes(saltBytes));
  return storeVerifier(scope, { login, verifier, epoch, onlyIdle }, options);
}

/** {@link setPassword} with a verifier that was computed before. */
export async function storeVerifier(
  scope: LoginScope,
  { login, verifier, epoch, onlyIdle }: Omit<PasswordChange, 'password'> & { readonly verifier: string },
  options: LoginOptions,
): Promise<readonly LoginSession[]> {
  const { secret } = scope;
  try {
    return await changeLogins(scope, [login], options, ({ found, script }) => {
      const one = found.get(login);
      if (one === undefined) throw loginNotFound(login, secret);
      const marker = markerOf(one, secret);
      if (marker.epoch > epoch) throw new LoginFenced(login, marker.epoch);
      if (onlyIdle && one.sessions.length > 0) throw inUse(login, one.sessions);
      const admin = adminFor(one, adminOfLogins(scope));
      script.run(admin, sql`ALTER ROLE ${identifier(login)} PASSWORD ${verifier}`);
      const mark = formatLoginMarker({ managedBy: 'drover', secret, epoch });
      script.run(admin, sql`COMMENT ON ROLE ${identifier(login)} IS ${mark}`);
      return one.sessions;
    });
  } catch (error) {
    throw refusedVerifier(error, login) ?? error;
  }
}

/**
 * A server may have rules for passwords that a verifier can't show to be kept (Cloud SQL's password policies). The
 * password itself is never sent instead.
 */
function refusedVerifier(error: unknown, login: string): OperationError | undefined {
  if (!isServerError(error) || !/\(in: ALTER ROLE .* PASSWORD /s.test(error.message)) return undefined;
  const { retryable, code } = classify(error);
  if (retryable || code === 'PERMISSION_DENIED') return undefined;
  return new OperationError(
    'VERIFIER_REFUSED',
    `PostgreSQL refuses a SCRAM-SHA-256 verifier as the password of ${login}: ${fromServerError(error).message}. Exempt this login from the instance's password policy; Drover doesn't send passwords in statements.`,
    { details: { login, sqlstate: error.code } },
  );
}
