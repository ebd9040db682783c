import type { JsonObject } from '../http/json.ts';
import type { Labels } from './labels.ts';

/** https://cloud.google.com/bigquery/docs/reference/rest/v2/ErrorProto */
export interface ErrorProto {
  readonly reason: string;
  readonly message: string;
  readonly location?: string;
}

/** What a job did, besides times. */
export type Statistics = Readonly<Record<string, unknown>>;

/** What a job is going to do. */
export interface Work {
  readonly type: 'COPY' | 'EXTRACT' | 'LOAD';
  /** Where its datasets are. */
  readonly location: string;
  /** Does it. What this throws is the job's error. */
  run(signal: AbortSignal): Promise<Statistics> | Statistics;
}

/** Times are milliseconds since the epoch. */
export interface Job {
  readonly id: string;
  readonly location: string;
  readonly type: Work['type'];
  /** The part of the configuration by the type's name. */
  readonly settings: JsonObject;
  readonly labels: Labels | undefined;
  readonly created: number;
  etag: string;
  ended: number | undefined;
  statistics: Statistics;
  /** The first one says why the job failed. */
  errors: readonly ErrorProto[];
}

/** What a job fails with that has more to say than one error. */
export class JobError extends Error {
  override readonly name = 'JobError';
  readonly errors: readonly ErrorProto[];

  constructor(errors: readonly ErrorProto[]) {
    super(errors[0]?.message);
    this.errors = errors;
  }
}

/** https://cloud.google.com/bigquery/docs/reference/rest/v2/Job */
export function describeJob(project: string, user: string, job: Job) {
  const { id, location, type, created, ended, errors } = job;
  const [errorResult] = errors;
  return {
    kind: 'bigquery#job',
    etag: job.etag,
    id: `${project}:${location}.${id}`,
    selfLink: `/bigquery/v2/projects/${project}/jobs/${id}?location=${location}`,
    user_email: user,
    configuration: { [type.toLowerCase()]: job.settings, labels: job.labels, jobType: type },
    jobReference: { projectId: project, jobId: id, location },
    statistics: {
      creationTime: String(created),
      startTime: String(created),
      ...(ended !== undefined && { endTime: String(ended) }),
      ...job.statistics,
    },
    status: {
      state: ended === undefined ? 'RUNNING' : 'DONE',
      ...(errorResult && { errorResult, errors }),
    },
    jobCreationReason: { code: 'REQUESTED' },
  };
}
