import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, type Gunzip } from 'node:zlib';
import { Damage } from './damage.ts';

/** Large enough that a chunk's own cost doesn't count, small enough that a few of them don't either. */
const chunkBytes = 256 * 1024;

/** One that is unpacked while another is read. */
const unpackedAheadBytes = 2 * chunkBytes;

/** What a gzip file unpacks to, asked for piece by piece: nothing is unpacked far ahead of who asks. */
export class Unpacked {
  readonly #signal: AbortSignal;
  readonly #source: Readable;
  readonly #gunzip: Gunzip;
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #explain: (error: unknown) => unknown;
  #sourceFailed = false;
  #chunk: Buffer = Buffer.alloc(0);
  #at = 0;
  #before = 0;

  /** @param explain what an error of the source means */
  constructor(
    gzipped: Readable,
    signal: AbortSignal,
    explain: (error: unknown) => unknown = (error) => error,
  ) {
    this.#explain = explain;
    this.#signal = signal;
    this.#source = gzipped;
    this.#gunzip = createGunzip({
      chunkSize: chunkBytes,
      readableHighWaterMark: unpackedAheadBytes,
    } as object);
    gzipped.once('error', () => {
      this.#sourceFailed = true;
    });
    // Whatever ends one of the two ends the other; what it was is thrown to who reads.
    pipeline(gzipped, this.#gunzip, { signal }).catch(() => undefined);
    this.#chunks = this.#gunzip.iterator() as AsyncIterator<Buffer>;
  }

  /** How many bytes were asked for. */
  get position(): number {
    return this.#before + this.#at;
  }

  /**
   * @returns whether there were as many bytes
   * @throws Damage; errors of the source as they are
   */
  async fill(target: Buffer): Promise<boolean> {
    let filled = 0;
    while (filled < target.length) {
      if (this.#at === this.#chunk.length && !(await this.#next())) return false;
      const copied = this.#chunk.copy(target, filled, this.#at);
      filled += copied;
      this.#at += copied;
    }
    return true;
  }

  /** The next bytes as they lie there, where all of them do: who keeps them keeps a whole chunk. */
  view(bytes: number): Buffer | undefined {
    const end = this.#at + bytes;
    if (end > this.#chunk.length) return undefined;
    const view = this.#chunk.subarray(this.#at, end);
    this.#at = end;
    return view;
  }

  /** Passes over bytes; see {@link fill}. */
  async skip(bytes: number): Promise<boolean> {
    let left = bytes;
    while (left > 0) {
      if (this.#at === this.#chunk.length && !(await this.#next())) return false;
      const passed = Math.min(left, this.#chunk.length - this.#at);
      left -= passed;
      this.#at += passed;
    }
    return true;
  }

  /** What is left of a chunk, or the next one; undefined at the end. */
  async rest(): Promise<Buffer | undefined> {
    if (this.#at === this.#chunk.length && !(await this.#next())) return undefined;
    const rest = this.#chunk.subarray(this.#at);
    this.#at = this.#chunk.length;
    return rest;
  }

  /** Ends it and its source, wherever they are. */
  close(): void {
    this.#source.destroy();
    this.#gunzip.destroy();
  }

  async #next(): Promise<boolean> {
    try {
      const { done, value } = await this.#chunks.next();
      if (done) {
        this.#signal.throwIfAborted();
        return false;
      }
      this.#before += this.#chunk.length;
      this.#chunk = value;
      this.#at = 0;
      return true;
    } catch (error) {
      this.#signal.throwIfAborted();
      throw (!this.#sourceFailed && damageOf(error, this.position)) || this.#explain(error);
    }
  }
}

/** @see https://zlib.net/manual.html its codes and messages, as Node passes them on */
function damageOf(error: unknown, position: number): Damage | undefined {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!code.startsWith('Z_')) return undefined;
  const { message } = error as Error;
  if (code === 'Z_BUF_ERROR') return new Damage('its gzip ends too early', { cause: error });
  if (message !== 'incorrect header check')
    return new Damage(`its gzip is damaged (${message})`, { cause: error });
  const what = position === 0 ? 'it is not a gzip file' : 'it has something after its end';
  return new Damage(what, { cause: error });
}
