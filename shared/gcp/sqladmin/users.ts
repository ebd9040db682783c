import { OperationError } from '../../operation/errors.ts';
import type { AdminApi, User } from './client.ts';

/** Who a user of an instance is. `login`: a role with a password, however it was made. */
export type UserKind = 'iam-user' | 'iam-service-account' | 'iam-group' | 'login';

export interface SqlUser {
  /** As PostgreSQL has it. */
  readonly name: string;
  readonly kind: UserKind | 'other';
}

export type IamKind = Exclude<UserKind, 'login'>;

/** What users.insert takes. @see https://cloud.google.com/sql/docs/postgres/admin-api/rest/v1beta4/users#SqlUserType */
export const userTypes: Readonly<Record<IamKind, string>> = {
  'iam-user': 'CLOUD_IAM_USER',
  'iam-service-account': 'CLOUD_IAM_SERVICE_ACCOUNT',
  'iam-group': 'CLOUD_IAM_GROUP',
};

/** What users.list says. Whoever logs in as a member of a group is listed by that; it is the same principal. */
const kinds: Readonly<Record<string, UserKind>> = {
  BUILT_IN: 'login',
  CLOUD_IAM_USER: 'iam-user',
  CLOUD_IAM_GROUP_USER: 'iam-user',
  CLOUD_IAM_SERVICE_ACCOUNT: 'iam-service-account',
  CLOUD_IAM_GROUP_SERVICE_ACCOUNT: 'iam-service-account',
  CLOUD_IAM_GROUP: 'iam-group',
};

/**
 * All users of an instance by name.
 *
 * @throws OperationError `ADMIN_API_INCOMPLETE`
 */
export async function readUsers(
  api: AdminApi,
  instance: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, SqlUser>> {
  const items = completeList<User>('users', instance, await api.listUsers(signal));
  return new Map(items.map((user) => [user.name, { name: user.name, kind: kindOf(user) }]));
}

/**
 * All databases of an instance by name.
 *
 * @throws OperationError `ADMIN_API_INCOMPLETE`
 */
export async function readDatabases(api: AdminApi, instance: string, signal: AbortSignal): Promise<string[]> {
  return completeList('databases', instance, await api.listDatabases(signal)).map(({ name }) => name);
}

/** The enumeration's first value, BUILT_IN, is the one that JSON leaves out. */
function kindOf({ type }: User): SqlUser['kind'] {
  return kinds[type ?? 'BUILT_IN'] ?? 'other';
}

interface List<T> {
  readonly items?: readonly T[] | null;
  readonly nextPageToken?: string | null;
  readonly warnings?: readonly unknown[];
}

/**
 * The items of a list, if it is whole. An instance has users and databases at all times, so an empty list is none that
 * can be believed; and these lists have no pages, though their answers have a field for a next one.
 */
function completeList<T extends { name?: string | null }>(
  what: string,
  instance: string,
  { items, nextPageToken, warnings = [] }: List<T>,
): (T & { name: string })[] {
  const named = (items ?? []).filter((item): item is T & { name: string } => Boolean(item.name));
  const problem =
    (named.length === 0 && 'it is empty') ||
    (named.length < (items?.length ?? 0) && 'something in it has no name') ||
    (nextPageToken && 'there is more of it') ||
    (warnings.length > 0 && `it has warnings: ${JSON.stringify(warnings)}`);
  if (!problem) return named;
  throw new OperationError(
    'ADMIN_API_INCOMPLETE',
    `The Cloud SQL Admin API's list of the ${what} of ${instance} can't be relied on: ${problem}`,
    { retryable: true, details: { instance, listed: items?.length ?? 0 } },
  );
}
