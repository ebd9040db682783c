import type { IncomingMessage, RequestListener } from 'node:http';
import { text } from 'node:stream/consumers';
import { ApiError } from './api-error.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return value instanceof Object && !Array.isArray(value);
}

/** @throws ApiError 400 unless a request's body is a JSON object */
export async function readJson(request: IncomingMessage): Promise<JsonObject> {
  try {
    const body: unknown = JSON.parse(await text(request));
    if (isObject(body)) return body;
  } catch {
    // the same answer as for any other body that is no object
  }
  throw new ApiError(400, 'parseError', 'Invalid JSON payload received.');
}

/**
 * Answers each request with JSON, 204 where there is nothing to say, and what is thrown with its `ApiError`'s status,
 * else 500.
 */
export function answerJson(answer: (request: IncomingMessage) => Promise<unknown>): RequestListener {
  return (request, response) => {
    const send = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    answer(request).then(
      (body) => (body === undefined ? response.writeHead(204).end() : send(200, body)),
      (error: unknown) => {
        const refused = error instanceof ApiError ? error : new ApiError(500, 'internalError', String(error));
        send(refused.httpStatus, refused);
      },
    );
  };
}
