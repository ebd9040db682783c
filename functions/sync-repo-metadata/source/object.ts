import { explainStorageError, formatPlace, type ObjectPlace } from '../../../shared/gcp/storage/client.ts';
import { findGeneration, findObject, type StoredObject } from '../../../shared/gcp/storage/objects.ts';
import { openObject, readRange } from '../../../shared/gcp/storage/read.ts';
import { OperationError } from '../../../shared/operation/errors.ts';
import { type Archive, type ArchiveLimits, archiveDamaged, type Entry } from './entries.ts';
import { RootMismatch } from './root.ts';
import type { Snapshot } from './snapshot.ts';
import { readTar } from './tar.ts';
import { readZip } from './zip.ts';

export interface ObjectOptions {
  readonly limits: ArchiveLimits;
  readonly signal: AbortSignal;
  /** The folder of the archive in which the repository is; `''` for none. By default it is found out. */
  readonly root?: string | undefined;
  /** Where the message says them. */
  readonly commit?: string | undefined;
}

/** An archive in Cloud Storage. */
export interface ObjectSnapshot extends Snapshot {
  readonly object: StoredObject;
}

/**
 * Finds an archive in Cloud Storage. It stays with the generation that is there now, or that is asked for; whether that
 * is a `.tar.gz` or a `.zip` its content tells, and not its name.
 *
 * An iteration over what `open` gives can throw a {@link RootMismatch}. What came of it is to be thrown away then, and the
 * archive opened again: the snapshot knows from then on that the archive has no root, so it is thrown once at most.
 *
 * @throws OperationError `ARCHIVE_NOT_FOUND`; `ARCHIVE_DAMAGED` where it is neither; what Cloud Storage refuses. While
 *   it is read also `ARCHIVE_CHANGED`, and whatever {@link readTar} and {@link readZip} throw
 */
export async function openObjectSnapshot(
  place: ObjectPlace & { readonly generation?: string | undefined },
  { limits, signal, root, commit }: ObjectOptions,
): Promise<ObjectSnapshot> {
  const object = await find(place, signal);
  const format = await formatOf(object, signal);
  let knownRoot = root;
  return {
    object,
    commit,
    // Nobody says.
    committedAt: undefined,
    async open(opening) {
      // Another reading would bring the same.
      const options = { limits, retryable: false, signal: opening, root: knownRoot };
      if (format === 'zip') return readZip(randomAccess(object, opening), options);
      const explain = (error: unknown) => explained(error, object);
      const source = await openObject(object, opening, true).catch((error: unknown) => {
        throw explain(error);
      });
      return noting(readTar(source, { ...options, explain }), () => {
        knownRoot = '';
      });
    },
  };
}

async function find(
  { bucket, name, generation }: ObjectPlace & { readonly generation?: string | undefined },
  signal: AbortSignal,
): Promise<StoredObject> {
  const place = { bucket, name };
  const object =
    generation === undefined
      ? await findObject(place, signal)
      : await findGeneration(place, generation, signal);
  if (object) return object;
  const which = generation === undefined ? '' : ` of generation ${generation}`;
  throw new OperationError(
    'ARCHIVE_NOT_FOUND',
    `There is no ${formatPlace(place)}${which}. Upload the archive, or correct its place in the message, and send the message again.`,
    { details: { ...place, ...(generation !== undefined && { generation }) } },
  );
}

async function formatOf(object: StoredObject, signal: AbortSignal): Promise<'tar' | 'zip'> {
  const head =
    object.bytes < 4 ? '' : (await readRange(object, 0, 4, signal).catch(rethrow(object))).toString('latin1');
  if (head.startsWith('\x1f\x8b')) return 'tar';
  // Before the first entry, or at the end of a zip that has none.
  if (head === 'PK\x03\x04' || head === 'PK\x05\x06') return 'zip';
  throw archiveDamaged(`${formatPlace(object)} is neither a .tar.gz nor a .zip`, false);
}

function randomAccess(object: StoredObject, signal: AbortSignal) {
  return {
    bytes: object.bytes,
    read: (start: number, end: number) => readRange(object, start, end, signal).catch(rethrow(object)),
  };
}

function rethrow(object: StoredObject): (error: unknown) => never {
  return (error) => {
    throw explained(error, object);
  };
}

/**
 * The generation was there when it was looked for. The next delivery finds what replaced it; or nothing, which is permanent
 * then.
 */
function explained(error: unknown, object: StoredObject): unknown {
  const known = explainStorageError(error, object);
  if (!(known instanceof OperationError) || known.code !== 'GOOGLE_NOT_FOUND') return known;
  const message = `${formatPlace(object)} was replaced or deleted while it was read`;
  return new OperationError('ARCHIVE_CHANGED', message, { retryable: true, cause: error });
}

/** The same archive, of which somebody is told that it has no root. */
function noting(archive: Archive, note: () => void): Archive {
  return {
    get commit() {
      return archive.commit;
    },
    async *[Symbol.asyncIterator](): AsyncGenerator<Entry, void, void> {
      try {
        yield* archive;
      } catch (error) {
        if (error instanceof RootMismatch) note();
        throw error;
      }
    },
  };
}
