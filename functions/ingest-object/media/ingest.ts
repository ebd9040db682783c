import { formatPlace } from '../../../shared/gcp/storage/client.ts';
import { findObject, type StoredObject } from '../../../shared/gcp/storage/objects.ts';
import { readObject } from '../../../shared/gcp/storage/read.ts';
import { classify } from '../../../shared/operation/classify.ts';
import type { OperationContext } from '../../../shared/operation/definition.ts';
import { OperationError } from '../../../shared/operation/errors.ts';
import type { Outcome } from '../../../shared/operation/outcome.ts';
import type { MatchedRoute, MediaRoute } from '../../../shared/routes.ts';
import type { EnsuredSchema } from '../../../shared/schemas/ensure.ts';
import type { ObjectEvent } from '../message.ts';
import { refuse, settle, settledOutcome, withdrawLate } from './gone.ts';
import { openImage } from './image.ts';
import type { ImageFacts, StoredPreview } from './model.ts';
import { ingestedOutcome, unchangedOutcome } from './outcome.ts';
import { roomOf } from './room.ts';
import { type FoundRow, type Row, readRow, writeRow } from './row.ts';
import { hasLostLease, listPreviews, objectOf, storePreviews, sweepPreviews } from './store.ts';
import { ensureTable, withTable } from './table.ts';
import { type Media, mediaOf, TenantGone } from './target.ts';

/**
 * What files may take at a time that are being read, and what goes with each: pictures of its previews, and copies on their way. What
 * decoding takes is bounded where that is done.
 */
const contents = roomOf(100 * 1024 ** 2);
const leastBytes = 32 * 1024 ** 2;

/** This event's generation is no longer the live one. */
class Overtaken extends Error {
  override readonly name = 'Overtaken';
}

/**
 * Makes row and previews say what the bucket says: those of the live generation of an object, and no others.
 *
 *     1 find     whether the event's generation is the live one
 *     2 read     what the row says; and exactly this generation
 *     3 render   each preview, and upload it while the next is being rendered; no connection is held meanwhile
 *     4 write    the row, under the object's lock, if the generation is still the live one
 *     5 sweep    previews of generations that were before
 *
 * Whatever it is interrupted at, the next attempt ends with the same.
 *
 * @throws OperationError permanent: `OBJECT_TOO_LARGE`, `OBJECT_EMPTY`, `NOT_AN_IMAGE`, `IMAGE_TOO_LARGE`, `IMAGE_DAMAGED`,
 *   `IMAGE_TOO_SLOW`, `TABLE_TAKEN`, `TABLE_TOO_SLOW`, and as `mediaOf`
 */
export async function ingestMedia(
  event: ObjectEvent,
  matched: MatchedRoute<MediaRoute>,
  operation: OperationContext,
): Promise<Outcome> {
  let media: Media;
  try {
    media = await mediaOf(event, matched, operation);
  } catch (error) {
    if (!(error instanceof TenantGone)) throw error;
    return { changes: [], notes: [{ code: 'TENANT_NOT_ACTIVE', message: error.message }] };
  }
  if (event.event !== 'OBJECT_FINALIZE') return settledOutcome(media, true, await settle(media, operation));
  const live = await findObject(objectOf(media), operation.signal);
  if (live?.generation !== media.generation)
    return settledOutcome(media, false, await settle(media, operation));
  try {
    return await ingestLive(media, live, operation);
  } catch (error) {
    // A refusal is the end only where what was before has been taken away.
    operation.signal.throwIfAborted();
    if (error instanceof Overtaken) return overtaken(media, operation);
    if (isRefusal(error)) return refuse(media, error, operation);
    throw error;
  }
}

async function ingestLive(media: Media, live: StoredObject, operation: OperationContext): Promise<Outcome> {
  refuseSize(media, live);
  const { made, found } = await findRow(media, operation);
  if (found.row && (await isDone(media, found.row, operation)))
    return unchangedOutcome(media, found.row, await sweepPreviews(media, found.row, operation));
  try {
    // Whoever has room waits for no table: what its owner put on it may never end. And what may have to be repeated takes none.
    const size = Math.max(live.bytes, leastBytes);
    const image = await contents.run(size, operation.signal, () => render(media, live, operation));
    if (operation.dryRun)
      return ingestedOutcome(media, made, { ...image, isNew: !found.isThere, deleted: 0 });
    const { madeAgain, isWritten, former } = await withTable(
      media.place,
      operation,
      async (client, again) => ({
        madeAgain: again,
        ...(await writeRow(client, media, image, operation)),
      }),
    );
    if (!isWritten) throw new Overtaken();
    const deleted = former.isThere || found.isThere ? await sweepPreviews(media, image, operation) : 0;
    return ingestedOutcome(media, together(made, madeAgain), { ...image, isNew: !former.isThere, deleted });
  } catch (error) {
    if (hasLostLease(operation)) await tidyUp(media, operation, withdrawLate);
    else if (!isTriedAgain(error) && !operation.signal.aborted) await tidyUp(media, operation, settle);
    throw error;
  }
}

