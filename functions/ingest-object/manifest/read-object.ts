import { formatPlace, type ObjectPlace } from '../../../shared/gcp/storage/client.ts';
import { findObject, unlessMissing } from '../../../shared/gcp/storage/objects.ts';
import { readObject } from '../../../shared/gcp/storage/read.ts';
import { OperationError } from '../../../shared/operation/errors.ts';
import type { Note } from '../../../shared/operation/outcome.ts';
import { maxManifestBytes } from '../message.ts';

/** The bytes of the generation, or why there is nothing to do about it. */
export type Found = { readonly bytes: Buffer } | { readonly note: Note };

/**
 * Reads exactly one generation of an object, if it is the one that is there.
 *
 * @throws OperationError `MANIFEST_TOO_LARGE`, without having read it
 */
export async function readGeneration(
  place: ObjectPlace,
  generation: string,
  signal: AbortSignal,
): Promise<Found> {
  const live = await findObject(place, signal);
  const name = `${formatPlace(place)} #${generation}`;
  if (live === undefined) return { note: { code: 'GONE', message: `${name} is gone by now.` } };
  if (live.generation !== generation) return { note: superseded(name, live.generation) };
  if (live.bytes > maxManifestBytes) {
    throw new OperationError(
      'MANIFEST_TOO_LARGE',
      `${name} has ${live.bytes} bytes, and may have ${maxManifestBytes}. Make several of it.`,
      { details: { bytes: live.bytes, most: maxManifestBytes } },
    );
  }
  const bytes = await unlessMissing(readObject(live, signal));
  if (bytes) return { bytes };
  return { note: { code: 'GONE', message: `${name} was replaced or deleted while it was read.` } };
}

/** Something newer is there, or was begun. */
export function superseded(name: string, by: string): Note {
  return { code: 'SUPERSEDED', message: `${name}: there is a newer generation (#${by}); nothing was done.` };
}
