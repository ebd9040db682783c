import type { IncomingMessage } from 'node:http';
import { Clock } from '../clock.ts';
import { notImplemented } from '../http/api-error.ts';
import type { Interceptor } from '../http/interceptor.ts';
import { answerJson } from '../http/json.ts';
import { startHttpServer } from '../http/server.ts';
import { type Handler, readCall } from './call.ts';
import { prepareCopy } from './copy-job.ts';
import { datasetCalls } from './dataset-calls.ts';
import { notFound } from './errors.ts';
import { prepareExtract } from './extract-job.ts';
import { insertAll } from './insert-all.ts';
import { jobCalls } from './job-calls.ts';
import { Jobs } from './jobs.ts';
import { listRows } from './list-rows.ts';
import { prepareLoad } from './load-job.ts';
import { Objects } from './objects.ts';
import { Store } from './store.ts';
import { tableCalls } from './table-calls.ts';

export interface BigQueryOptions {
  /** Default: any free one. */
  readonly port?: number;
  /** Id of the only project that there is. */
  readonly project: string;
  /** `host:port` of the Cloud Storage that extract and load jobs use; without it they are refused. */
  readonly storageHost?: string;
  /** Who all callers are. */
  readonly user?: string;
  /** For how long jobs don't see rows that were streamed: in the service up to 90 minutes. Default: not at all. */
  readonly bufferSeconds?: number;
  /** How many rows an extract job puts into one file; in the service as many as fit into 1 GB. Default: all. */
  readonly rowsPerFile?: number;
  /** The time, if it isn't this machine's. */
  readonly now?: () => Date;
}

/** A running BigQuery of this machine. */
export interface LocalBigQuery {
  /** `127.0.0.1:port`; the client wants it with `http://`. */
  readonly host: string;
  /** Fault injection, assignable at any time. A job that is about to do something, or did, is a `Job`. */
  intercept: Interceptor | undefined;
  /** Sets the server's time forward. */
  advance(seconds: number): void;
  /** Gives up on jobs that run. */
  close(): Promise<void>;
}

/**
 * Starts a BigQuery without datasets in memory, on loopback, for the official client.
 *
 * What it serves and what it refuses: `docs/local-cloud/bigquery.md`.
 *
 * @see https://cloud.google.com/bigquery/docs/reference/rest
 */
export async function startBigQuery(options: BigQueryOptions): Promise<LocalBigQuery> {
  const { port = 0, project, now = () => new Date(), bufferSeconds = 0 } = options;
  const { rowsPerFile = Number.POSITIVE_INFINITY, user = `local@${project}.iam.gserviceaccount.com` } =
    options;
  const clock = new Clock(now);
  const served: { intercept: Interceptor | undefined } = { intercept: undefined };
  const store = new Store(project, () => clock.now() / 1000, bufferSeconds * 1000);
  const objects = new Objects(options.storageHost);
  const jobs = new Jobs(store, user, () => served.intercept);
  const handlers: Readonly<Record<string, Handler>> = {
    ...datasetCalls(store, user),
    ...tableCalls(store),
    'tabledata.insertAll': insertAll(store),
    'tabledata.list': listRows(store),
    ...jobCalls(project, jobs, {
      copy: (settings, location) => prepareCopy(store, settings, location),
      extract: (settings, location) => prepareExtract(store, objects, settings, location, rowsPerFile),
      load: (settings, location) => prepareLoad(store, objects, settings, location),
    }),
  };

  const answer = async (request: IncomingMessage): Promise<unknown> => {
    const call = await readCall(request);
    const { method, path, query, body } = call;
    const handler = handlers[method];
    if (!handler) throw notImplemented(method);
    if (path['project'] !== project) throw notFound(`Project ${path['project']}`);
    const said = { method, request: { ...path, ...query, ...body } };
    await served.intercept?.({ ...said, phase: 'before' });
    // A copy, which can be changed without changing what is known here.
    const found = structuredClone(handler(call)) as Record<string, unknown> | undefined;
    await served.intercept?.({ ...said, phase: 'after', ...(found && { answer: found }) });
    return found;
  };

  const server = await startHttpServer(port, answerJson(answer));
  return Object.assign(served, {
    host: server.host,
    advance: (seconds: number) => clock.advance(seconds),
    async close() {
      await Promise.all([server.close(), jobs.close()]);
    },
  });
}
