import type { ObjectPlace } from '../../../shared/gcp/storage/client.ts';
import { listObjects } from '../../../shared/gcp/storage/folder.ts';
import { deleteGeneration, findObject, type StoredObject } from '../../../shared/gcp/storage/objects.ts';
import { writeObject } from '../../../shared/gcp/storage/write.ts';
import type { OperationContext } from '../../../shared/operation/definition.ts';
import { OperationError } from '../../../shared/operation/errors.ts';
import { rejection } from '../../../shared/postgres/rejection.ts';
import type { RenderedPreview, StoredPreview } from './model.ts';
import type { Media } from './target.ts';

/** While so many are being uploaded, the next one has to wait. */
const uploadsAtATime = 4;

const deletionsAtATime = 16;

/** For what was begun before the operation's time was over. */
const lastMs = 60_000;

/** The object itself, whichever of its generations is live. */
export function objectOf({ bucket, object }: Media): ObjectPlace {
  return { bucket, name: object };
}

/**
 * Writes previews as they are rendered: one is on its way while the next is being made. In a dry run nothing is written.
 *
 * @returns once none is under way any more; so where something fails, too, or the lease is lost. Of another end the signal tells,
 *   nobody can wait: the process has to go.
 */
export async function storePreviews(
  media: Media,
  previews: AsyncIterable<RenderedPreview>,
  operation: OperationContext,
): Promise<StoredPreview[]> {
  const uploads: Promise<StoredPreview>[] = [];
  const underWay = new Set<Promise<unknown>>();
  const ended = rejection(operation.signal);
  // What was sent is written, whoever has stopped waiting for it; but nothing is sent again.
  const sending = { ...operation, signal: AbortSignal.timeout(operation.remainingMs() + lastMs) };
  try {
    for await (const preview of previews) {
      operation.signal.throwIfAborted();
      const upload = storePreview(media, preview, sending, operation.signal);
      uploads.push(upload);
      underWay.add(upload);
      const isOver = () => underWay.delete(upload);
      upload.then(isOver, isOver);
      if (underWay.size >= uploadsAtATime) await Promise.race([...underWay, ended]);
    }
    return await Promise.race([Promise.all(uploads), ended]);
  } finally {
    const all = Promise.allSettled(uploads);
    await Promise.race([all, ended.catch(() => undefined)]);
    if (hasLostLease(operation)) await all;
  }
}

/** Whether another worker may have gone on with the operation. */
export function hasLostLease({ signal, assertHeld }: OperationContext): boolean {
  try {
    assertHeld();
  } catch {
    return true;
  }
  const { reason } = signal;
  return reason instanceof OperationError && reason.code === 'LEASE_LOST';
}

async function storePreview(
  { bucket, object, generation, folder, recipe, route }: Media,
  { file, content, contentType, width, height }: RenderedPreview,
  { dryRun, signal, assertHeld }: OperationContext,
  attempts: AbortSignal,
): Promise<StoredPreview> {
  const name = `${folder}${generation}-${recipe}/${file}`;
  if (!dryRun) {
    assertHeld();
    await writeObject({ bucket, name }, content, {
      signal,
      attempts,
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

/** A row's previews, which are to stay. */
export interface Kept {
  readonly previews: readonly Pick<StoredPreview, 'object'>[];
}

/**
 * Deletes previews that no row names and none ever will. Others may be at work at the same object at the same time, of a revision whose
 * route says something else, too: what they have stored and are about to name stays.
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
  const now = new Date();
  const stale = stalePreviews(listed, { folder: media.folder, live: live?.generation, kept, now });
  if (dryRun) return stale.length;
  let deleted = 0;
  for (let first = 0; first < stale.length; first += deletionsAtATime) {
    assertHeld();
    const some = stale.slice(first, first + deletionsAtATime);
    // As they were listed: one that somebody has written anew since is not the one that was judged.
    const results = await Promise.all(some.map((one) => deleteGeneration(one, signal)));
    deleted += results.filter(Boolean).length;
  }
  return deleted;
}

/**
 * Whoever stored a preview names it within the time that an operation has, ten minutes, or never. The rest is for clocks that
 * differ.
 */
const namedWithinMs = 3_600_000;

/**
 * Which of some previews are nobody's: of those that no row names, those of generations that aren't live, for none of their rows is
 * written any more; and of the live one's those that were stored so long ago that nobody can be about to name them. Those are of another
 * recipe, or of an attempt that failed.
 *
 * @param kept the row, as it was read or written within this operation
 */
export function stalePreviews<P extends Pick<StoredObject, 'name' | 'createdAt'>>(
  listed: readonly P[],
  {
    folder,
    live,
    kept,
    now,
  }: {
    readonly folder: string;
    readonly live: string | undefined;
    readonly kept: Kept | undefined;
    readonly now: Date;
  },
): P[] {
  const named = new Set(kept?.previews.map(({ object }) => object));
  return listed.filter(({ name, createdAt }) => {
    const generation = /^([0-9]+)-[0-9a-f]{16}\//.exec(name.slice(folder.length))?.[1];
    if (generation === undefined || named.has(name)) return false;
    return generation !== live || now.getTime() - createdAt.getTime() > namedWithinMs;
  });
}
