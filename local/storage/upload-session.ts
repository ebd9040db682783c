import type { IncomingMessage } from 'node:http';
import { ApiError } from '../http/api-error.ts';
import { checksumsOf } from './checksums.ts';
import type { ContentWriter } from './content.ts';
import type { ContentRange } from './content-range.ts';
import { invalid } from './errors.ts';
import type { StoredObject } from './object.ts';
import { chunksOf, type Upload } from './upload.ts';

/** What is kept of a request that doesn't end the upload is a multiple of this. */
const granule = 256 * 1024;

/** A resumable upload between its requests. */
export class UploadSession {
  readonly #upload: Upload;
  readonly #writer: ContentWriter;
  /** What a request has brought, but is not kept yet. */
  #pending = Buffer.alloc(0);
  #total: number | undefined;
  #receiving: { readonly request: IncomingMessage; readonly ended: Promise<void> } | undefined;
  #finishing: Promise<StoredObject> | undefined;
  #gone = false;

  /** @param total size of the whole content, if the client announced it */
  constructor(upload: Upload, writer: ContentWriter, total: number | undefined) {
    this.#upload = upload;
    this.#writer = writer;
    this.#total = total;
  }

  /** How many bytes the client needn't send again. */
  get persisted(): number {
    return this.#writer.size;
  }

  /** Whether the upload was given up or refused. */
  get gone(): boolean {
    return this.#gone;
  }

  /**
   * Takes what a request has, one request at a time: whoever sends a second one has given up the first.
   *
   * @returns the object if the upload is complete
   * @throws ApiError
   */
  async receive(range: ContentRange, request: IncomingMessage): Promise<StoredObject | undefined> {
    const { start, total } = range;
    if (start === undefined && total === undefined) return this.#finishing;
    await this.#interrupt();
    if (this.#finishing) return this.#finishing;
    // A query that names the size that has come says that this is all.
    if (start === undefined) return total === this.persisted ? this.#finish(undefined) : undefined;
    const receiving = this.#receive(start, range, request);
    const clear = () => {
      this.#receiving = undefined;
      this.#pending = Buffer.alloc(0);
    };
    this.#receiving = { request, ended: receiving.then(clear, clear) };
    return receiving;
  }

  async abandon(): Promise<void> {
    await this.#interrupt();
    if (this.#finishing || this.#gone) return;
    this.#gone = true;
    await this.#writer.abandon();
  }

  async #interrupt(): Promise<void> {
    while (this.#receiving) {
      if (!this.#finishing) this.#receiving.request.destroy();
      await this.#receiving.ended;
    }
  }

  async #receive(
    start: number,
    { end, total }: ContentRange,
    request: IncomingMessage,
  ): Promise<StoredObject | undefined> {
    if (start > this.persisted) throw tooFar(start, this.persisted);
    this.#announce(total);
    const received = await this.#append(request, this.persisted - start);
    if (end !== undefined && received !== end - start) throw wrongLength(received, start, end);
    const size = start + received;
    const whole = this.#total ?? (end === undefined ? size : undefined);
    const excess = Math.max(size, this.persisted);
    if (whole !== undefined && excess > whole) throw tooMuch(excess, whole);
    if (size === whole) return this.#finish(request.headers['x-goog-hash']);
    if (received < granule) throw tooSmall(received);
    return undefined;
  }

  #announce(total: number | undefined): void {
    if (total === undefined) return;
    if (this.#total !== undefined && this.#total !== total) {
      throw invalid(`Invalid request. The size ${total} differs from the ${this.#total} announced before.`);
    }
    this.#total = total;
  }

  /**
   * Where the connection breaks, whole granules stay.
   *
   * @param known how many bytes at the beginning have been kept already
   * @returns how many came
   */
  async #append(request: IncomingMessage, known: number): Promise<number> {
    let received = 0;
    for await (const chunk of chunksOf(request)) {
      const fresh = chunk.subarray(Math.max(0, known - received));
      received += chunk.length;
      this.#pending = Buffer.concat([this.#pending, fresh]);
      const whole = this.#pending.length - (this.#pending.length % granule);
      if (whole === 0) continue;
      await this.#writer.write(this.#pending.subarray(0, whole));
      this.#pending = this.#pending.subarray(whole);
    }
    return received;
  }

  #finish(hash: string | string[] | undefined): Promise<StoredObject> {
    this.#finishing = this.#complete(hash).catch((error: unknown) => {
      this.#gone = true;
      throw error;
    });
    return this.#finishing;
  }

  async #complete(hash: string | string[] | undefined): Promise<StoredObject> {
    await this.#writer.write(this.#pending);
    return this.#upload.finish(await this.#writer.finish(), checksumsOf(hash));
  }
}

function tooFar(start: number, persisted: number): ApiError {
  return new ApiError(
    503,
    'backendError',
    `Invalid request. According to the Content-Range header, the upload offset is ${start} byte(s), which exceeds already uploaded size of ${persisted} byte(s).`,
  );
}

function wrongLength(received: number, start: number, end: number): ApiError {
  return invalid(
    `Invalid request. There were ${received} byte(s) in the request body. There should have been ${end - start} byte(s) (starting at offset ${start} and ending at offset ${end - 1}) according to the Content-Range header.`,
  );
}

function tooMuch(size: number, whole: number): ApiError {
  return invalid(`Invalid request. There are ${size} bytes, more than the ${whole} announced.`);
}

function tooSmall(received: number): ApiError {
  return invalid(
    `Invalid request. The number of bytes uploaded is required to be equal or greater than ${granule}, except for the final request (it's recommended to be the exact multiple of ${granule}). The received request contained ${received} bytes, which does not meet this requirement.`,
  );
}
