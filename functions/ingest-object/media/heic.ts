import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { damaged } from './errors.ts';
import type { HeicAnswer, HeicTask } from './heic-worker.ts';
import type { Pixels } from './pixels.ts';

/**
 * A HEIC has to be decoded as a whole, in WebAssembly: that takes about 8 bytes a pixel in the decoder and 3 more
 * for what comes of it. 25 million are what a process of 512 MiB has room for.
 */
export const maxHeicPixels = 25_000_000;

/**
 * Decodes a HEIC: turned as it is to be looked at, in sRGB. In a worker of its own, so that a file
 * that takes for ever takes nobody else's time; whatever it took is given back when it ends.
 *
 * @throws OperationError `IMAGE_DAMAGED`
 * @throws the signal's reason, when it fires
 */
export async function decodeHeic(task: HeicTask, signal: AbortSignal): Promise<Pixels> {
  signal.throwIfAborted();
  // what the library prints, it prints for whoever builds it
  const worker = new Worker(workerFile(), { workerData: task, stdout: true, stderr: true, env: {} });
  worker.stdout.resume();
  worker.stderr.resume();
  const ended = new AbortController();
  try {
    const answer = await Promise.race([
      once(worker, 'message', { signal: ended.signal }).then(([message]: HeicAnswer[]) => message),
      once(worker, 'exit', { signal: ended.signal }).then(() => undefined),
      once(signal, 'abort', { signal: ended.signal }).then(() => undefined),
    ]);
    signal.throwIfAborted();
    if (answer === undefined) throw damaged('image/heic', 'its decoder ended');
    if ('problem' in answer) throw damaged('image/heic', answer.problem);
    const { data, width, height, channels } = answer;
    return { data: Buffer.from(data.buffer, data.byteOffset, data.byteLength), width, height, channels };
  } finally {
    ended.abort();
    await worker.terminate();
  }
}

/** The worker's file: next to this one, or in a bundle next to its main file, of which this may be a chunk. */
function workerFile(): URL {
  const own = import.meta.url;
  if (own.endsWith('.ts')) return new URL('./heic-worker.ts', own);
  const candidates = ['./heic-worker.js', '../heic-worker.js'].map((file) => new URL(file, own));
  const found = candidates.find((file) => existsSync(file));
  if (found === undefined) throw new Error(`the bundle of ${own} has no heic-worker.js`);
  return found;
}
