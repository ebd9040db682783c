import type { Duplex, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import type { Bucket, File, FileMetadata, Storage } from '@google-cloud/storage';
import { config } from '../config.ts';
import { OperationError } from '../operation/errors.ts';
import { rejection } from '../postgres/rejection.ts';
import { fromServiceError, hasStatus, isServiceError } from './status.ts';

/** An object by its name. */
export interface ObjectPlace {
  readonly bucket: string;
  readonly name: string;
}

/** An object that is there. */
export interface StoredObject extends ObjectPlace {
  readonly generation: string;
  readonly bytes: number;
  /** Base64 of the big-endian checksum, as Cloud Storage and its tools write it. */
  readonly crc32c: string;
  /** What its writer noted on it. */
  readonly metadata: Readonly<Record<string, string>>;
}

export interface WriteOptions {
  readonly signal: AbortSignal;
  readonly contentType: string;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Writes only over this generation; 0: only where there is nothing. Else GOOGLE_FAILED_PRECONDITION. */
  readonly ifGenerationMatch?: string | number;
}

/** So much of an upload is kept in memory, to be sent again where it did not arrive: a multiple of 256 KiB. */
const chunkBytes = 8 * 1024 * 1024;

const objectsAtATime = 16;

let opening: Promise<Storage> | undefined;

function storage(): Promise<Storage> {
  opening ??= open().catch((error: unknown) => {
    opening = undefined;
    throw error;
  });
  return opening;
}

/**
 * The client itself honours STORAGE_EMULATOR_HOST (`http://host:port`), and asks for no credentials then. It may repeat
 * everything: what is written and deleted here is whole objects, by their names.
 */
async function open(): Promise<Storage> {
  const { Storage, IdempotencyStrategy } = await import('@google-cloud/storage');
  return new Storage({
    projectId: config().GOOGLE_CLOUD_PROJECT,
    // A pause is short, in seconds: who asks comes again with the next delivery.
    retryOptions: { idempotencyStrategy: IdempotencyStrategy.RetryAlways, maxRetryDelay: 1 },
  });
}

/** `gs://bucket/name` */
export function formatPlace({ bucket, name }: ObjectPlace): string {
  return `gs://${bucket}/${name}`;
}

/**
 * The object that is there, without its content; undefined where there is none.
 *
 * @throws OperationError for what Cloud Storage refuses: `GOOGLE_PERMISSION_DENIED` …; so does everything here
 */
export async function findObject(place: ObjectPlace, signal: AbortSignal): Promise<StoredObject | undefined> {
  try {
    const [metadata] = await call(place, signal, (file) => file.getMetadata());
    return storedObject(place, metadata);
  } catch (error) {
    if (error instanceof OperationError && error.code === 'GOOGLE_NOT_FOUND') return undefined;
    throw error;
  }
}

/**
 * Writes a small object at once. With `ifGenerationMatch`, a refusal may be the answer to a repeated call of which the
 * first was done: look what is there.
 */
export async function writeObject(
  place: ObjectPlace,
  content: string | Buffer,
  { signal, contentType, metadata, ifGenerationMatch }: WriteOptions,
): Promise<StoredObject> {
  return call(place, signal, async (file) => {
    await file.save(content, {
      resumable: false,
      validation: 'crc32c',
      metadata: { contentType, ...(metadata && { metadata: { ...metadata } }) },
      ...(ifGenerationMatch !== undefined && { preconditionOpts: { ifGenerationMatch } }),
    });
    return storedObject(place, file.metadata);
  });
}

/**
 * Writes what a stream brings, of whatever length, in bounded memory. Until all of it has arrived there is no object;
 * where anything fails there never is one.
 *
 * @param stages the stream, and what changes it on its way; of at least one byte, for the client can't send none
 * @returns the object, whose checksum was compared with that of what was sent
 */
export async function uploadObject(
  place: ObjectPlace,
  stages: readonly [Readable, ...Duplex[]],
  { signal, contentType, metadata, ifGenerationMatch }: WriteOptions,
): Promise<StoredObject> {
  return call(place, signal, async (file) => {
    const upload = file.createWriteStream({
      resumable: true,
      chunkSize: chunkBytes,
      validation: 'crc32c',
      metadata: { contentType, ...(metadata && { metadata: { ...metadata } }) },
      ...(ifGenerationMatch !== undefined && { preconditionOpts: { ifGenerationMatch } }),
    });
    await pipeline([...stages, upload], { signal });
    return storedObject(place, file.metadata);
  });
}

/**
 * Reads one generation of an object from its beginning to its end. The stream ends with an error where the bytes that
 * arrived are not those that were stored; see {@link explainStorageError}.
 *
 * @param isChecked its content says itself whether all of it is there and right, as gzip's does: the checksum takes longer than
 *   the rest of reading
 */
export async function openObject(
  object: StoredObject,
  signal: AbortSignal,
  isChecked = false,
): Promise<Readable> {
  const { bucket, name, generation } = object;
  const file = askedOnce((await storage()).bucket(bucket).file(name, { generation }));
  const stream = file.createReadStream({ validation: isChecked ? false : 'crc32c', decompress: false });
  const { promise: answered, resolve, reject } = Promise.withResolvers<void>();
  stream.once('error', reject).once('response', (answer: Readable) => {
    // The client itself listens to the answer more than ten times over, of which Node would warn as of a leak.
    answer.setMaxListeners(20);
    resolve();
  });
  // It asks for the object when it is read.
  stream.read(0);
  try {
    await Promise.race([answered, rejection(signal)]);
    return stream;
  } catch (error) {
    // Destroyed before the answer is there, the client fails where nobody can catch it, which would end the process.
    answered.then(() => stream.destroy()).catch(() => undefined);
    signal.throwIfAborted();
    throw explainStorageError(error, object);
  }
}

/** Reads an object that fits into memory. */
export async function readObject(object: StoredObject, signal: AbortSignal): Promise<Buffer> {
  return call(object, signal, async () => buffer(await openObject(object, signal)));
}

/** All objects whose names begin with a prefix, in the order of their names. */
export async function listObjects(place: ObjectPlace, signal: AbortSignal): Promise<StoredObject[]> {
  const [files] = await call(place, signal, (_, bucket) => bucket.getFiles({ prefix: place.name }));
  return files.map((file) => storedObject({ bucket: place.bucket, name: file.name }, file.metadata));
}

/**
 * Deletes all objects whose names begin with a prefix, also those that arrive meanwhile. In a bucket with versions the
 * noncurrent ones stay.
 *
 * @returns how many were deleted
 */
export async function deleteObjects(place: ObjectPlace, signal: AbortSignal): Promise<number> {
  if (!place.name.endsWith('/')) throw new Error(`not the name of a folder: ${formatPlace(place)}`);
  let deleted = 0;
  for (;;) {
    const [files] = await call(place, signal, (_, bucket) =>
      bucket.getFiles({ prefix: place.name, autoPaginate: false, maxResults: 1000 }),
    );
    if (files.length === 0) return deleted;
    for (let first = 0; first < files.length; first += objectsAtATime) {
      const some = files.slice(first, first + objectsAtATime);
      const results = await Promise.all(
        some.map((file) => deleteObject({ bucket: place.bucket, name: file.name }, signal)),
      );
      deleted += results.filter(Boolean).length;
    }
  }
}

/**
 * Copies all objects whose names begin with a prefix, within Cloud Storage. Those that are there already, with the same
 * content, are left.
 *
 * @param except one that is left out, by its name below the prefix
 * @returns how many there are
 */
export async function copyObjects(
  from: ObjectPlace,
  to: ObjectPlace,
  except: string,
  signal: AbortSignal,
): Promise<number> {
  const all = await listObjects(from, signal);
  const objects = all.filter(({ name }) => name !== from.name + except);
  const there = new Map((await listObjects(to, signal)).map((object) => [object.name, object.crc32c]));
  const target = (await storage()).bucket(to.bucket);
  const left = objects.filter(({ name, crc32c }) => there.get(renamed(name)) !== crc32c);
  for (let first = 0; first < left.length; first += objectsAtATime) {
    const some = left.slice(first, first + objectsAtATime);
    await Promise.all(
      some.map((object) => call(object, signal, (file) => file.copy(target.file(renamed(object.name))))),
    );
  }
  return objects.length;

  function renamed(name: string): string {
    return to.name + name.slice(from.name.length);
  }
}

/** @returns whether there was one */
export async function deleteObject(place: ObjectPlace, signal: AbortSignal): Promise<boolean> {
  return call(place, signal, async (file) => {
    try {
      await file.delete();
      return true;
    } catch (error) {
      if (hasStatus(error, 'NOT_FOUND')) return false;
      throw error;
    }
  });
}

async function call<T>(
  place: ObjectPlace,
  signal: AbortSignal,
  send: (file: File, bucket: Bucket) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const bucket = (await storage()).bucket(place.bucket);
  // A list has no file, and its prefix may be empty.
  const file = bucket.file(place.name || '/');
  try {
    return await Promise.race([send(file, bucket), rejection(signal)]);
  } catch (error) {
    signal.throwIfAborted();
    throw explainStorageError(error, place);
  }
}

/** What the client throws when the bytes that arrived are not those that were sent, or not all of them. */
const damages: ReadonlySet<unknown> = new Set(['CONTENT_DOWNLOAD_MISMATCH', 'FILE_NO_UPLOAD']);
const interruptions: ReadonlySet<unknown> = new Set(['ERR_STREAM_PREMATURE_CLOSE']);

/** What an error of the official client means, with the object that it was about; anything else as it is. */
export function explainStorageError(error: unknown, place: ObjectPlace): unknown {
  if (error instanceof OperationError || !(error instanceof Error)) return error;
  const failed = (code: string, message: string, retryable: boolean) =>
    new OperationError(code, `${formatPlace(place)}: ${message}`, { retryable, cause: error });
  if (isServiceError(error)) {
    const known = fromServiceError(error);
    return known ? failed(known.code, known.message, known.retryable) : error;
  }
  const code = 'code' in error ? error.code : undefined;
  if (damages.has(code)) return failed('CHECKSUM_MISMATCH', 'the content arrived damaged', true);
  if (interruptions.has(code)) return failed('GOOGLE_UNAVAILABLE', 'the connection broke', true);
  return error;
}

function storedObject({ bucket, name }: ObjectPlace, given: FileMetadata): StoredObject {
  const { generation, size, crc32c, metadata } = given;
  if (generation === undefined || size === undefined || crc32c === undefined)
    throw new Error(`Cloud Storage described ${formatPlace({ bucket, name })} without a generation or size`);
  const noted = Object.entries(metadata ?? {}).map(([key, value]) => [key, String(value)] as const);
  return {
    bucket,
    name,
    generation: String(generation),
    bytes: Number(size),
    crc32c,
    metadata: Object.fromEntries(noted),
  };
}

/** One generation of an object: not the newest, where somebody wrote another since. */
export async function findGeneration(
  place: ObjectPlace,
  generation: string,
  signal: AbortSignal,
): Promise<StoredObject | undefined> {
  try {
    const [metadata] = await call(place, signal, (_, bucket) =>
      bucket.file(place.name, { generation }).getMetadata(),
    );
    return storedObject(place, metadata);
  } catch (error) {
    if (error instanceof OperationError && error.code === 'GOOGLE_NOT_FOUND') return undefined;
    throw error;
  }
}

/**
 * Reads some bytes of one generation of an object. The checksum is of all of it: whether these arrived as they were
 * stored, nobody but who knows what they are can say.
 *
 * @param end exclusive, at most the object's length
 */
export async function readRange(
  object: StoredObject,
  start: number,
  end: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const [content] = await call(object, signal, (_, bucket) =>
    askedOnce(bucket.file(object.name, { generation: object.generation })).download({
      start,
      end: end - 1,
      validation: false,
      decompress: false,
    }),
  );
  if (content.length === end - start) return content;
  throw new OperationError(
    'GOOGLE_UNAVAILABLE',
    `${formatPlace(object)}: ${content.length} bytes arrived of the ${end - start} that were asked for`,
    { retryable: true },
  );
}

/**
 * Has what is read from a file asked for once, over connections of no pool. Where it is a stream that the client would repeat,
 * after an answer such as 503, it fails where nobody can catch it, which would end the process. And where one is broken off, the client
 * closes all connections of its pool, with whatever others are being sent over them.
 */
function askedOnce(file: File): File {
  const request: Interceptor['request'] = (options) => {
    const decorated = options as DecoratedOptions;
    return { ...decorated, maxRetries: 0, forever: false };
  };
  file.interceptors.push({ request });
  return file;
}

type Interceptor = File['interceptors'][number];
type DecoratedOptions = ReturnType<Interceptor['request']>;
