import { ApiError, notImplemented } from '../http/api-error.ts';
import type { JsonObject } from '../http/json.ts';
import type { Call, Handler } from './call.ts';
import { duplicate, invalid, notFound } from './errors.ts';
import { objectOf, required, supportOnly, textOf } from './fields.ts';
import type { Work } from './job.ts';
import type { Jobs } from './jobs.ts';
import { labelsOf } from './labels.ts';
import { normalLocation } from './location.ts';
import { decode, encode, sizeOf } from './pages.ts';

/** Checks a part of a configuration; `location` is where the job is to run, or undefined for wherever its data is. */
export type Prepare = (settings: JsonObject, location: string | undefined) => Work;

const kinds = ['copy', 'extract', 'load'] as const;

export type Preparations = Readonly<Record<(typeof kinds)[number], Prepare>>;

const outputOnly = ['kind', 'etag', 'id', 'selfLink', 'status', 'statistics', 'user_email'];

/** Where a job that is asked for without its location may be. */
const multiRegions = ['US', 'EU'];

/** https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs */
export function jobCalls(project: string, jobs: Jobs, prepare: Preparations): Record<string, Handler> {
  return {
    'jobs.insert'({ body }) {
      supportOnly('a job', body, ['configuration', 'jobReference', ...outputOnly]);
      const { id, location } = readReference(project, objectOf(body, 'jobReference') ?? {});
      const configuration = objectOf(body, 'configuration') ?? required('configuration');
      const kind = kindOf(configuration);
      const settings = objectOf(configuration, kind) ?? required(kind);
      const existing = jobs.find(id, location);
      if (existing) throw duplicate(`Job ${project}:${existing.location}.${id}`);
      const labels = labelsOf(configuration);
      const work = prepare[kind](settings, location);
      return jobs.describe(jobs.begin(work, { id, settings, labels }));
    },

    'jobs.get'({ path, query }) {
      const id = path['job'] ?? '';
      const location = query['location'] ? normalLocation(query['location']) : undefined;
      const job = (location ? [location] : multiRegions).map((one) => jobs.find(id, one)).find(Boolean);
      if (job) return jobs.describe(job);
      throw notFound(`Job ${project}:${location ? `${location}.` : ''}${id}`);
    },

    'jobs.list': ({ query }) => listJobs(jobs, query),
  };
}

function listJobs(jobs: Jobs, query: Call['query']) {
  const from = query['pageToken'] ? Number(decode(query['pageToken'])) : 0;
  const all = jobs.list();
  const to = from + (sizeOf(query) ?? 50);
  const entries = all.slice(from, to).map((job) => {
    const { kind, id, jobReference, statistics, status, configuration, user_email } = jobs.describe(job);
    const minimal = { kind, id, jobReference, state: status.state, statistics, status, user_email };
    const { errorResult } = status;
    return {
      ...minimal,
      ...(errorResult && { errorResult }),
      ...(query['projection'] === 'full' && { configuration }),
    };
  });
  return {
    kind: 'bigquery#jobList',
    jobs: entries,
    ...(to < all.length && { nextPageToken: encode(String(to)) }),
  };
}

/** @throws ApiError 400 unless there is one job to do, 501 for a query */
function kindOf(configuration: JsonObject): (typeof kinds)[number] {
  if (configuration['query']) throw notImplemented('a query job');
  supportOnly('a job configuration', configuration, [...kinds, 'query', 'labels', 'jobType']);
  const [kind, ...more] = kinds.filter((one) => configuration[one] !== undefined);
  if (kind && more.length === 0) return kind;
  throw new ApiError(400, 'required', 'Required parameter is missing: one of copy, extract, load');
}

function readReference(project: string, reference: JsonObject) {
  supportOnly('a job reference', reference, ['projectId', 'jobId', 'location']);
  const id = textOf(reference, 'jobId') ?? `job_${crypto.randomUUID()}`;
  if (!/^[\w-]{1,1024}$/.test(id)) throw invalid(`Invalid job ID "${id}".`);
  const given = textOf(reference, 'projectId');
  if (given !== undefined && given !== project) throw invalid(`Invalid project: ${given}`);
  const location = textOf(reference, 'location');
  return { id, location: location && normalLocation(location) };
}
