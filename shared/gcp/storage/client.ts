import type { Bucket, File, Storage } from '@google-cloud/storage';
import { config } from '../../config.ts';
import { OperationError } from '../../operation/errors.ts';
import { rejection } from '../../postgres/rejection.ts';
import { fromServiceError, isServiceError } from '../status.ts';

/** An object by its name. */
export interface ObjectPlace {
  readonly bucket: string;
  readonly name: string;
}

let opening: Promise<Storage> | undefined;

/** The official client, loaded on first use. */
export function storage(): Promise<Storage> {
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
 * Asks Cloud Storage for something, which the signal ends.
 *
 * @throws OperationError for what Cloud Storage refuses: `GOOGLE_PERMISSION_DENIED` …; so does everything in this folder
 */
export async function call<T>(
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
