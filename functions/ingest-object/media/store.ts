import type { ObjectPlace } from '../../../shared/gcp/storage/client.ts';
import { listObjects } from '../../../shared/gcp/storage/folder.ts';
import { deleteObject, findObject, type StoredObject } from '../../../shared/gcp/storage/objects.ts';
import { writeObject } from '../../../shared/gcp/storage/write.ts';
import type { OperationContext } from '../../../shared/operation/definition.ts';
import type { RenderedPreview, StoredPreview } from './model.ts';
import type { Media } from './target.ts';

/** While so many are being uploaded, the next one has to wait. */
const uploadsAtATime = 4;

const deletionsAtATime = 16;

/** The object itself, whichever of its generations is live. */
export function objectOf({ bucket, object }: Media): ObjectPlace {
  return { bucket, name: object };
}

/**
 * Writes previews as they are rendered: one is on its way while the next is being made. In a dry run nothing is written.
 *
 * @returns once none is under way any more; so where something fails, too
 */
export async function storePreviews(
  media: Media,
  previews: AsyncIterable<RenderedPreview>,
  operation: OperationContext,
): Promise<StoredPreview[]> {
  const uploads: Promise<StoredPreview>[] = [];
  const underWay = new Set<Promise<unknown>>();
  try {
    for await (const preview of previews) {
      const upload = storePreview(media, preview, operation);
      uploads.push(upload);
      underWay.add(upload);
      const isOver = () => underWay.delete(upload);
      upload.then(isOver, isOver);
      if (underWay.size >= uploadsAtATime) await Promise.race(underWay);
    }
    return await Promise.all(uploads);
  } finally {
    await Promise.allSettled(uploads);
  }
}

async function storePreview(
  { bucket, object, generation, folder, route }: Media,
  { file, content, contentType, width, height }: RenderedPreview,
  { dryRun, signal, assertHeld }: OperationContext,
): Promise<StoredPreview> {
  const name = `${folder}${generation}/${file}`;
  if (!dryRun) {
    assertHeld();
    await writeObject({ bucket, name }, content, {
      signal,
      contentType,
      cacheControl: route.cacheControl,
      metadata: { 'drover-source': object, 'drover-generation': generation },
    });
  }
  return { object: name, contentType, width, height, bytes: content.length };
}

/** All previews of an object that there are, of whichever generation. */
export function listPreviews({ bucket, folder }: Media, signal: AbortSignal): Promise<StoredObject[]> {
  return listObjects({ bucket, name: folder }, signal);
}

/** A row's generation and previews, which are to stay. */
export interface Kept {
  readonly generation: string;
  readonly previews: readonly Pick<StoredPreview, 'object'>[];
}

/**
 * Deletes previews of generations that are no more, and of this one those that no row names.
 *
 * @returns how many were deleted, or in a dry run would be
 */
export async function sweepPreviews(
  media: Media,
  kept: Kept | undefined,
  operation: OperationContext,
): Promise<number> {
  const { signal, dryRun, assertHeld } = operation;
  const listed = await listPreviews(media, signal);
  if (listed.length === 0) return 0;
  // Asked after the list: whatever isn't live now and was in the list is of a generation that was live before, and never is again.
  const live = await findObject(objectOf(media), signal);
  const stale = stalePreviews(
    listed.map(({ name }) => name),
    { folder: media.folder, own: media.generation, live: live?.generation, kept },
  );
  if (dryRun) return stale.length;
  for (let first = 0; first < stale.length; first += deletionsAtATime) {
    assertHeld();
    const some = stale.slice(first, first + deletionsAtATime);
    await Promise.all(some.map((name) => deleteObject({ bucket: media.bucket, name }, signal)));
  }
  return stale.length;
}

/**
 * Which of some previews are nobody's: not those of a live generation that another event is about, for they may be being
 * written, and not those that a row names.
 *
 * @param own the generation that this event is about
 */
export function stalePreviews(
  names: readonly string[],
  {
    folder,
    own,
    live,
    kept,
  }: {
    readonly folder: string;
    readonly own: string;
    readonly live: string | undefined;
    readonly kept: Kept | undefined;
  },
): string[] {
  const named = new Set(kept?.previews.map(({ object }) => object));
  return names.filter((name) => {
    const generation = /^[0-9]+(?=\/)/.exec(name.slice(folder.length))?.[0];
    if (generation === undefined) return false;
    if (generation === live && live !== own) return false;
    return !(generation === kept?.generation && named.has(name));
  });
}
