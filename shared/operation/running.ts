import { OperationError } from './errors.ts';

/**
 * What this process is working on. On SIGTERM it is asked to end: it may finish within the time left, and what
 * doesn't is aborted and hands its operation back.
 */
const running = new Map<symbol, { controller: AbortController; ended: Promise<unknown> }>();

let isStopping = false;

/**
 * From now on nothing begins any more: connections that are open may still bring messages, and a process that ends would leave them
 * claimed.
 */
export function refuseWork(): void {
  isStopping = true;
}

const stopping = () =>
  new OperationError('SHUTTING_DOWN', 'This instance was told to stop; another takes over', {
    retryable: true,
  });

/** What bounds a piece of work. */
export interface Limits {
  /** Fires when the time is over or the process has to stop; the work itself may fire it, too. */
  readonly controller: AbortController;
  /** When the time is over, in milliseconds since the epoch. */
  readonly deadline: number;
}

/**
 * Runs work under a signal that fires when the time is over or the process has to stop.
 *
 * @param timeoutMs after which the signal fires with the retryable error `DEADLINE_EXCEEDED`
 * @throws OperationError `SHUTTING_DOWN` (retryable) after {@link refuseWork}
 */
export async function runAbortable<T>(timeoutMs: number, work: (limits: Limits) => Promise<T>): Promise<T> {
  if (isStopping) throw stopping();
  const controller = new AbortController();
  const timer = setTimeout(() => {
    const message = `The function's time was over after ${Math.round(timeoutMs / 1000)} s`;
    controller.abort(new OperationError('DEADLINE_EXCEEDED', message, { retryable: true }));
  }, timeoutMs);
  const key = Symbol();
  const ended = work({ controller, deadline: Date.now() + timeoutMs });
  running.set(key, { controller, ended });
  try {
    return await ended;
  } finally {
    clearTimeout(timer);
    running.delete(key);
  }
}

/**
 * Waits for what is running, and aborts what is still running after `patienceMs`.
 *
 * @returns how many had to be aborted
 */
export async function drain(patienceMs: number): Promise<number> {
  const work = [...running.values()];
  const finished = Promise.allSettled(work.map(({ ended }) => ended));
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, patienceMs);
  });
  await Promise.race([finished, patience]);
  clearTimeout(timer);
  const left = [...running.values()];
  const reason = stopping();
  for (const { controller } of left) controller.abort(reason);
  await Promise.allSettled(left.map(({ ended }) => ended));
  return left.length;
}
