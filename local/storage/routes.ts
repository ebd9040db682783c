import type { IncomingMessage } from 'node:http';
import { notImplemented } from '../http/api-error.ts';
import { readJson } from '../http/json.ts';
import { createRouter } from '../http/routes.ts';
import type { Call } from './call.ts';
import { bucketPreconditions, objectPreconditions, sourcePreconditions } from './preconditions.ts';

const pages = ['maxResults', 'pageToken'];
/** Says whether ACLs are shown; there are none. */
const projection = ['projection'];
const object = ['generation', ...objectPreconditions];
const list = [
  ...['prefix', 'delimiter', 'includeTrailingDelimiter', 'startOffset', 'endOffset', 'versions', 'force'],
  ...pages,
  ...projection,
];

/**
 * STORAGE_EMULATOR_HOST is what the official client puts before its paths, in place of `…/storage/v1`.
 *
 * @see https://cloud.google.com/storage/docs/json_api/v1
 */
const route = createRouter('(?:(?:/download)?/storage/v1)?/', [
  ['POST', 'b', 'buckets.insert', ['project', ...projection]],
  ['GET', 'b', 'buckets.list', ['project', 'prefix', ...pages, ...projection]],
  ['GET', 'b/{bucket}', 'buckets.get', [...bucketPreconditions, ...projection]],
  ['PATCH', 'b/{bucket}', 'buckets.patch', [...bucketPreconditions, ...projection]],
  ['DELETE', 'b/{bucket}', 'buckets.delete', bucketPreconditions],
  ['GET', 'b/{bucket}/o', 'objects.list', list],
  ['GET', 'b/{bucket}/o/{object}', 'objects.get', [...object, ...projection]],
  ['PATCH', 'b/{bucket}/o/{object}', 'objects.patch', [...object, ...projection]],
  ['PUT', 'b/{bucket}/o/{object}', 'objects.update', [...object, ...projection]],
  // The client's deleteFiles() sends with each deletion what it listed by.
  ['DELETE', 'b/{bucket}/o/{object}', 'objects.delete', [...object, ...list]],
  ['POST', 'b/{bucket}/o/{object}/compose', 'objects.compose', objectPreconditions],
  ...(['copy', 'rewrite'] as const).map(
    (verb) =>
      [
        'POST',
        `b/{bucket}/o/{object}/${verb}To/b/{destinationBucket}/o/{destinationObject}`,
        `objects.${verb}`,
        ['sourceGeneration', ...objectPreconditions, ...sourcePreconditions, ...projection],
      ] as const,
  ),
  ['POST', 'b/{bucket}/notificationConfigs', 'notifications.insert'],
  ['GET', 'b/{bucket}/notificationConfigs', 'notifications.list'],
  ['GET', 'b/{bucket}/notificationConfigs/{notification}', 'notifications.get'],
  ['DELETE', 'b/{bucket}/notificationConfigs/{notification}', 'notifications.delete'],
]);

const uploadQuery = [
  ...['uploadType', 'upload_id', 'name', 'contentEncoding'],
  ...objectPreconditions,
  ...projection,
];

const uploadRoute = createRouter('/upload/storage/v1/', [
  ['POST', 'b/{bucket}/o', 'objects.insert', uploadQuery],
  ['PUT', 'b/{bucket}/o', 'objects.insert', uploadQuery],
  ['DELETE', 'b/{bucket}/o', 'objects.insert', uploadQuery],
]);

/** Headers that ask for what isn't here. */
const unsupportedHeaders = ['if-match', 'if-none-match', 'x-goog-encryption-key', 'x-goog-user-project'];

/** Whether a request is one of the JSON API; else it is one of the XML API. */
export function isJsonApi(url = '/'): boolean {
  return /^\/(?:(?:(?:upload|download)\/)?storage\/v1\/|b(?:[/?]|$))/.test(url);
}

/** @throws ApiError 501 for a method, a parameter or a header that isn't here, 400 for a body that isn't JSON */
export async function readCall(request: IncomingMessage): Promise<Call> {
  const { method, url = '/', headers } = request;
  const header = unsupportedHeaders.find((name) => headers[name] !== undefined);
  if (header !== undefined) throw notImplemented(`the header ${header}`);
  if (url.startsWith('/upload/')) return { ...uploadRoute(method, url), body: {}, request };
  const routed = route(method, url);
  const hasBody = Number(headers['content-length'] ?? 0) > 0 || headers['transfer-encoding'] !== undefined;
  return { ...routed, body: hasBody ? await readJson(request) : {}, request };
}