/** In a dry run there may be no table. */
async function findRow(
  media: Media,
  operation: OperationContext,
): Promise<{ readonly made: EnsuredSchema; readonly found: FoundRow }> {
  if (operation.dryRun) {
    const made = await ensureTable(media.place, operation);
    if (!made.exists) return { made, found: { isThere: false, row: undefined } };
  }
  return withTable(media.place, operation, async (client, made) => ({
    made,
    found: await readRow(client, media, operation),
  }));
}

/** What was made of a table before it was read, and where somebody dropped it meanwhile, before it was written. */
function together(first: EnsuredSchema, second: EnsuredSchema): EnsuredSchema {
  return {
    ...second,
    changes: [...first.changes, ...second.changes],
    notes: [...first.notes, ...second.notes],
    statements: [...first.statements, ...second.statements],
  };
}

async function render(
  media: Media,
  live: StoredObject,
  operation: OperationContext,
): Promise<{ readonly facts: ImageFacts; readonly previews: readonly StoredPreview[] }> {
  const { previews, gps, pixels } = media.route;
  const { signal } = operation;
  const image = await openImage(await read(live, operation), { previews, pixels, gps, signal });
  return { facts: image.facts, previews: await storePreviews(media, image.previews(), operation) };
}

function refuseSize({ route, object, bucket }: Media, { bytes }: StoredObject): void {
  const name = formatPlace({ bucket, name: object });
  if (bytes > route.bytes) {
    throw new OperationError(
      'OBJECT_TOO_LARGE',
      `${name} has ${bytes} bytes, and its route allows ${route.bytes}: upload a smaller one, or raise the route’s bytes`,
      { details: { bytes, most: route.bytes } },
    );
  }
  if (bytes === 0)
    throw new OperationError('OBJECT_EMPTY', `${name} is empty: upload it again`, { details: { bytes } });
}

/** What says that an object's content, and nothing else, keeps it from being shown. */
const refusals: ReadonlySet<string> = new Set([
  'OBJECT_TOO_LARGE',
  'OBJECT_EMPTY',
  'NOT_AN_IMAGE',
  'IMAGE_TOO_LARGE',
  'IMAGE_DAMAGED',
  'IMAGE_TOO_SLOW',
]);

function isRefusal(error: unknown): error is OperationError {
  return error instanceof OperationError && refusals.has(error.code) && !error.retryable;
}

/** Whether the row and all that it names is what another run would bring about. */
async function isDone(
  media: Media,
  { generation, recipe, previews }: Row,
  { signal }: OperationContext,
): Promise<boolean> {
  if (generation !== media.generation || recipe !== media.recipe) return false;
  const there = new Map((await listPreviews(media, signal)).map(({ name, bytes }) => [name, bytes]));
  return previews.every(({ object, bytes }) => there.get(object) === bytes);
}

/** Exactly the generation that was found to be live. */
async function read(live: StoredObject, { signal }: OperationContext): Promise<Buffer> {
  try {
    return await readObject(live, signal);
  } catch (error) {
    if (error instanceof OperationError && error.code === 'GOOGLE_NOT_FOUND') throw new Overtaken();
    throw error;
  }
}

async function overtaken(media: Media, operation: OperationContext): Promise<Outcome> {
  const settled = await settle(media, operation);
  if (settled.live?.generation !== media.generation) return settledOutcome(media, false, settled);
  const place = formatPlace(objectOf(media));
  throw new OperationError('GOOGLE_UNAVAILABLE', `${place} is there, and could not be read`, {
    retryable: true,
  });
}

/** What is left of this attempt has its use, or is taken away by what comes next. */
function isTriedAgain(error: unknown): boolean {
  return error instanceof Overtaken || isRefusal(error) || classify(error).retryable;
}

/** Previews of a generation that was replaced meanwhile are taken away: the next one’s event may have come before they were stored. */
async function tidyUp(
  media: Media,
  operation: OperationContext,
  tidy: (media: Media, operation: OperationContext) => Promise<unknown>,
): Promise<void> {
  await tidy(media, operation).catch((problem: unknown) => {
    operation.log.log('WARNING', 'previews left', {
      folder: media.folder,
      problem: classify(problem).message,
    });
  });
}
