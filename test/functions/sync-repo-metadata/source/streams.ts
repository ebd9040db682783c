import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';

/** Pieces, packed as they are asked for: so that what is large is never in memory at once. */
export function gzipOf(pieces: () => Iterable<Buffer>): Readable {
  const source = Readable.from(pieces(), { highWaterMark: 1 });
  const gzip = createGzip({ level: 1 });
  // Destroyed early, it ends what makes the pieces.
  gzip.once('close', () => source.destroy());
  return source.pipe(gzip);
}

/** @returns by how many bytes memory grew at most, and what came of the promise: its value or its error */
export async function peakOf(
  promise: Promise<unknown>,
): Promise<{ readonly peak: number; readonly outcome: unknown }> {
  const before = process.memoryUsage().rss;
  let peak = 0;
  const look = () => {
    peak = Math.max(peak, process.memoryUsage().rss - before);
  };
  const timer = setInterval(look, 10);
  try {
    const outcome = await promise.catch((error: unknown) => error);
    look();
    return { peak, outcome };
  } finally {
    clearInterval(timer);
  }
}
