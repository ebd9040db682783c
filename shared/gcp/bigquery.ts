import type { BigQuery } from '@google-cloud/bigquery';
import { explainBigQueryError, noCredentials } from '../bigquery/errors.ts';
import { config } from '../config.ts';
import type { OperationError } from '../operation/errors.ts';
import { rejection } from '../postgres/rejection.ts';
import { jitteredPause } from './sqladmin/waiting.ts';

/** A call of the REST API. */
export interface BigQueryRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Below the project: `datasets/drover/tables`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: object;
  /** The resource has to be as it was when it had this etag. */
  readonly etag?: string;
}

const attempts = 4;
const callTimeoutMs = 60_000;

let opening: Promise<BigQuery> | undefined;

function bigQuery(): Promise<BigQuery> {
  opening ??= open().catch((error: unknown) => {
    opening = undefined;
    throw error;
  });
  return opening;
}

/**
 * The client itself honours BIGQUERY_EMULATOR_HOST (`http://host:port`), but goes on looking for Google's credentials,
 * which takes seconds where there are none.
 */
async function open(): Promise<BigQuery> {
  // By its default: bundled, a CommonJS library has no other export.
  const { default: library } = await import('@google-cloud/bigquery');
  const client = new library.BigQuery({
    projectId: config().GOOGLE_CLOUD_PROJECT,
    // The library repeats whatever it is; here the call decides.
    retryOptions: { autoRetry: false },
    ...(process.env['BIGQUERY_EMULATOR_HOST'] && { authClient: await nobody() }),
  });
  client.timeout = callTimeoutMs;
  return client;
}

async function nobody() {
  const { default: library } = await import('google-auth-library');
  return new library.PassThroughClient();
}

/**
 * Sends one request by the official client. What only reads is repeated after whatever may pass; what writes only after
 * a refusal by a quota, which did nothing.
 *
 * @throws OperationError `GOOGLE_…`; the signal's reason
 * @see https://cloud.google.com/bigquery/docs/reference/rest
 */
export async function callBigQuery<T>(request: BigQueryRequest, signal: AbortSignal): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    signal.throwIfAborted();
    try {
      return await Promise.race([send<T>(request), rejection(signal)]);
    } catch (error) {
      signal.throwIfAborted();
      const explained = explainBigQueryError(error, request);
      if (attempt === attempts || !mayRepeat(request, explained)) throw explained;
    }
    await jitteredPause(attempt, signal);
  }
}

function mayRepeat({ method }: BigQueryRequest, { code, retryable }: OperationError): boolean {
  return method === 'GET' ? retryable : code === 'GOOGLE_RESOURCE_EXHAUSTED';
}

async function send<T>({ method, path, query, body, etag }: BigQueryRequest): Promise<T> {
  const client = await bigQuery();
  // Apart from the call, for a refusal of the token's issuer would look like one of BigQuery.
  await client.authClient.getRequestHeaders().catch((error: unknown) => {
    throw noCredentials(error);
  });
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const options = {
    method,
    uri: `/${path}`,
    ...(query && { qs: query }),
    ...(body && { json: body }),
    ...(etag !== undefined && { headers: { 'If-Match': etag } }),
  };
  client.request(options, (error, answer) => (error ? reject(error) : resolve(answer)));
  return promise;
}

/** Forgets the client, which has no connection that would keep a process alive. */
export function closeBigQuery(): void {
  opening = undefined;
}
