import type { IncomingMessage } from 'node:http';
import { type JsonObject, readJson } from '../http/json.ts';
import { createRouter, type RoutedCall } from '../http/routes.ts';

/** A request, taken apart. Parts of the path: `project`, `dataset`, `table`, `job`. */
export interface Call extends RoutedCall {
  readonly body: JsonObject;
  /** The etag that the resource has to have. */
  readonly ifMatch: string | undefined;
}

/** What is answered with; undefined where there is nothing to say. */
export type Handler = (call: Call) => unknown;

/** The parameter that asks for timestamps in whole microseconds. */
export const int64Timestamp = 'formatOptions.useInt64Timestamp';

const pages = ['maxResults', 'pageToken'];
const table = 'datasets/{dataset}/tables/{table}';

/**
 * The client leaves the service's prefix out where BIGQUERY_EMULATOR_HOST doesn't have it.
 *
 * @see https://cloud.google.com/bigquery/docs/reference/rest
 */
const route = createRouter('(?:/bigquery/v2)?/projects/(?<project>[^/]+)/', [
  ['GET', 'datasets', 'datasets.list', [...pages, 'filter', 'all']],
  ['POST', 'datasets', 'datasets.insert'],
  ['GET', 'datasets/{dataset}', 'datasets.get'],
  ['PATCH', 'datasets/{dataset}', 'datasets.patch'],
  ['PUT', 'datasets/{dataset}', 'datasets.update'],
  ['DELETE', 'datasets/{dataset}', 'datasets.delete', ['deleteContents']],
  ['GET', 'datasets/{dataset}/tables', 'tables.list', pages],
  ['POST', 'datasets/{dataset}/tables', 'tables.insert'],
  ['GET', table, 'tables.get'],
  ['PATCH', table, 'tables.patch'],
  ['PUT', table, 'tables.update'],
  ['DELETE', table, 'tables.delete'],
  ['POST', `${table}/insertAll`, 'tabledata.insertAll'],
  ['GET', `${table}/data`, 'tabledata.list', [...pages, 'startIndex', 'selectedFields', int64Timestamp]],
  ['GET', 'jobs', 'jobs.list', [...pages, 'projection', 'allUsers']],
  ['POST', 'jobs', 'jobs.insert'],
  ['GET', 'jobs/{job}', 'jobs.get', ['location']],
]);

/** @throws ApiError 501 for a method or parameter that isn't here, 400 for a body that isn't JSON */
export async function readCall(request: IncomingMessage): Promise<Call> {
  const routed = route(request.method, request.url);
  const hasBody = request.method !== 'GET' && request.method !== 'DELETE';
  return {
    ...routed,
    body: hasBody ? await readJson(request) : {},
    ifMatch: request.headers['if-match'],
  };
}
