import { formatPlace } from '../gcp/storage/client.ts';
import { listObjects } from '../gcp/storage/folder.ts';
import { findObject, type StoredObject } from '../gcp/storage/objects.ts';
import { readObject } from '../gcp/storage/read.ts';
import { OperationError } from '../operation/errors.ts';
import { damaged } from './copy.ts';
import { type ArchivedTable, type Manifest, manifestName, parseManifest } from './manifest.ts';
import { inArchive, parseArchivePlace } from './place.ts';

/** An archive of which everything is there, as the manifest says. */
export interface OpenArchive {
  readonly manifest: Manifest;
  readonly definitions: readonly { readonly part: Manifest['definitions'][number]; readonly text: string }[];
  /** Each with the object that its rows are in, of the generation that was compared with the manifest. */
  readonly tables: readonly { readonly table: ArchivedTable; readonly object: StoredObject }[];
}

/**
 * Reads an archive's manifest and definitions, and compares all of its objects with the manifest.
 *
 * @param uri `gs://bucket/prefix/`
 * @throws OperationError `ARCHIVE_NOT_FOUND`, `ARCHIVE_DAMAGED`, `ARCHIVE_TOO_NEW`
 */
export async function openArchive(uri: string, signal: AbortSignal): Promise<OpenArchive> {
  const place = parseArchivePlace(uri);
  const manifestObject = await findObject(inArchive(place, manifestName), signal);
  if (manifestObject === undefined) {
    throw new OperationError(
      'ARCHIVE_NOT_FOUND',
      `${uri} has no ${manifestName}: there is no archive, or it was not finished.`,
      { details: { place: uri } },
    );
  }
  const manifest = parseManifest(
    (await readObject(manifestObject, signal)).toString(),
    formatPlace(manifestObject),
  );
  const objects = new Map((await listObjects(place, signal)).map((object) => [object.name, object]));
  const intact = ({
    object,
    bytes,
    crc32c,
  }: {
    object: string;
    bytes: number;
    crc32c: string;
  }): StoredObject => {
    const named = inArchive(place, object);
    const found = objects.get(named.name);
    if (found === undefined) throw damaged(named, 'is not there');
    if (found.crc32c === crc32c && found.bytes === bytes) return found;
    throw damaged(
      named,
      `has ${found.bytes} bytes with CRC32C ${found.crc32c}, where the manifest says ${bytes} and ${crc32c}`,
    );
  };
  const tables = manifest.tables.map((table) => ({ table, object: intact(table) }));
  const definitions = [];
  for (const part of manifest.definitions) {
    definitions.push({ part, text: (await readObject(intact(part), signal)).toString() });
  }
  return { manifest, definitions, tables };
}
