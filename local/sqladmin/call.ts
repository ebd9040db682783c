import type { IncomingMessage } from 'node:http';
import { ApiError, notImplemented } from '../http/api-error.ts';
import { type JsonObject, readJson } from '../http/json.ts';
import { createRouter, type RoutedCall } from '../http/routes.ts';

/** A request, taken apart. Parts of the path: `project`, `instance`, `name`, `database`, `operation`. */
export interface Call extends RoutedCall {
  readonly body: JsonObject;
  /** Who calls. */
  readonly principal: string;
}

/** Both versions of the API have the same methods: https://cloud.google.com/sql/docs/postgres/admin-api/rest */
const route = createRouter('/(?:v1|sql/v1beta4)/projects/(?<project>[^/]+)/', [
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
]);

/** @throws ApiError 501 for a method or parameter that isn't here, 400 for a body that isn't JSON */
export async function readCall(request: IncomingMessage): Promise<Omit<Call, 'principal'>> {
  const routed = route(request.method, request.url);
  return { ...routed, body: request.method === 'POST' ? await readJson(request) : {} };
}

export function invalid(message: string): ApiError {
  return new ApiError(400, 'invalid', `Invalid request: ${message}`);
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
