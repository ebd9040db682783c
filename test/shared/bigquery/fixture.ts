import { afterAll, afterEach, beforeAll, vi } from 'vitest';
import { type BigQueryOptions, type LocalBigQuery, startBigQuery } from '../../../local/bigquery/index.ts';
import { ApiError } from '../../../local/http/api-error.ts';
import { startStorage } from '../../../local/storage/index.ts';
import { config } from '../../../shared/config.ts';
import { type BigQueryRequest, callBigQuery, closeBigQuery } from '../../../shared/gcp/bigquery.ts';

export const project = 'acme';
export const bucket = 'archive';
export const signal = new AbortController().signal;

export interface BigQueryFixture {
  server: LocalBigQuery;
}

/** A BigQuery and a Cloud Storage, which the product finds as it does anywhere. */
export function useBigQuery(options: Partial<BigQueryOptions> = {}): BigQueryFixture {
  const cloud = {} as BigQueryFixture;
  let closeStorage: () => Promise<void>;
  beforeAll(async () => {
    const storage = await startStorage({ project, buckets: [bucket] });
    closeStorage = () => storage.close();
    cloud.server = await startBigQuery({ project, storageHost: storage.host, ...options });
    vi.stubEnv('GOOGLE_CLOUD_PROJECT', project);
    vi.stubEnv('BIGQUERY_EMULATOR_HOST', `http://${cloud.server.host}`);
    vi.stubEnv('STORAGE_EMULATOR_HOST', `http://${storage.host}`);
    // Nothing read them before: they are read once.
    config();
  });
  afterEach(() => {
    cloud.server.intercept = undefined;
  });
  afterAll(async () => {
    closeBigQuery();
    await cloud.server.close();
    await closeStorage();
    vi.unstubAllEnvs();
  });
  return cloud;
}

let names = 0;

export function newName(prefix = 'd'): string {
  names += 1;
  return `${prefix}_${names}`;
}

/** The id of an operation, as records have it. */
export function newOperation(): string {
  names += 1;
  return `${String(names).padStart(4, '0')}f00d`.padEnd(40, '0');
}

/** A call of the test's own. */
export function send<T = Record<string, unknown>>(
  method: BigQueryRequest['method'],
  path: string,
  body?: object,
): Promise<T> {
  return callBigQuery<T>({ method, path, ...(body && { body }) }, signal);
}

export async function insertRows(dataset: string, table: string, ...rows: object[]): Promise<void> {
  const body = { rows: rows.map((json) => ({ json })) };
  await send('POST', `datasets/${dataset}/tables/${table}/insertAll`, body);
}

/** The values of all rows, as the API has them: lists of texts. */
export async function readRows(dataset: string, table: string): Promise<unknown[][]> {
  const { rows = [] } = await send<{ rows?: { f: { v: unknown }[] }[] }>(
    'GET',
    `datasets/${dataset}/tables/${table}/data`,
  );
  return rows.map(({ f }) => f.map(({ v }) => v));
}

/** Remembers the calls that are made from now on. */
export function watch({ server }: BigQueryFixture): string[] {
  const calls: string[] = [];
  server.intercept = ({ method, phase }) => {
    if (phase === 'before') calls.push(method);
  };
  return calls;
}

/** What changes something. */
export function writing(calls: readonly string[]): string[] {
  return calls.filter((method) => !/\.(get|list)$/.test(method));
}

/** Has the server refuse a method so often, before it takes effect or after it did. */
export function refuse(
  { server }: BigQueryFixture,
  method: string,
  [status, reason]: readonly [status: number, reason: string],
  { phase = 'before', times = Number.POSITIVE_INFINITY }: { phase?: 'before' | 'after'; times?: number } = {},
): string[] {
  const calls: string[] = [];
  let left = times;
  server.intercept = (call) => {
    if (call.phase === 'before') calls.push(call.method);
    if (call.method !== method || call.phase !== phase || left === 0) return;
    left -= 1;
    throw new ApiError(status, reason, `${reason}, said the test`);
  };
  return calls;
}
