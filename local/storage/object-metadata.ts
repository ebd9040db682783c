import { notImplemented } from '../http/api-error.ts';
import { isObject, type JsonObject } from '../http/json.ts';
import { invalid } from './errors.ts';

/** What those who write an object say about it. */
export interface ObjectMetadata {
  readonly cacheControl?: string;
  readonly contentDisposition?: string;
  readonly contentEncoding?: string;
  readonly contentLanguage?: string;
  readonly contentType?: string;
  readonly customTime?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

const textFields = [
  'cacheControl',
  'contentDisposition',
  'contentEncoding',
  'contentLanguage',
  'contentType',
] as const;

/** What else a body may have: read elsewhere, or the service's to say and ignored in a request. */
const otherFields = new Set([
  ...['name', 'bucket', 'storageClass', 'crc32c', 'md5Hash', 'kind', 'id', 'selfLink', 'mediaLink', 'etag'],
  ...['generation', 'metageneration', 'size', 'componentCount', 'timeCreated', 'updated', 'timeFinalized'],
  ...['timeStorageClassUpdated', 'contentLength'],
]);

const customMetadataLimit = 8 * 1024;

/**
 * The metadata of an object after a request.
 *
 * @param body of which null clears a field, and a field that it lacks stays as it is
 * @param before what there is; nothing for an object that is new or an update that replaces all
 * @throws ApiError 400, 501 for a field that isn't supported
 */
export function mergeMetadata(body: JsonObject, before: ObjectMetadata = {}): ObjectMetadata {
  const merged: Record<string, unknown> = { ...before };
  for (const [field, value] of Object.entries(body)) {
    if (value === undefined || otherFields.has(field)) continue;
    if (field === 'metadata') merged[field] = mergeCustom(value, before.metadata);
    else if (field === 'customTime') merged[field] = value === null ? undefined : timeOf(value);
    else if (isTextField(field)) merged[field] = value === null ? undefined : textOf(field, value);
    else throw notImplemented(`the field ${field} of an object`);
  }
  const { metadata = {} } = merged as ObjectMetadata;
  const size = Object.entries(metadata).reduce((sum, pair) => sum + Buffer.byteLength(pair.join('')), 0);
  if (size > customMetadataLimit) {
    throw invalid(
      `The metadata for the object was too large: ${size} bytes, more than ${customMetadataLimit}.`,
    );
  }
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== undefined));
}

/** @throws ApiError 400 where a custom time is removed or set back */
export function requireCustomTimeKept(before: ObjectMetadata, after: ObjectMetadata): void {
  if (before.customTime === undefined) return;
  if (after.customTime === undefined) throw invalid('Custom time cannot be removed.');
  if (after.customTime < before.customTime) throw invalid('Custom time cannot be set to an earlier time.');
}

function mergeCustom(value: unknown, before: ObjectMetadata['metadata'] = {}): ObjectMetadata['metadata'] {
  if (value === null) return undefined;
  if (!isObject(value)) throw invalid('Invalid value for: metadata');
  const entries = Object.entries({ ...before, ...value })
    .filter(([, text]) => text !== null && text !== undefined)
    .map(([key, text]) => [key, String(text)] as const);
  return entries.length > 0 ? Object.fromEntries(entries) : undefined;
}

/** In UTC with milliseconds, so that two of them compare as texts. */
function timeOf(value: unknown): string {
  const time = typeof value === 'string' ? new Date(value) : new Date(Number.NaN);
  if (Number.isNaN(time.getTime())) throw invalid('Invalid value for: customTime');
  return time.toISOString();
}

function textOf(field: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw invalid(`Invalid value for: ${field}`);
}

function isTextField(field: string): field is (typeof textFields)[number] {
  return textFields.some((known) => known === field);
}
