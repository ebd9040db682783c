import type { FileMetadata } from '@google-cloud/storage';
import { OperationError } from '../../operation/errors.ts';
import { hasStatus } from '../status.ts';
import { call, formatPlace, type ObjectPlace } from './client.ts';

/** One generation of an object. */
export interface ObjectGeneration extends ObjectPlace {
  readonly generation: string;
}

/** An object that is there. */
export interface StoredObject extends ObjectGeneration {
  /** Changes with what is said of the generation, such as its notes. */
  readonly metageneration: string;
  readonly bytes: number;
  /** Base64 of the big-endian checksum, as Cloud Storage and its tools write it. */
  readonly crc32c: string;
  /** Whether Cloud Storage knows its MD5, which takes a tenth of the time to check: of one composed of others it doesn't. */
  readonly hasMd5: boolean;
  /** As its writer said, which may be wrong; undefined where he said nothing. */
  readonly contentType: string | undefined;
  /** When this generation was written. */
  readonly createdAt: Date;
  /** What its writer noted on it. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** The live generation of an object, without its content; undefined where there is none. */
export async function findObject(place: ObjectPlace, signal: AbortSignal): Promise<StoredObject | undefined> {
  return unlessMissing(
    call(place, signal, async (file) => {
      const [metadata] = await file.getMetadata();
      return storedObject(place, metadata);
    }),
  );
}

/** One generation of an object: not the newest, where somebody wrote another since. */
export async function findGeneration(
  place: ObjectPlace,
  generation: string,
  signal: AbortSignal,
): Promise<StoredObject | undefined> {
  return unlessMissing(
    call(place, signal, async (_, bucket) => {
      const [metadata] = await bucket.file(place.name, { generation }).getMetadata();
      return storedObject(place, metadata);
    }),
  );
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

/**
 * Deletes an object only if it is this generation still, and nobody has written it anew.
 *
 * @returns whether it was
 */
export async function deleteGeneration(
  { generation, ...place }: ObjectGeneration,
  signal: AbortSignal,
): Promise<boolean> {
  return call(place, signal, async (file) => {
    try {
      await file.delete({ ifGenerationMatch: generation });
      return true;
    } catch (error) {
      if (hasStatus(error, 'NOT_FOUND') || hasStatus(error, 'FAILED_PRECONDITION')) return false;
      throw error;
    }
  });
}

/** What a call answered; undefined where it said that there is no such object. */
export async function unlessMissing<T>(calling: Promise<T>): Promise<T | undefined> {
  try {
    return await calling;
  } catch (error) {
    if (error instanceof OperationError && error.code === 'GOOGLE_NOT_FOUND') return undefined;
    throw error;
  }
}

/**
 * An object as the official client describes it.
 *
 * @throws OperationError `OBJECT_ENCRYPTED` (permanent) with a key of its writer's: Cloud Storage then keeps its checksums to itself
 */
export function storedObject({ bucket, name }: ObjectPlace, given: FileMetadata): StoredObject {
  const { generation, metageneration, size, crc32c, md5Hash, contentType, timeCreated, metadata } = given;
  if (given.customerEncryption !== undefined) {
    const place = formatPlace({ bucket, name });
    throw new OperationError(
      'OBJECT_ENCRYPTED',
      `${place} is encrypted with a key that its writer keeps: write it without one, or with one of Cloud KMS`,
    );
  }
  if ([generation, metageneration, size, timeCreated].includes(undefined) || crc32c === undefined)
    throw new Error(`Cloud Storage described ${formatPlace({ bucket, name })} without a generation or size`);
  const noted = Object.entries(metadata ?? {}).map(([key, value]) => [key, String(value)] as const);
  return {
    bucket,
    name,
    generation: String(generation),
    metageneration: String(metageneration),
    bytes: Number(size),
    crc32c,
    hasMd5: md5Hash !== undefined,
    contentType,
    createdAt: new Date(String(timeCreated)),
    metadata: Object.fromEntries(noted),
  };
}
