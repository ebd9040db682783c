import { formatPlace, type ObjectPlace } from '../gcp/storage/client.ts';
import { findObject } from '../gcp/storage/objects.ts';
import { readObject } from '../gcp/storage/read.ts';
import { writeObject } from '../gcp/storage/write.ts';
import { OperationError } from '../operation/errors.ts';
import type { Target } from '../postgres/target.ts';
import { type Manifest, manifestName, parseManifest } from './manifest.ts';
import { inArchive } from './place.ts';

/** An archive that is complete. */
export interface WrittenArchive {
  /** `gs://…/manifest.json` */
  readonly place: string;
  readonly manifest: Manifest;
}

/**
 * The archive that is at a place already, if any.
 *
 * @throws OperationError `ARCHIVE_DESTINATION_TAKEN` where it is one of something else
 */
export async function writtenArchive(
  archive: ObjectPlace,
  target: Target,
  schemas: readonly string[],
  signal: AbortSignal,
): Promise<WrittenArchive | undefined> {
  const object = await findObject(inArchive(archive, manifestName), signal);
  if (object === undefined) return undefined;
  const place = formatPlace(object);
  const manifest = parseManifest((await readObject(object, signal)).toString(), place);
  const { instance, database } = manifest.source;
  const identity = (of: Target, names: readonly string[]) =>
    JSON.stringify([of.instance, of.database, [...names].sort()]);
  const names = manifest.schemas.map(({ name }) => name);
  if (identity({ instance, database }, names) === identity(target, schemas)) return { place, manifest };
  throw new OperationError(
    'ARCHIVE_DESTINATION_TAKEN',
    `${place} is an archive of other schemas: choose another place, or delete it.`,
    { details: { place } },
  );
}

/**
 * Writes the manifest, which makes an archive of what was written before.
 *
 * @returns it; or another attempt's that was faster
 */
export async function writeManifest(
  archive: ObjectPlace,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<WrittenArchive> {
  const object = inArchive(archive, manifestName);
  try {
    await writeObject(object, `${JSON.stringify(manifest, null, 2)}\n`, {
      signal,
      contentType: 'application/json',
      ifGenerationMatch: 0,
    });
    return { place: formatPlace(object), manifest };
  } catch (error) {
    const { source, schemas } = manifest;
    const names = schemas.map(({ name }) => name);
    const other = await writtenArchive(archive, source, names, signal);
    if (other === undefined) throw error;
    return other;
  }
}
