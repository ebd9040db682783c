import { ApiError } from '../http/api-error.ts';
import type { Interceptor } from '../http/interceptor.ts';
import { describeJob, type ErrorProto, type Job, JobError, type Work } from './job.ts';
import type { Store } from './store.ts';

/** The jobs of one project. */
export class Jobs {
  readonly #store: Store;
  readonly #user: string;
  readonly #intercept: () => Interceptor | undefined;
  /** In the order in which they were made; several locations may have the same id. */
  readonly #all: Job[] = [];
  readonly #running = new Set<Promise<void>>();
  readonly #closing = new AbortController();

  /** @param user who runs them */
  constructor(store: Store, user: string, intercept: () => Interceptor | undefined) {
    this.#store = store;
    this.#user = user;
    this.#intercept = intercept;
  }

  /** The newest first. */
  list(): readonly Job[] {
    return this.#all.toReversed();
  }

  /** @param location any, if undefined */
  find(id: string, location: string | undefined): Job | undefined {
    return this.#all.find((job) => job.id === id && (location === undefined || job.location === location));
  }

  describe(job: Job) {
    return describeJob(this.#store.project, this.#user, job);
  }

  /** Begins a job, which runs when its caller has been answered. */
  begin(work: Work, job: Pick<Job, 'id' | 'settings' | 'labels'>): Job {
    const { modified, etag } = this.#store.change();
    const { location, type } = work;
    const begun: Job = {
      ...job,
      location,
      type,
      created: modified,
      etag,
      ended: undefined,
      statistics: {},
      errors: [],
    };
    this.#all.push(begun);
    const running = this.#run(begun, work).finally(() => this.#running.delete(running));
    this.#running.add(running);
    return begun;
  }

  /** Gives up on jobs that run. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#running);
  }

  async #run(job: Job, work: Work): Promise<void> {
    const { signal } = this.#closing;
    await new Promise(setImmediate);
    const request = this.describe(job);
    try {
      await orAbort(signal, this.#intercept()?.({ method: 'Job', phase: 'before', request }));
      job.statistics = await work.run(signal);
      await orAbort(signal, this.#intercept()?.({ method: 'Job', phase: 'after', request }));
    } catch (error) {
      job.errors = errorsOf(error);
    }
    const { modified, etag } = this.#store.change();
    Object.assign(job, { ended: modified, etag });
  }
}

/** Waits no longer than the server is there. */
async function orAbort(signal: AbortSignal, waiting: void | Promise<void>): Promise<void> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', abort);
  await Promise.race([waiting, aborted.promise]).finally(() => signal.removeEventListener('abort', abort));
}

function errorsOf(error: unknown): readonly ErrorProto[] {
  if (error instanceof JobError) return error.errors;
  if (error instanceof ApiError) return [{ reason: error.reason, message: error.message }];
  return [{ reason: 'internalError', message: String(error) }];
}
