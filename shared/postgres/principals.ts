import { maxIdentifierBytes } from './target.ts';

/** Whom rights are given to: IAM principals, whom Cloud SQL knows by their e-mail addresses, and other logins. */
export const principalKinds = ['iam-user', 'iam-service-account', 'iam-group', 'login'] as const;

export type PrincipalKind = (typeof principalKinds)[number];

/**
 * A principal's name in PostgreSQL, as Cloud SQL makes it: lower case, and a service account's without the end that
 * all of them have. Other logins' names are as they are.
 *
 * @see https://cloud.google.com/sql/docs/postgres/add-manage-iam-users
 */
export function principalName(kind: PrincipalKind, given: string): string {
  if (kind === 'login') return given;
  const name = given.toLowerCase();
  return kind === 'iam-service-account' ? name.replace(/\.gserviceaccount\.com$/, '') : name;
}

const email = /^[a-z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/;
const serviceAccount =
  /^[a-z0-9-]+@[a-z0-9][a-z0-9.-]*\.iam$|^[0-9]+-compute@developer$|^[a-z0-9-]+@appspot$/;

/**
 * Names of roles that are no principals, whatever they may do: the system's, Cloud SQL's and Drover's. In an e-mail
 * address such a beginning means nothing. The same for PostgreSQL's `~*`.
 */
export const systemRoles =
  '^(pg_|cloudsql|google_|drover_|_drover_)[^@]*$|^(postgres|public|none|current_user|current_role|session_user)$';

const systemRole = new RegExp(systemRoles, 'i');

/**
 * What is wrong with the name of a principal.
 *
 * @param name as {@link principalName} gives it
 * @returns undefined where a principal of this kind may be called that
 */
export function nameProblem(kind: PrincipalKind, name: string): string | undefined {
  if (Buffer.byteLength(name) > maxIdentifierBytes) return `must be at most ${maxIdentifierBytes} bytes`;
  switch (kind) {
    case 'login':
      return systemRole.test(name) ? 'is a role of the system, and no principal' : undefined;
    case 'iam-service-account':
      return serviceAccount.test(name)
        ? undefined
        : 'must be a service account’s e-mail address: name@project.iam, with or without .gserviceaccount.com';
    default:
      if (!email.test(name)) return 'must be an e-mail address';
      return /\.iam(?:\.gserviceaccount\.com)?$|\.gserviceaccount\.com$/.test(name)
        ? 'is a service account: say kind "iam-service-account"'
        : undefined;
  }
}
