import { rejection } from '../../postgres/rejection.ts';

export interface ReadOptions {
  readonly signal: AbortSignal;
  /** An answer that was asked for at most so many milliseconds ago will do; by default none that is there already. */
  readonly maxAgeMs?: number | undefined;
}

/** One list, asked for by many at a time. */
export interface SharedList<T> {
  /** Callers who come while the list is being read share that call. It ends early when all of them have gone. */
  read(options: ReadOptions): Promise<T>;
  /** Reads the list by a call of its own, which sees all that was done before. */
  readNow(signal: AbortSignal): Promise<T>;
  /** Something changed: nobody is given what was asked for before. */
  forget(): void;
}

interface Reading<T> {
  readonly answer: Promise<T>;
  readonly controller: AbortController;
  waiting: number;
}

export function createSharedList<T>(
  read: (signal: AbortSignal) => Promise<T>,
  now: () => number,
): SharedList<T> {
  let latest: { readonly answer: T; readonly askedAt: number } | undefined;
  let current: Reading<T> | undefined;
  let changes = 0;

  const begin = (): Reading<T> => {
    const controller = new AbortController();
    const askedAt = now();
    const reading: Reading<T> = { answer: read(controller.signal), controller, waiting: 0 };
    reading.answer
      .then((answer) => {
        if (current === reading) latest = { answer, askedAt };
      })
      .catch(() => undefined) // whoever waits is told
      .finally(() => leave(reading));
    return reading;
  };
  const leave = (reading: Reading<T>) => {
    if (current === reading) current = undefined;
  };

  return {
    async read({ signal, maxAgeMs = 0 }) {
      signal.throwIfAborted();
      if (latest !== undefined && now() - latest.askedAt < maxAgeMs) return latest.answer;
      current ??= begin();
      const reading = current;
      reading.waiting += 1;
      try {
        return await Promise.race([reading.answer, rejection(signal)]);
      } finally {
        reading.waiting -= 1;
        if (reading.waiting === 0) {
          leave(reading);
          reading.controller.abort();
        }
      }
    },
    async readNow(signal) {
      const askedAt = now();
      const changesBefore = changes;
      const answer = await read(signal);
      if (changes === changesBefore) latest = { answer, askedAt };
      return answer;
    },
    forget() {
      changes += 1;
      latest = undefined;
      current = undefined;
    },
  };
}
