import { Readable } from 'node:stream';
import { unavailable } from './github-errors.ts';

/** How long another machine may say nothing, in milliseconds. */
export interface Patience {
  /** From the request to the answer's head, redirects and all. */
  readonly headMs: number;
  /** Without a byte of the body, while somebody waits for one. */
  readonly stallMs: number;
}

export const defaultPatience: Patience = { headMs: 30_000, stallMs: 60_000 };

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Fails where the connection breaks or stalls, and where less comes than the head promised. To be read or destroyed. */
  readonly body: Readable;
}

/**
 * Gets a URL and follows redirects. `fetch` sends `Authorization` to no other origin than the first.
 *
 * Errors name neither the URL, for one that was redirected to may have a key in it, nor what `fetch` has to say beyond the
 * kind of failure.
 *
 * @throws OperationError `GITHUB_UNAVAILABLE`; the signal's reason when it fires
 */
export async function get(
  url: string,
  headers: Record<string, string>,
  { headMs, stallMs }: Patience,
  signal: AbortSignal,
): Promise<Answer> {
  signal.throwIfAborted();
  const own = new AbortController();
  const failure = (error: unknown) =>
    signal.aborted ? signal.reason : own.signal.aborted ? own.signal.reason : unavailable(lost(error));
  const impatient = (ms: number, where: string) =>
    setTimeout(() => own.abort(unavailable(`GitHub was silent for ${ms / 1000} s ${where}`)), ms);
  const timer = impatient(headMs, 'after a request');
  let response: Response;
  try {
    response = await fetch(url, { headers, signal: AbortSignal.any([signal, own.signal]) });
  } catch (error) {
    throw failure(error);
  } finally {
    clearTimeout(timer);
  }
  const reader = response.body?.getReader();
  const body = new Readable({
    read() {
      const stall = impatient(stallMs, 'in the middle of an answer');
      const next = reader?.read() ?? Promise.resolve({ done: true as const, value: undefined });
      next
        .finally(() => clearTimeout(stall))
        .then(
          ({ done, value }) =>
            this.push(done ? null : Buffer.from(value.buffer, value.byteOffset, value.length)),
          (error: unknown) => this.destroy(asError(failure(error))),
        );
    },
    destroy(error, callback) {
      // Frees the connection, which nobody else reads to its end.
      own.abort(error ?? undefined);
      callback(error);
    },
  });
  return { status: response.status, headers: response.headers, body };
}

/**
 * Reads a text to its end.
 *
 * @throws OperationError `GITHUB_UNAVAILABLE` where it is longer than anything that was asked for
 */
export async function readText({ body }: Answer, mostBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > mostBytes) {
      throw unavailable(`GitHub's answer is longer than ${mostBytes} bytes, which none of its answers is`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** `fetch` says only that it failed; why is in the cause. */
function lost(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const why = code || (cause instanceof Error ? cause.message : String(cause));
  return `The connection to GitHub could not be made or broke: ${why}`;
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
