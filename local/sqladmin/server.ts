import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { ApiError, notImplemented } from '../http/api-error.ts';
import type { Interceptor } from '../http/interceptor.ts';
import { answerJson } from '../http/json.ts';
import { startHttpServer } from '../http/server.ts';
import { type Call, readCall } from './call.ts';
import type { Connecting } from './connect.ts';
import { databaseMethods } from './databases.ts';
import {
  describeInstance,
  findInstance,
  freeAddress,
  type InstanceHandler,
  partsOf,
  type SqlInstance,
} from './instances.ts';
import { createOperations } from './operations.ts';
import { createTokens, credentialsAt, type Tokens } from './tokens.ts';
import { type IamPasswords, userMethods } from './users.ts';

export interface SqlAdminOptions {
  readonly instances: readonly SqlInstance[];
  readonly port?: number;
  /** Who may call; by default every principal. */
  readonly clients?: readonly string[];
  readonly onCall?: (method: string) => void;
  /**
   * Has a call that changes something answer when that is done, and with 400 where it failed; by default it answers
   * with an operation that ends later. The service does the one or the other.
   */
  readonly answersWhenDone?: boolean;
}

export interface SqlAdmin {
  /** Root of the Admin API. */
  readonly url: string;
  /** `127.0.0.1:port`, for SQLADMIN_EMULATOR_HOST. */
  readonly host: string;
  /** Fault injection, assignable at any time. An operation that is about to take effect, or did, is an `Operation`. */
  intercept: Interceptor | undefined;
  /** What a file that GOOGLE_APPLICATION_CREDENTIALS names has to hold, so that Google's libraries act as a principal. */
  credentials(principal: string): string;
  close(): Promise<void>;
}

/**
 * Serves the Cloud SQL Admin API as far as Drover and the Cloud SQL connector need it, and the tokens to call it with.
 * Any other method answers 501.
 *
 * @see https://cloud.google.com/sql/docs/postgres/admin-api/rest
 */
export async function startSqlAdmin(options: SqlAdminOptions): Promise<SqlAdmin> {
  const tokens = createTokens();
  const instances = options.instances.map((instance) => ({ address: freeAddress(), ...instance }));
  const passwords = new Map<SqlInstance, IamPasswords>(
    instances.map((instance) => [instance, new Map(Object.entries(instance.iamPasswords ?? {}))]),
  );
  const passwordsOf = (instance: SqlInstance) => passwords.get(instance) ?? new Map<string, string>();
  const connecting = await connectable(instances, tokens, passwordsOf);
  let intercept: Interceptor | undefined;
  let url = '';
  const operations = createOperations({
    url: () => url,
    intercept: () => intercept,
    answersWhenDone: options.answersWhenDone ?? false,
  });
  const methods: Readonly<Record<string, InstanceHandler>> = {
    ...connecting?.methods,
    'instances.get': (_, instance) => describeInstance(instance),
    ...userMethods(operations, passwordsOf),
    ...databaseMethods(operations),
  };
  const perform = (call: Call): unknown => {
    const { method, path } = call;
    if (method === 'operations.get') return operations.get(call);
    if (method === 'operations.list') return operations.list(call);
    if (method === 'instances.list') {
      const items = instances.filter(({ name }) => partsOf(name).project === path['project']);
      return { kind: 'sql#instancesList', ...(items.length > 0 && { items: items.map(describeInstance) }) };
    }
    const instance = findInstance(instances, path);
    const handler = methods[method];
    if (handler) return handler(call, instance);
    throw notImplemented(`connecting to ${instance.name}`);
  };
  const authorize = (request: IncomingMessage): string => {
    const principal = tokens.principalOf(request.headers.authorization?.replace(/^Bearer /, ''));
    if (options.clients?.includes(principal) !== false) return principal;
    throw new ApiError(403, 'notAuthorized', 'The client is not authorized to make this request.');
  };
  const answer = async (request: IncomingMessage): Promise<unknown> => {
    const [, asked] = request.url?.match(/^\/subject-token\/(.+)$/) ?? [];
    if (asked !== undefined) return { subject_token: decodeURIComponent(asked) };
    if (request.url === '/token') return tokens.exchange(new URLSearchParams(await text(request)));

    const call = await readCall(request);
    options.onCall?.(call.method);
    const principal = authorize(request);
    const said = { method: call.method, request: { ...call.path, ...call.query, ...call.body } };
    await intercept?.({ ...said, phase: 'before' });
    // A copy, which can be changed without changing what is known here.
    const found = structuredClone(await perform({ ...call, principal })) as Record<string, unknown>;
    await intercept?.({ ...said, phase: 'after', answer: found });
    return found;
  };

  const server = await startHttpServer(options.port ?? 0, answerJson(answer));
  const { host } = server;
  url = `http://${host}`;

  return {
    url,
    host,
    get intercept() {
      return intercept;
    },
    set intercept(given) {
      intercept = given;
    },
    credentials: (principal) => credentialsAt(url, principal),
    async close() {
      await Promise.all([server.close(), connecting?.close()]);
    },
  };
}

/** Certificates take longer to load than all the rest, and where nobody can connect they aren't needed. */
async function connectable(
  instances: readonly (SqlInstance & { address: string })[],
  tokens: Tokens,
  passwordsOf: (instance: SqlInstance) => IamPasswords,
): Promise<Connecting | undefined> {
  if (instances.every(({ postgresPort }) => postgresPort === undefined)) return undefined;
  const { startConnecting } = await import('./connect.ts');
  return startConnecting(instances, tokens, (instance, role) => passwordsOf(instance).get(role));
}
