import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { File } from '@google-cloud/storage';
import { OperationError } from '../../operation/errors.ts';
import { rejection } from '../../postgres/rejection.ts';
import { call, explainStorageError, formatPlace, storage } from './client.ts';
import type { ObjectGeneration, StoredObject } from './objects.ts';

/** One generation of an object; where it is known to have an MD5, it is checked by that. */
type ReadableObject = ObjectGeneration & Partial<Pick<StoredObject, 'hasMd5'>>;

/**
 * Reads one generation of an object from its beginning to its end. The stream ends with an error where the bytes that
 * arrived are not those that were stored; see {@link explainStorageError}.
 *
 * @param isChecked its content says itself whether all of it is there and right, as gzip's does: the checksum takes longer than
 *   the rest of reading
 */
export async function openObject(
  object: ReadableObject,
  signal: AbortSignal,
  isChecked = false,
): Promise<Readable> {
  const { bucket, name, generation } = object;
  const validation = isChecked ? false : object.hasMd5 ? 'md5' : 'crc32c';
  const file = askedOnce((await storage()).bucket(bucket).file(name, { generation }));
  const stream = file.createReadStream({ validation, decompress: false });
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
export async function readObject(object: ReadableObject, signal: AbortSignal): Promise<Buffer> {
  return call(object, signal, async () => buffer(await openObject(object, signal)));
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
