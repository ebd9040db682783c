import { invalid } from './errors.ts';

/** What a request to an upload session says of its body. */
export interface ContentRange {
  /** Where the body belongs; undefined of a request that has none and asks how far the upload has come. */
  readonly start: number | undefined;
  /** The offset after the body's last byte, if that was known when the request was begun. */
  readonly end: number | undefined;
  /** Size of the whole content, if it is known. */
  readonly total: number | undefined;
}

/**
 * Reads `Content-Range`, where the service knows more forms than RFC 9110: `bytes 0-499/*`, `bytes 0-*\/1000`, both at
 * once, and `bytes *\/*`. Without the header the body is the whole content.
 *
 * @see https://cloud.google.com/storage/docs/performing-resumable-uploads
 */
export function readContentRange(header: string | undefined): ContentRange {
  if (header === undefined) return { start: 0, end: undefined, total: undefined };
  const [, range, start, end, total] = /^bytes (\*|(\d+)-(\d+|\*))\/(\d+|\*)$/.exec(header) ?? [];
  if (range === undefined) throw invalid('Failed to parse Content-Range header.');
  return {
    start: start === undefined ? undefined : Number(start),
    end: end === undefined || end === '*' ? undefined : Number(end) + 1,
    total: total === '*' ? undefined : Number(total),
  };
}
