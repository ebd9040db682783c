import { OperationError } from '../../operation/errors.ts';
import { call, formatPlace } from './client.ts';
import { findGeneration, type StoredObject } from './objects.ts';

const attempts = 3;

/**
 * Notes something on exactly this generation of an object, beside what is noted there already. Its content stays as it is, and
 * so does another generation. Nothing is lost that somebody else notes meanwhile.
 *
 * @param notes custom metadata by its keys, together with all that is there at most 8 KiB; null takes a key away
 * @returns false where that generation is no longer there
 * @throws OperationError `GOOGLE_ABORTED` (retryable) where others change it again and again
 */
export async function noteOnObject(
  object: StoredObject,
  notes: Readonly<Record<string, string | null>>,
  signal: AbortSignal,
): Promise<boolean> {
  const { name, generation } = object;
  let current = object;
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const { metageneration: ifMetagenerationMatch } = current;
    try {
      await call(object, signal, (_, bucket) =>
        bucket.file(name, { generation }).setMetadata({ metadata: { ...notes } }, { ifMetagenerationMatch }),
      );
      return true;
    } catch (error) {
      if (!(error instanceof OperationError)) throw error;
      if (error.code === 'GOOGLE_NOT_FOUND') return false;
      if (error.code !== 'GOOGLE_FAILED_PRECONDITION') throw error;
    }
    const found = await findGeneration(object, generation, signal);
    if (found === undefined) return false;
    // The client may have repeated a call that was done, of which the answer was lost.
    if (isNoted(found, notes)) return true;
    current = found;
  }
  throw new OperationError('GOOGLE_ABORTED', `${formatPlace(object)}: others change its metadata meanwhile`, {
    retryable: true,
  });
}

function isNoted({ metadata }: StoredObject, notes: Readonly<Record<string, string | null>>): boolean {
  return Object.entries(notes).every(([key, value]) => (metadata[key] ?? null) === value);
}
