import { setTimeout as delay } from 'node:timers/promises';
import { isConcurrentChange, isOutdatedPlan } from './sqlstate.ts';

const mostAttempts = 15;
const firstPauseMs = 5;
const longestPauseMs = 500;

/**
 * Runs a transaction again when another session changed the same role or schema, or dropped what it was about, at the
 * same moment. That is nobody's
 * mistake and never reaches the user: inspecting again shows what is left to do.
 */
export async function retryConcurrentChanges<T>(
  signal: AbortSignal,
  transaction: () => Promise<T>,
  random: () => number = Math.random,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await transaction();
    } catch (error) {
      const again = isConcurrentChange(error) || isOutdatedPlan(error);
      if (!again || attempt === mostAttempts) throw error;
      await delay(pauseMs(attempt, random), undefined, { signal });
    }
  }
}

/** Full jitter: those that met once are unlikely to meet again. */
export function pauseMs(attempt: number, random: () => number): number {
  return random() * Math.min(longestPauseMs, firstPauseMs * 2 ** attempt);
}
