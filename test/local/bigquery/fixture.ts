import { BigQuery, type Dataset, type Job, type Table, type TableMetadata } from '@google-cloud/bigquery';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { type BigQueryOptions, type LocalBigQuery, startBigQuery } from '../../../local/bigquery/index.ts';
import { ApiError } from '../../../local/http/api-error.ts';
import type { InterceptedCall } from '../../../local/http/interceptor.ts';

export const project = 'test-project';

/** Where the server's time stands when it starts. */
export const start = new Date('2026-03-01T12:00:00Z');

/** One server and the official client for it. */
export interface Cloud {
  server: LocalBigQuery;
  client: BigQuery;
}

/** One server for the tests of a file; {@link newDataset} keeps them apart. Its time stands still. */
export function useBigQuery(options: () => Partial<BigQueryOptions> = () => ({})): Cloud {
  const cloud = {} as Cloud;
  beforeAll(async () => {
    // Without it Google's libraries would look for credentials at the metadata server.
    process.env['METADATA_SERVER_DETECTION'] = 'none';
    cloud.server = await startBigQuery({ project, now: () => start, ...options() });
    cloud.client = clientOf(cloud.server);
  });
  afterEach(() => {
    cloud.server.intercept = undefined;
  });
  afterAll(() => cloud.server.close());
  return cloud;
}

/** The official client. It repeats nothing by itself. */
export function clientOf({ host }: LocalBigQuery, options = {}): BigQuery {
  return new BigQuery({
    projectId: project,
    apiEndpoint: `http://${host}`,
    retryOptions: { autoRetry: false },
    ...options,
  });
}

let names = 0;

/** A name that no other test has. */
export function newName(prefix = 'd'): string {
  names += 1;
  return `${prefix}${names}`;
}

export async function newDataset({ client }: Cloud, options: object = {}): Promise<Dataset> {
  const [dataset] = await client.createDataset(newName(), options);
  return dataset;
}

/** A table, in a new dataset unless one is given. */
export async function newTable(cloud: Cloud, options: TableMetadata, dataset?: Dataset): Promise<Table> {
  const [table] = await (dataset ?? (await newDataset(cloud))).createTable(newName('t'), options);
  return table;
}

/** Patches a table, with null too, which the client's types don't have. */
export async function change(table: Table, settings: object): Promise<TableMetadata> {
  const [metadata] = (await table.setMetadata(settings)) as unknown as [TableMetadata];
  return metadata;
}

/** Rows as the client gives them. */
export async function rowsOf(table: Table): Promise<unknown[]> {
  const [rows] = await table.getRows();
  return rows;
}

/** Inserts rows as they are, without the ids that the client gives them. */
export function insert(table: Table, ...rows: readonly object[]): Promise<unknown> {
  return table.insert(rows, { createInsertId: false });
}

/** Begins a job whatever its configuration says. */
export async function createJob({ client }: Cloud, options: object): Promise<Job> {
  const [job] = await (client.createJob(options) as unknown as Promise<[Job]>);
  return job;
}

/** What a job's resource says when the job is over. */
export async function ended(job: Job) {
  for (;;) {
    const [metadata] = await job.getMetadata();
    if (metadata.status.state === 'DONE') return metadata;
  }
}

/** What goes beyond the client's own methods. */
export async function call(
  { server }: Cloud,
  method: string,
  path: string,
  body?: object,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`http://${server.host}/bigquery/v2/projects/${project}/${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text ? JSON.parse(text) : {} };
}

export const unavailable = new ApiError(503, 'backendError', 'Try again later.');

/** Throws once, at the first call of a method in a phase. */
export function failing(method: string, phase: InterceptedCall['phase'], error: Error) {
  let isDone = false;
  return (intercepted: InterceptedCall) => {
    if (isDone || intercepted.method !== method || intercepted.phase !== phase) return;
    isDone = true;
    throw error;
  };
}

/** What the client's error says of a refusal. */
export function refusal(code: number, reason: string, message: string | RegExp) {
  return {
    code,
    message: typeof message === 'string' ? message : expect.stringMatching(message),
    errors: [expect.objectContaining({ reason, domain: 'global' })],
  };
}
