import { setTimeout as delay } from 'node:timers/promises';
import { OperationError } from '../operation/errors.ts';
import { isConcurrentChange, isOutdatedPlan, isServerError } from './sqlstate.ts';

const mostAttempts = 15;
const firstPauseMs = 5;
const longestPauseMs = 500;

/**
 * Runs a transaction again when another session changed the same role or schema, or dropped what it was about, at the
 * same moment. That is nobody's
 * mistake and never reaches the user: inspecting again shows what is left to do.
 */
export function retryConcurrentChanges<T>(
  signal: AbortSignal,
  transaction: () => Promise<T>,
  random: () => number = Math.random,
): Promise<T> {
  return retryWhere(
    (error) => isConcurrentChange(error) || isOutdatedPlan(error),
    signal,
    transaction,
    random,
  );
}

/** Makes a database again when somebody was looking at the one that it is a copy of. */
export function againWhereBusy<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  return retryWhere((error) => isServerError(error) && error.code === '55006', signal, work, Math.random);
}

async function retryWhere<T>(
  passes: (error: unknown) => boolean,
  signal: AbortSignal,
  work: () => Promise<T>,
  random: () => number,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!passes(error) || attempt === mostAttempts) throw error;
      await delay(pauseMs(attempt, random), undefined, { signal });
    }
  }
}

/** Full jitter: those that met once are unlikely to meet again. */
export function pauseMs(attempt: number, random: () => number): number {
  return random() * Math.min(longestPauseMs, firstPauseMs * 2 ** attempt);
}

const mostLooks = 5;

/**
 * What belongs to the instance may be taken at the same moment from another database, whose lock is another. Then there
 * is nothing to take, of which PostgreSQL warns, or the role is dropped twice; another look shows what is left.
 */
export async function againWhereTaken<T>(transaction: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await transaction();
    } catch (error) {
      if (!isTaken(error) || attempt === mostLooks) throw error;
    }
  }
}

function isTaken(error: unknown): boolean {
  if (error instanceof OperationError) return error.code === 'NOT_DONE';
  return (
    isServerError(error) && error.code === 'XX000' && error.message.includes('could not find tuple for role')
  );
}
