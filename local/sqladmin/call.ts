import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { ApiError, notImplemented } from './api-error.ts';

/** A request, taken apart. */
export interface Call {
  /** As the API's reference names it, such as `users.list`. */
  readonly method: string;
  /** Parts of the path by the reference's names: `project`, `instance`, `name`, `database`, `operation`. */
  readonly path: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
  /** Who calls. */
  readonly principal: string;
}

const routes: readonly (readonly [verb: string, path: string, method: string, query?: readonly string[]])[] =
  [
    ['GET', 'instances', 'instances.list'],
    ['GET', 'instances/{instance}', 'instances.get'],
    ['GET', 'instances/{instance}/connectSettings', 'connectSettings'],
    ['POST', 'instances/{instance}:generateEphemeralCert', 'generateEphemeralCert'],
    ['POST', 'instances/{instance}/generateEphemeralCert', 'generateEphemeralCert'],
    ['GET', 'instances/{instance}/users', 'users.list'],
    ['POST', 'instances/{instance}/users', 'users.insert'],
    ['DELETE', 'instances/{instance}/users', 'users.delete', ['name', 'host']],
    ['GET', 'instances/{instance}/users/{name}', 'users.get', ['host']],
    ['GET', 'instances/{instance}/databases', 'databases.list'],
    ['POST', 'instances/{instance}/databases', 'databases.insert'],
    ['GET', 'instances/{instance}/databases/{database}', 'databases.get'],
    ['DELETE', 'instances/{instance}/databases/{database}', 'databases.delete'],
    ['GET', 'operations', 'operations.list', ['instance', 'maxResults', 'pageToken']],
    ['GET', 'operations/{operation}', 'operations.get'],
  ];

/** Both versions of the API have the same methods: https://cloud.google.com/sql/docs/postgres/admin-api/rest */
const versions = '/(?:v1|sql/v1beta4)/projects/(?<project>[^/]+)/';

const patterns = routes.map(([verb, path, method, query = []]) => ({
  verb,
  pattern: new RegExp(`^${versions}${path.replace(/\{(\w+)\}/g, '(?<$1>[^/:]+)')}$`),
  method,
  query,
}));

/** Parameters that every method has, and that change nothing here. */
const anyQuery = ['alt', 'prettyPrint'];

/** @throws ApiError 501 for a method or parameter that isn't here, 400 for a body that isn't JSON */
export async function readCall(request: IncomingMessage): Promise<Omit<Call, 'principal'>> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  // A domain-scoped project has a colon, which says nothing about the path while it is encoded.
  for (const { verb, pattern, method, query } of patterns) {
    const path = verb === request.method ? pattern.exec(url.pathname)?.groups : undefined;
    if (path === undefined) continue;
    const strange = [...url.searchParams.keys()].find((name) => ![...query, ...anyQuery].includes(name));
    if (strange !== undefined) throw notImplemented(`the parameter ${strange} of ${method}`);
    return {
      method,
      path: Object.fromEntries(
        Object.entries(path).map(([name, value]) => [name, decodeURIComponent(value)]),
      ),
      query: Object.fromEntries(url.searchParams),
      body: verb === 'POST' ? await readBody(request) : {},
    };
  }
  throw notImplemented(`${request.method} ${url.pathname}`);
}

async function readBody(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  try {
    const body: unknown = JSON.parse(await text(request));
    if (body instanceof Object && !Array.isArray(body)) return body as Record<string, unknown>;
  } catch {
    // the same answer as for any other body that is no object
  }
  throw new ApiError(400, 'parseError', 'Invalid JSON payload received.');
}

/**
 * A field of a request's body.
 *
 * @throws ApiError 400 unless it is text
 */
export function textOf(body: Call['body'], field: string): string {
  const value = body[field];
  if (typeof value === 'string' && value !== '') return value;
  throw new ApiError(400, 'required', `Required parameter: ${field}`);
}

/** @throws ApiError 501 for the first field of a request's body that is not among those that are supported */
export function supportOnly({ method, body }: Call, fields: readonly string[]): void {
  const strange = Object.keys(body).find((field) => !fields.includes(field));
  if (strange !== undefined) throw notImplemented(`the field ${strange} of ${method}`);
}
