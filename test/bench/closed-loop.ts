/** How long each operation took, in milliseconds, and all of them together. */
export interface Timings {
  readonly latencies: readonly number[];
  readonly elapsed: number;
}

/**
 * Does operations with so many under way at any time: each one that ends makes room for the next.
 *
 * @param operate does one and resolves when it has ended
 */
export async function closedLoop<T>(
  items: readonly T[],
  concurrency: number,
  operate: (item: T) => Promise<void>,
): Promise<Timings> {
  const latencies: number[] = [];
  const queue = items.values();
  const startedAt = performance.now();
  const worker = async () => {
    for (const item of queue) {
      const askedAt = performance.now();
      await operate(item);
      latencies.push(performance.now() - askedAt);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return { latencies, elapsed: performance.now() - startedAt };
}
