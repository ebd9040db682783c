import { config } from '../config.ts';
import { callBigQuery } from '../gcp/bigquery.ts';
import { jitteredPause } from '../gcp/sqladmin/waiting.ts';
import { OperationError } from '../operation/errors.ts';
import { type ErrorProto, explainJobError, refusedWith } from './errors.ts';

/** What is sent and what is answered. @see https://cloud.google.com/bigquery/docs/reference/rest/v2/Job */
interface Job {
  readonly jobReference: { readonly jobId: string; readonly location?: string };
  readonly status?: { readonly state?: string; readonly errorResult?: ErrorProto };
  readonly statistics?: JobStatistics;
}

/** Numbers come as text, times as milliseconds since the epoch. */
export interface JobStatistics {
  readonly startTime?: string;
  readonly extract?: { readonly destinationUriFileCounts?: readonly string[] };
  readonly load?: { readonly outputRows?: string; readonly inputFiles?: string };
}

/** A job that did its work. */
export interface DoneJob {
  readonly id: string;
  /** It was begun here and now, not by an earlier attempt. */
  readonly isFresh: boolean;
  readonly statistics: JobStatistics;
}

export interface JobSeries {
  /** Of the jobs' ids: letters, digits, `_` and `-`. */
  readonly name: string;
  readonly location: string;
  readonly signal: AbortSignal;
  /** To be called before something is begun. */
  readonly assertHeld: () => void;
}

const mostJobs = 100;

/**
 * Runs a job whose id is made of its purpose, so that another attempt finds what this one began instead of doing it
 * twice. An id is used up even by a job that failed, or whose result isn't wanted any more: then the next number is.
 *
 * @param configure the job of a number
 * @param accept makes a result of a job that did its work; undefined where another job is needed
 * @throws OperationError `GOOGLE_…` of the job
 */
export async function runJobs<T>(
  series: JobSeries,
  configure: (number: number) => object,
  accept: (job: DoneJob, number: number) => Promise<T | undefined>,
): Promise<T> {
  for (let number = 0; number < mostJobs; number += 1) {
    const { job, isFresh } = await begin(series, number, configure(number));
    const { status, statistics = {} } = await waitForEnd(job, series);
    const id = job.jobReference.jobId;
    if (status?.errorResult) {
      if (isFresh) throw explainJobError(status.errorResult, id);
      continue;
    }
    const result = await accept({ id, isFresh, statistics }, number);
    if (result !== undefined) return result;
  }
  throw new OperationError('TOO_MANY_JOBS', `${mostJobs} jobs ${series.name}_… came to nothing`);
}

/** Begins a job, or finds the one that an earlier attempt began. */
async function begin(
  { name, location, signal, assertHeld }: JobSeries,
  number: number,
  configuration: object,
) {
  const jobReference = { projectId: config().GOOGLE_CLOUD_PROJECT, jobId: `${name}_${number}`, location };
  assertHeld();
  try {
    const body = { jobReference, configuration };
    const job = await callBigQuery<Job>({ method: 'POST', path: 'jobs', body }, signal);
    return { job, isFresh: true };
  } catch (error) {
    if (!refusedWith(error, 'ALREADY_EXISTS')) throw error;
    return { job: await getJob(jobReference, signal), isFresh: false };
  }
}

async function waitForEnd(begun: Job, { location, signal }: JobSeries): Promise<Job> {
  let job = begun;
  for (let attempt = 1; job.status?.state !== 'DONE'; attempt += 1) {
    await jitteredPause(attempt, signal);
    job = await getJob({ location, ...job.jobReference }, signal);
  }
  return job;
}

function getJob({ jobId, location }: { jobId: string; location: string }, signal: AbortSignal): Promise<Job> {
  return callBigQuery({ method: 'GET', path: `jobs/${jobId}`, query: { location } }, signal);
}
