import { isObject, type JsonObject } from '../http/json.ts';
import { invalid } from './errors.ts';

/** The two parts of a multipart upload. */
export interface MultipartUpload {
  readonly metadata: JsonObject;
  /** The media part's own. */
  readonly contentType: string | undefined;
  /** Ends where the media part does; all of it has to be read. */
  readonly media: AsyncIterable<Buffer>;
}

const headLimit = 1024 * 1024;

/**
 * Reads the head of a `multipart/related` body, whose media follow as they come.
 *
 * @throws ApiError 400, also while the media are read
 * @see https://cloud.google.com/storage/docs/uploading-objects#uploading-an-object
 * @see https://www.rfc-editor.org/rfc/rfc2387
 */
export async function readMultipart(
  contentType: string | undefined,
  body: AsyncIterable<Buffer>,
): Promise<MultipartUpload> {
  const [, quoted, plain] =
    /^multipart\/related\b.*;\s*boundary=(?:"([^"]+)"|([^\s;]+))/i.exec(contentType ?? '') ?? [];
  const boundary = quoted ?? plain;
  if (boundary === undefined) throw invalid('Multipart content-type without a boundary.');
  const delimiter = `\r\n--${boundary}`;
  const reader = new DelimitedReader(body);
  await textOf(reader.until(delimiter));
  await textOf(reader.until('\r\n\r\n'));
  const metadata = await textOf(reader.until(delimiter));
  const head = await textOf(reader.until('\r\n\r\n'));
  const [, mediaType] = /^content-type:\s*(.+?)\s*$/im.exec(head) ?? [];
  return { metadata: parse(metadata), contentType: mediaType, media: reader.until(delimiter) };
}

/** Cuts a stream at delimiters. */
class DelimitedReader {
  readonly #chunks: AsyncIterator<Buffer>;
  /** The first delimiter has no line before it that it could end. */
  #rest = Buffer.from('\r\n');

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** What comes before a delimiter, which is dropped. */
  async *until(delimiter: string): AsyncGenerator<Buffer> {
    for (;;) {
      const at = this.#rest.indexOf(delimiter);
      if (at >= 0) {
        yield this.#rest.subarray(0, at);
        this.#rest = this.#rest.subarray(at + delimiter.length);
        return;
      }
      // The end of what there is may be the beginning of a delimiter.
      const safe = Math.max(0, this.#rest.length - delimiter.length + 1);
      yield this.#rest.subarray(0, safe);
      const { done, value } = await this.#chunks.next();
      if (done) throw invalid('Multipart body without its closing boundary.');
      this.#rest = Buffer.concat([this.#rest.subarray(safe), value]);
    }
  }
}

async function textOf(chunks: AsyncIterable<Buffer>): Promise<string> {
  const collected: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    if (size > headLimit) throw invalid('Metadata part is too large.');
    collected.push(chunk);
  }
  return Buffer.concat(collected).toString();
}

function parse(metadata: string): JsonObject {
  try {
    const parsed: unknown = JSON.parse(metadata);
    if (isObject(parsed)) return parsed;
  } catch {
    // the same answer as for any other text that is no object
  }
  throw invalid('Metadata part is not a JSON object.');
}
