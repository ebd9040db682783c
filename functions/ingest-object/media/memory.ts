/** In the order in which they came. */
interface Waiting {
  readonly bytes: number;
  readonly go: () => void;
}

/**
 * Lets work run at a time only as far as it has room together, in the order in which it came. What needs more than
 * there is runs alone.
 *
 * @param total bytes that all of it may take
 */
export function memoryOf(total: number) {
  const waiting: Waiting[] = [];
  let taken = 0;
  const hasRoom = (bytes: number) => taken === 0 || taken + bytes <= total;

  function release(bytes: number): void {
    taken -= bytes;
    for (let next = waiting[0]; next !== undefined && hasRoom(next.bytes); next = waiting[0]) {
      waiting.shift();
      taken += next.bytes;
      next.go();
    }
  }

  async function take(bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (waiting.length === 0 && hasRoom(bytes)) {
      taken += bytes;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const own = { bytes, go: resolve };
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
    /** Runs work that takes so many bytes, as soon as they are there. @throws the signal's reason while it waits */
    async run<T>(bytes: number, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
      await take(bytes, signal);
      try {
        return await work();
      } finally {
        release(bytes);
      }
    },
  };
}
