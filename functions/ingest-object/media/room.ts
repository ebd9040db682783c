/** In the order in which they came. */
interface Waiting {
  readonly size: number;
  readonly go: () => void;
}

/** Gives room back, all of it or down to what is still needed; more than once does no harm. */
export type GiveBack = (kept?: number) => void;

/**
 * Lets work run at a time only as far as it has room together, in the order in which it came. What needs more than
 * there is runs alone.
 *
 * @param total room that all of it has: bytes, say, or 1 for work that comes one after the other
 */
export function roomOf(total: number) {
  const waiting: Waiting[] = [];
  let taken = 0;
  const hasRoom = (size: number) => taken === 0 || taken + size <= total;

  function release(size: number): void {
    taken -= size;
    for (let next = waiting[0]; next !== undefined && hasRoom(next.size); next = waiting[0]) {
      waiting.shift();
      taken += next.size;
      next.go();
    }
  }

  /** @param size room that is taken already */
  function givingBack(size: number): GiveBack {
    let left = size;
    return (kept = 0) => {
      if (kept >= left) return;
      const part = left - kept;
      left = kept;
      release(part);
    };
  }

  async function take(size: number, signal: AbortSignal): Promise<GiveBack> {
    signal.throwIfAborted();
    if (waiting.length === 0 && hasRoom(size)) taken += size;
    else await inLine(size, signal);
    return givingBack(size);
  }

  function occupy(size: number): GiveBack {
    taken += size;
    return givingBack(size);
  }

  async function inLine(size: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const own = { size, go: resolve };
    waiting.push(own);
    const giveUp = () => {
      const place = waiting.indexOf(own);
      if (place === -1) return; // it is its turn already
      waiting.splice(place, 1);
      reject(signal.reason);
      release(0); // those behind it may have had room
    };
    signal.addEventListener('abort', giveUp, { once: true });
    await promise.finally(() => signal.removeEventListener('abort', giveUp));
  }

  return {
    /**
     * Waits until there is room of this size.
     *
     * @throws the signal's reason
     */
    take,
    /** Counts what is there anyway, whether there is room or not: others wait the longer. */
    occupy,
    /** What is taken now. */
    taken: () => taken,
    /** Runs work that takes room of this size, as soon as there is. @throws the signal's reason while it waits */
    async run<T>(size: number, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
      const giveBack = await take(size, signal);
      try {
        return await work();
      } finally {
        giveBack();
      }
    },
  };
}
