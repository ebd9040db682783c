import { config, connectionFor } from '../config.ts';
import { type Budget, createBudget } from './sqladmin/budget.ts';
import { createUser, deleteUser } from './sqladmin/changes.ts';
import { type AdminApiOptions, createAdminApi } from './sqladmin/client.ts';
import { createSharedList, type ReadOptions } from './sqladmin/shared-list.ts';
import { type IamKind, readDatabases, readUsers, type SqlUser } from './sqladmin/users.ts';
import { jitteredPause, type Pause } from './sqladmin/waiting.ts';

export type { IamKind, SqlUser, UserKind } from './sqladmin/users.ts';

/**
 * The users and databases of one instance, as the Cloud SQL Admin API has them.
 *
 * Every method throws OperationError: `GOOGLE_…` and `INSTANCE_NOT_FOUND` as the API answers, `ADMIN_API_BUDGET` where
 * the signal fires while the process's budget of calls is used up, `ADMIN_API_OPERATION_FAILED`; and the signal's
 * reason.
 */
export interface SqlAdmin {
  /**
   * All users of the instance by name. Concurrent callers share one call.
   *
   * @param options.maxAgeMs how old an answer may be, in milliseconds; by default it is asked for now
   * @throws OperationError `ADMIN_API_INCOMPLETE`, retryable, for a truncated or empty answer: it never means "nobody"
   */
  users(options: ReadOptions): Promise<ReadonlyMap<string, SqlUser>>;
  /**
   * Makes an IAM principal a user of the instance, and waits until it is one. Safe to repeat: what an earlier attempt
   * or somebody else began is waited for.
   *
   * @param user its name as PostgreSQL has it: lower case, a service account's without `.gserviceaccount.com`
   * @throws OperationError `USER_KIND_CONFLICT` where the name is taken by a user of another kind
   */
  createUser(
    user: { readonly name: string; readonly kind: IamKind },
    options: { readonly signal: AbortSignal },
  ): Promise<'created' | 'existed'>;
  /**
   * Takes a user from the instance, and waits until it is gone. Safe to repeat.
   *
   * @throws OperationError `USER_IN_USE` with PostgreSQL's text where objects or privileges depend on it
   */
  deleteUser(name: string, options: { readonly signal: AbortSignal }): Promise<'deleted' | 'absent'>;
  /** @throws OperationError `ADMIN_API_INCOMPLETE`, as `users` does */
  databases(options: { readonly signal: AbortSignal }): Promise<string[]>;
}

export interface SqlAdminOptions extends AdminApiOptions {
  readonly pause?: Pause;
  /** Milliseconds that only rise. */
  readonly now?: () => number;
}

export function createSqlAdmin(options: SqlAdminOptions): SqlAdmin {
  const { instance, pause = jitteredPause, now = () => performance.now() } = options;
  const api = createAdminApi(options);
  const users = createSharedList((signal) => readUsers(api, instance, signal), now);
  const context = { instance, api, users, pause };
  return {
    users: (read) => users.read(read),
    createUser: (user, { signal }) => createUser(context, user, signal),
    deleteUser: (name, { signal }) => deleteUser(context, name, signal),
    databases: ({ signal }) => readDatabases(api, instance, signal),
  };
}

const opened = new Map<string, SqlAdmin>();
let budget: Budget | undefined;

/**
 * The Admin API of an instance, as the settings name it: the same object for all callers, and one budget of calls for
 * all of the process's instances. The official client is loaded by the first call.
 *
 * @param instance `project:region:name`
 * @returns undefined where the settings name none: the instance isn't Cloud SQL's, or isn't covered at all
 */
export function sqlAdminFor(instance: string): SqlAdmin | undefined {
  const known = opened.get(instance);
  if (known) return known;
  const settings = connectionFor(instance, config().DROVER_INSTANCES);
  if (settings === undefined) return undefined;
  const { connector, adminApi } = settings;
  if (connector === 'direct' && adminApi === undefined) return undefined;
  budget ??= createBudget(config().DROVER_ADMIN_API_PER_MINUTE);
  const created = createSqlAdmin({ instance, adminApi, budget });
  opened.set(instance, created);
  return created;
}
