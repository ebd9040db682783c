/** In the order in which they came. */
interface Waiting {
  readonly size: number;
  readonly go: () => void;
}

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

  async function take(size: number, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (waiting.length === 0 && hasRoom(size)) taken += size;
    else await inLine(size, signal);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      release(size);
    };
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
     * @returns gives it back; more than once does no harm
     * @throws the signal's reason
     */
    take,
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
