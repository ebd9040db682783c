import type { Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { call, type ObjectPlace } from './client.ts';
import { type StoredObject, storedObject } from './objects.ts';

export interface WriteOptions {
  readonly signal: AbortSignal;
  readonly contentType: string;
  /** The header of the same name, for those who read it by a URL. */
  readonly cacheControl?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Writes only over this generation; 0: only where there is nothing. Else GOOGLE_FAILED_PRECONDITION. */
  readonly ifGenerationMatch?: string | number;
}

/** So much of an upload is kept in memory, to be sent again where it did not arrive: a multiple of 256 KiB. */
const chunkBytes = 8 * 1024 * 1024;

/**
 * Writes a small object at once. With `ifGenerationMatch`, a refusal may be the answer to a repeated call of which the
 * first was done: look what is there.
 *
 * Once the signal has fired the client begins no other attempt. One whose bytes are on their way then can't be called back, and the
 * object may be there a moment later: for as long as a request takes, not for as long as the client would repeat it. Whoever comes next
 * writes the same name, or finds it in the folder that he clears.
 *
 * @param options.attempts ends that before the signal does, which ends the waiting for it
 */
export async function writeObject(
  place: ObjectPlace,
  content: string | Buffer,
  { signal, attempts = signal, ...options }: WriteOptions & { readonly attempts?: AbortSignal },
): Promise<StoredObject> {
  return call(place, signal, async (file) => {
    // Asked for anew with each attempt. To break off one that is under way, its stream would have to fail, where nobody can catch it.
    const source = async function* () {
      attempts.throwIfAborted();
      yield content;
    };
    await file.save(source, { resumable: false, ...settingsOf(options) });
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
  { signal, ...options }: WriteOptions,
): Promise<StoredObject> {
  return call(place, signal, async (file) => {
    const upload = file.createWriteStream({ resumable: true, chunkSize: chunkBytes, ...settingsOf(options) });
    await pipeline([...stages, upload], { signal });
    return storedObject(place, file.metadata);
  });
}

function settingsOf({
  contentType,
  cacheControl,
  metadata,
  ifGenerationMatch,
}: Omit<WriteOptions, 'signal'>) {
  return {
    // Whole objects have one, and Node has it from OpenSSL; CRC32C is computed in JavaScript.
    validation: 'md5',
    metadata: {
      contentType,
      ...(cacheControl !== undefined && { cacheControl }),
      ...(metadata && { metadata: { ...metadata } }),
    },
    ...(ifGenerationMatch !== undefined && { preconditionOpts: { ifGenerationMatch } }),
  } as const;
}
