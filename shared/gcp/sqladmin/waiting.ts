import { setTimeout as delay } from 'node:timers/promises';
import { OperationError } from '../../operation/errors.ts';
import type { AdminApi, Operation } from './client.ts';

/** How to wait between two looks. Rejects with the signal's reason. */
export type Pause = (attempt: number, signal: AbortSignal) => Promise<void>;

const firstPauseMs = 200;
const longestPauseMs = 5_000;

/** Doubles from a fifth of a second to five seconds. The half of it is random: those that met once shall not meet again. */
export const jitteredPause: Pause = (attempt, signal) => {
  const longest = Math.min(longestPauseMs, firstPauseMs * 2 ** (attempt - 1));
  const ms = longest * (0.5 + Math.random() / 2);
  return delay(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
};

/**
 * Waits until an operation is over.
 *
 * @throws OperationError `ADMIN_API_OPERATION_FAILED`, retryable, with what the operation says went wrong
 */
export async function waitForEnd(
  api: AdminApi,
  begun: Operation,
  pause: Pause,
  signal: AbortSignal,
): Promise<void> {
  const { name } = begun;
  let operation = begun;
  for (let attempt = 1; operation.status !== 'DONE'; attempt += 1) {
    await pause(attempt, signal);
    operation = (await unlessTransient(() => api.getOperation(name ?? '', signal), signal)) ?? operation;
  }
  if (!operation.error) return;
  const errors = operation.error.errors ?? [];
  const said = errors.map(({ code, message }) => message ?? code).join('; ');
  throw new OperationError(
    'ADMIN_API_OPERATION_FAILED',
    `Cloud SQL's operation ${name} (${operation.operationType}) failed: ${said || 'it does not say why'}`,
    {
      retryable: true,
      details: { operation: name, errors: errors.map(({ code, message }) => ({ code, message })) },
    },
  );
}

/** Waits until no operation is under way in the instance. */
export async function waitForIdle(api: AdminApi, pause: Pause, signal: AbortSignal): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const listed = await unlessTransient(() => api.listOperations(signal), signal);
    const busy = listed?.items?.some(({ status }) => status === 'PENDING' || status === 'RUNNING');
    if (listed !== undefined && !busy) return;
    await pause(attempt, signal);
  }
}

/** A look that failed for now says nothing about what is looked at: undefined. */
async function unlessTransient<T>(look: () => Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    if (!signal.aborted && error instanceof OperationError && error.retryable) return undefined;
    throw error;
  }
}
