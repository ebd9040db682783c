/** Lets so many be at something at a time, in the order in which they came. */
export interface Turns {
  /**
   * Waits for a turn.
   *
   * @returns ends it; more than once does no harm
   * @throws the signal's reason
   */
  take(signal: AbortSignal): Promise<() => void>;
}

export function createTurns(most: number): Turns {
  let taken = 0;
  const line: (() => void)[] = [];

  const next = () => {
    const first = line.shift();
    if (first) first();
    else taken -= 1;
  };

  return {
    async take(signal) {
      signal.throwIfAborted();
      if (taken < most) taken += 1;
      else {
        const { promise, resolve, reject } = Promise.withResolvers<void>();
        const leave = () => {
          const place = line.indexOf(resolve);
          // Who has left the line has the turn.
          if (place === -1) return;
          line.splice(place, 1);
          reject(signal.reason);
        };
        line.push(resolve);
        signal.addEventListener('abort', leave, { once: true });
        try {
          await promise;
        } finally {
          signal.removeEventListener('abort', leave);
        }
      }
      let isOver = false;
      return () => {
        if (isOver) return;
        isOver = true;
        next();
      };
    },
  };
}
