import type { MethodOptions, sqladmin_v1beta4 } from '@googleapis/sqladmin';
import { rejection } from '../../postgres/rejection.ts';
import type { Budget } from './budget.ts';
import { fromAuthenticationError, fromClientError } from './errors.ts';

type Service = sqladmin_v1beta4.Sqladmin;

export type Operation = sqladmin_v1beta4.Schema$Operation;
export type User = sqladmin_v1beta4.Schema$User;

/** The methods of the Admin API that are called, for one instance. Each throws what `fromClientError` makes of it. */
export interface AdminApi {
  listUsers(signal: AbortSignal): Promise<sqladmin_v1beta4.Schema$UsersListResponse>;
  insertUser(user: User, signal: AbortSignal): Promise<Operation>;
  deleteUser(name: string, signal: AbortSignal): Promise<Operation>;
  listDatabases(signal: AbortSignal): Promise<sqladmin_v1beta4.Schema$DatabasesListResponse>;
  getOperation(name: string, signal: AbortSignal): Promise<Operation>;
  /** The newest operations, the newest first. */
  listOperations(signal: AbortSignal): Promise<sqladmin_v1beta4.Schema$OperationsListResponse>;
}

export interface AdminApiOptions {
  /** `project:region:name`. */
  readonly instance: string;
  /** Root of the API, if not Google's. */
  readonly adminApi?: string | undefined;
  readonly budget: Budget;
  readonly callTimeoutMs?: number;
}

const defaultCallTimeoutMs = 30_000;
const scope = 'https://www.googleapis.com/auth/sqlservice.admin';

/**
 * @see https://cloud.google.com/sql/docs/postgres/admin-api/rest/v1beta4
 */
export function createAdminApi(options: AdminApiOptions): AdminApi {
  const { budget, callTimeoutMs = defaultCallTimeoutMs } = options;
  const parts = options.instance.split(':');
  const instance = parts.at(-1) ?? '';
  // A domain-scoped project has a colon of its own.
  const project = parts.slice(0, -2).join(':');
  const connect = opener(options.adminApi);

  type Send<T> = (service: Service, how: MethodOptions) => Promise<{ data: T }>;
  const call = async <T>(signal: AbortSignal, send: Send<T>): Promise<T> => {
    signal.throwIfAborted();
    await budget.take(signal);
    const limit = AbortSignal.any([signal, AbortSignal.timeout(callTimeoutMs)]);
    try {
      // The library would repeat by itself whatever it takes for safe, beyond every budget; here callers decide.
      const sent = connect().then((service) => send(service, { signal: limit, retry: false }));
      return (await Promise.race([sent, rejection(limit)])).data;
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof AuthenticationError
        ? fromAuthenticationError(error.cause)
        : fromClientError(error, options.instance);
    }
  };

  return {
    listUsers: (signal) => call(signal, ({ users }, how) => users.list({ project, instance }, how)),
    insertUser: (requestBody, signal) =>
      call(signal, ({ users }, how) => users.insert({ project, instance, requestBody }, how)),
    deleteUser: (name, signal) =>
      call(signal, ({ users }, how) => users.delete({ project, instance, name }, how)),
    listDatabases: (signal) =>
      call(signal, ({ databases }, how) => databases.list({ project, instance }, how)),
    getOperation: (operation, signal) =>
      call(signal, ({ operations }, how) => operations.get({ project, operation }, how)),
    listOperations: (signal) =>
      call(signal, ({ operations }, how) => operations.list({ project, instance, maxResults: 20 }, how)),
  };
}

class AuthenticationError extends Error {}

/** Opens the official client once, and makes sure before each call that there is a token. */
function opener(adminApi: string | undefined): () => Promise<Service> {
  let opening: Promise<{ service: Service; authenticate: () => Promise<unknown> }> | undefined;
  return async () => {
    opening ??= open(adminApi).catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    const { service, authenticate } = await opening;
    // Apart from the call, for a refusal of the token's issuer would look like one of the API.
    await authenticate().catch((cause: unknown) => {
      throw new AuthenticationError('no token', { cause });
    });
    return service;
  };
}

async function open(adminApi: string | undefined) {
  // By its default: bundled, a CommonJS library has no other export.
  const { default: library } = await import('@googleapis/sqladmin');
  const auth = new library.auth.GoogleAuth({ scopes: [scope] });
  const service = library.sqladmin({
    version: 'v1beta4',
    auth,
    ...(adminApi !== undefined && { rootUrl: adminApi }),
  });
  return { service, authenticate: () => auth.getRequestHeaders() };
}
