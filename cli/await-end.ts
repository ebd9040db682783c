import { setTimeout as pause } from 'node:timers/promises';
import { isFinal } from '../shared/registry/operations.ts';
import { ask } from './cloud.ts';
import { type Found, readRecord } from './found.ts';
import { startProgress } from './progress.ts';

const firstPauseMs = 50;
const longestPauseMs = 1000;

/**
 * Looks at an operation until it has ended or the time is over, at least once.
 *
 * @param look reads its record
 * @param onLook is told what was found each time
 * @returns what was found last; undefined where no worker has taken the message so far
 */
export async function awaitEnd(
  look: () => Promise<Found | undefined>,
  timeoutMs: number,
  onLook: (found: Found | undefined) => void = () => undefined,
): Promise<Found | undefined> {
  const ended = new AbortController();
  const over = Symbol('the time is over');
  const timeOver = pause(timeoutMs, over, { signal: ended.signal }).catch(() => over);
  try {
    let found = await look();
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 1.5, longestPauseMs)) {
      if (found && isFinal(found.record.state)) return found;
      onLook(found);
      if ((await Promise.race([timeOver, pause(pauseMs, undefined, { ref: false })])) === over) return found;
      const looked = await Promise.race([timeOver, look()]);
      if (typeof looked === 'symbol') return found;
      found = looked;
    }
  } finally {
    ended.abort();
  }
}

/** Waits until all have ended or the time is over. They run side by side, so waiting in turn takes no longer. */
export async function awaitEach(ids: readonly string[], timeoutMs: number): Promise<Found[]> {
  const deadline = performance.now() + timeoutMs;
  const progress = startProgress();
  try {
    const ended: Found[] = [];
    for (const id of ids) {
      const found = await awaitEnd(
        () => ask((db) => readRecord(db, id)),
        Math.max(0, deadline - performance.now()),
        (latest) => progress.show(latest?.record),
      );
      if (found) ended.push(found);
    }
    return ended;
  } finally {
    progress.stop();
  }
}
