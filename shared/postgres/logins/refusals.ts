import { OperationError } from '../../operation/errors.ts';
import { parseMarker } from '../marker.ts';
import { identifier, sql } from '../sql.ts';
import type { InspectedLogin, LoginSession } from './inspect.ts';
import { type LoginMarker, parseLoginMarker } from './marker.ts';

/** Thrown where a newer attempt has changed the login: this one comes too late. Nothing was changed. */
export class LoginFenced extends OperationError {
  readonly epoch: number;

  constructor(login: string, epoch: number) {
    super('FENCED', `A newer attempt (epoch ${epoch}) has changed the login ${login} already`, {
      retryable: true,
    });
    this.epoch = epoch;
  }
}

export function loginNotFound(login: string, secret: string): OperationError {
  return new OperationError(
    'LOGIN_NOT_FOUND',
    `The login ${login} of the secret ${secret} is not on the instance. If it was dropped, send the action create again, which makes what is missing.`,
    { details: { login, name: secret } },
  );
}

/**
 * The marker of a login that this secret's rotation may change.
 *
 * @throws OperationError `LOGIN_NOT_MANAGED`, `LOGIN_NOT_ALLOWED`
 */
export function markerOf(found: InspectedLogin, secret: string): LoginMarker {
  refusePrivileged(found);
  const marker = parseLoginMarker(found.comment);
  if (marker?.secret === secret) return marker;
  throw notManaged(found.name, secret, marker?.secret);
}

/** @throws OperationError `LOGIN_NOT_ALLOWED` for one that a rotation must never take over */
export function refusePrivileged(found: InspectedLogin): void {
  const why = found.privileged
    ? 'has SUPERUSER, CREATEROLE, REPLICATION or BYPASSRLS'
    : found.writer
      ? 'may act as Drover’s admins'
      : parseMarker(found.comment)
        ? 'is one of Drover’s own groups'
        : found.login
          ? undefined
          : 'has NOLOGIN';
  if (why === undefined) return;
  throw new OperationError('LOGIN_NOT_ALLOWED', `${found.name} ${why}, and is no login for an application.`, {
    details: { login: found.name },
  });
}

export function notManaged(login: string, secret: string, other: string | undefined): OperationError {
  return new OperationError(
    'LOGIN_NOT_MANAGED',
    other === undefined
      ? `The login ${login} exists, and nothing says that it belongs to the secret ${secret}. Send the action adopt, or drop it.`
      : `The login ${login} belongs to the secret ${other}, not to ${secret}.`,
    { details: { login, name: secret, ...(other === undefined ? {} : { belongsTo: other }) } },
  );
}

/** @throws OperationError `LOGIN_OUT_OF_REACH` */
export function adminFor({ name, admin }: InspectedLogin, acting: string): string {
  if (admin !== null) return admin;
  throw new OperationError(
    'LOGIN_OUT_OF_REACH',
    `Drover may not change the login ${name}. From PostgreSQL 16 on it has to be an admin of it: somebody who is has to say so.`,
    {
      details: {
        login: name,
        statements: [sql`GRANT ${identifier(name)} TO ${identifier(acting)} WITH ADMIN OPTION`.text],
      },
    },
  );
}

export function inUse(login: string, sessions: readonly LoginSession[]): OperationError {
  return new OperationError(
    'LOGIN_IN_USE',
    `The login ${login} is to get another password, and is still in use: ${describeSessions(sessions)}. Have the application read its secret again, or say "force": true.`,
    { details: { login, sessions } },
  );
}

const mostNamed = 10;

/** Sessions in words, with application and age. */
export function describeSessions(sessions: readonly LoginSession[]): string {
  const named = sessions.slice(0, mostNamed).map(({ pid, application, database, since }) => {
    const from = since === null ? '' : `, since ${since}`;
    return `${pid} in ${database ?? '-'} (${application || 'without a name'}${from})`;
  });
  const more = sessions.length - named.length;
  return named.join(', ') + (more > 0 ? ` and ${more} more` : '');
}
