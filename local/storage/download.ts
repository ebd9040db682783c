import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { ApiError } from '../http/api-error.ts';
import type { Answer } from './call.ts';
import type { Content } from './content.ts';
import { etagOf } from './etag.ts';
import type { StoredObject } from './object.ts';

/**
 * Answers with the content of an object, or with the range of it that was asked for.
 *
 * @throws ApiError 416
 * @see https://cloud.google.com/storage/docs/xml-api/reference-headers
 */
export function downloadOf(object: StoredObject, headers: IncomingHttpHeaders): Answer {
  const { size, bytes } = object.content;
  if (mustGunzip(object, headers)) {
    const { 'content-encoding': _, ...kept } = contentHeaders(object);
    return {
      headers: { ...kept, warning: '214 UploadServer gunzipped' },
      // A failure ends the stream that is sent, and with it the connection.
      content: pipeline(bytes.read(0, size), createGunzip(), () => undefined),
    };
  }
  const range = rangeOf(headers.range, size);
  if (range === undefined) {
    return { headers: { ...contentHeaders(object), 'content-length': size }, content: bytes.read(0, size) };
  }
  const { start, end } = range;
  return {
    status: 206,
    headers: {
      ...contentHeaders(object),
      'content-length': end - start,
      'content-range': `bytes ${start}-${end - 1}/${size}`,
    },
    content: bytes.read(start, end),
  };
}

function contentHeaders({ metadata, content, ...object }: StoredObject): OutgoingHttpHeaders {
  const { contentType, cacheControl, contentDisposition, contentEncoding, contentLanguage } = metadata;
  return {
    'content-type': headerText(contentType ?? 'application/octet-stream'),
    'cache-control': headerText(cacheControl ?? 'private, max-age=0'),
    ...(contentDisposition && { 'content-disposition': headerText(contentDisposition) }),
    ...(contentEncoding && { 'content-encoding': headerText(contentEncoding) }),
    ...(contentLanguage && { 'content-language': headerText(contentLanguage) }),
    'accept-ranges': 'bytes',
    etag: etagOf(object.generation, object.metageneration),
    'last-modified': new Date(object.updated / 1000).toUTCString(),
    'x-goog-generation': String(object.generation),
    'x-goog-metageneration': String(object.metageneration),
    'x-goog-storage-class': object.storageClass,
    'x-goog-hash': hashOf(content),
    'x-goog-stored-content-encoding': contentEncoding ?? 'identity',
    'x-goog-stored-content-length': String(content.size),
  };
}

/** As `X-Goog-Hash` has it. */
export function hashOf({ crc32c, md5Hash }: Content): string {
  return md5Hash === undefined ? `crc32c=${crc32c}` : `crc32c=${crc32c},md5=${md5Hash}`;
}

/** In UTF-8: Node.js writes the characters of a header as bytes, and refuses those beyond. */
export function headerText(text: string): string {
  return Buffer.from(text).toString('latin1');
}

/** @see https://cloud.google.com/storage/docs/transcoding#decompressive_transcoding */
function mustGunzip({ metadata }: StoredObject, headers: IncomingHttpHeaders): boolean {
  const { contentEncoding, cacheControl = '' } = metadata;
  const accepted = /\b(gzip|\*)/.test(String(headers['accept-encoding'] ?? ''));
  return contentEncoding === 'gzip' && !accepted && !/\bno-transform\b/.test(cacheControl);
}

/** @returns with the offset after the last byte, or undefined where all is to be sent */
function rangeOf(header: string | undefined, size: number): { start: number; end: number } | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (!first && !last) return undefined;
  const start = first ? Number(first) : Math.max(0, size - Number(last));
  const end = first && last ? Math.min(size, Number(last) + 1) : size;
  if (start < end) return { start, end };
  throw new ApiError(416, 'requestedRangeNotSatisfiable', 'The requested range cannot be satisfied.');
}
