import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { damaged, patience, tooSlow } from './errors.ts';
import type { HeicAnswer, HeicTask } from './heic-worker.ts';
import type { Pixels } from './pixels.ts';

/** What a process of 512 MiB has room for. */
export const maxHeicPixels = 25_000_000;
/** Of a file, of which there are five copies while it is decoded. */
export const maxHeicBytes = 20 * 1024 ** 2;
/** What all that a HEIC takes may come to. */
const maxHeicMemory = 312 * 1024 ** 2;

/** Of a pixel in the decoder, and of a deep one: planes of brightness and colour, and what is made of them. */
const [pixelBytes, deepPixelBytes] = [8, 13];
/** What is taken out of the decoder: red, green and blue. */
const takenBytes = 3;
/** The decoder itself, whose memory also grows by more than was asked for. */
const spareBytes = 24 * 1024 ** 2;
/** In the decoder, which reads it more than once. */
const fileCopies = 3;

/** What decoding a HEIC takes, and may take at most, in bytes. */
export interface HeicMemory {
  /** The decoder: all of WebAssembly's memory. */
  readonly decoder: number;
  /** That, what comes of it, and the worker's copy of the file. */
  readonly all: number;
}

/** @param bytes of the file */
export function heicMemory(pixels: number, bytes: number, isDeep: boolean): HeicMemory {
  const decoder = pixels * (isDeep ? deepPixelBytes : pixelBytes) + bytes * fileCopies + spareBytes;
  return { decoder, all: decoder + pixels * takenBytes + bytes };
}

/** How many pixels a HEIC may have: it has to be decoded as a whole. */
export function mostHeicPixels(bytes: number, isDeep: boolean): number {
  const left = maxHeicMemory - heicMemory(0, bytes, isDeep).all;
  return Math.min(maxHeicPixels, Math.floor(left / ((isDeep ? deepPixelBytes : pixelBytes) + takenBytes)));
}

/**
 * Decodes a HEIC: turned as it is to be looked at, in sRGB. In a worker of its own, so that a file
 * that takes for ever takes nobody else's time; whatever it took is given back when it ends.
 *
 * @param seconds after which it is ended
 * @throws OperationError `IMAGE_DAMAGED`, `IMAGE_TOO_SLOW`
 * @throws the signal's reason, when it fires; its worker has ended then
 */
export async function decodeHeic(task: HeicTask, signal: AbortSignal, seconds = patience): Promise<Pixels> {
  signal.throwIfAborted();
  // moved and not cloned, which would make two
  const content = Uint8Array.from(task.content);
  const worker = new Worker(workerFile(), {
    workerData: { ...task, content } satisfies HeicTask,
    transferList: [content.buffer],
    // what the library prints, it prints for whoever builds it
    stdout: true,
    stderr: true,
    env: {},
  });
  worker.stdout.resume();
  worker.stderr.resume();
  const ended = new AbortController();
  try {
    const answer = await Promise.race([
      once(worker, 'message', { signal: ended.signal }).then(([message]: HeicAnswer[]) => message),
      once(worker, 'exit', { signal: ended.signal }).then(() => undefined),
      once(signal, 'abort', { signal: ended.signal }).then(() => undefined),
      setTimeout(seconds * 1000, 'late' as const, { signal: ended.signal }),
    ]);
    signal.throwIfAborted();
    if (answer === 'late') throw tooSlow('image/heic', seconds);
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
