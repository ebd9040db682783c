import type pg from 'pg';
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
import { refuse, settle, settledOutcome } from './gone.ts';
import { openImage } from './image.ts';
import { ingestedOutcome, unchangedOutcome } from './outcome.ts';
import { roomOf } from './room.ts';
import { type Row, readRow, writeRow } from './row.ts';
import { listPreviews, objectOf, storePreviews, sweepPreviews } from './store.ts';
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
 *     3 render   each preview, and upload it while the next is being rendered
 *     4 write    the row, under the object's lock, if the generation is still the live one
 *     5 sweep    previews of generations that were before
 *
 * Whatever it is interrupted at, the next attempt ends with the same.
 *
 * @throws OperationError permanent: `OBJECT_TOO_LARGE`, `OBJECT_EMPTY`, `NOT_AN_IMAGE`, `IMAGE_TOO_LARGE`, `IMAGE_DAMAGED`,
 *   `TABLE_TAKEN`, and as `mediaOf`
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
    if (operation.signal.aborted) throw error;
    if (error instanceof Overtaken) return overtaken(media, operation);
    if (isRefusal(error)) return refuse(media, error, operation);
    throw error;
  }
}

async function ingestLive(media: Media, live: StoredObject, operation: OperationContext): Promise<Outcome> {
  refuseSize(media, live);
  const giveBack = await contents.take(Math.max(live.bytes, leastBytes), operation.signal);
  try {
    if (operation.dryRun) {
      const made = await ensureTable(media.place, operation);
      if (!made.exists) return await ingestWith(undefined, made);
    }
    return await withTable(media.place, operation, ingestWith);
  } finally {
    giveBack();
  }

  /** @param client undefined where there is no table, in a dry run */
  async function ingestWith(client: pg.ClientBase | undefined, made: EnsuredSchema): Promise<Outcome> {
    const row = client && (await readRow(client, media, operation));
    if (row && (await isDone(media, row, operation)))
      return unchangedOutcome(media, row, await sweepPreviews(media, row, operation));
    const { previews, gps, pixels } = media.route;
    const image = await openImage(await read(live, operation), {
      previews,
      pixels,
      gps,
      signal: operation.signal,
    });
    try {
      const stored = await storePreviews(media, image.previews(), operation);
      const ingested = { facts: image.facts, previews: stored };
      if (operation.dryRun || client === undefined)
        return ingestedOutcome(media, made, { ...ingested, former: row, deleted: 0 });
      // What is left to do takes none.
      giveBack();
      const { isWritten, former } = await writeRow(client, media, ingested, operation);
      if (!isWritten) throw new Overtaken();
      const now = { generation: media.generation, previews: stored };
      const deleted = former || row ? await sweepPreviews(media, now, operation) : 0;
      return ingestedOutcome(media, made, { ...ingested, former, deleted });
    } catch (error) {
      if (!isTriedAgain(error) && !operation.signal.aborted) await tidyUp(media, operation);
      throw error;
    }
  }
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

/** Previews that no row will ever name are taken away again. */
async function tidyUp(media: Media, operation: OperationContext): Promise<void> {
  await settle(media, operation).catch((problem: unknown) => {
    operation.log.log('WARNING', 'previews left', {
      folder: media.folder,
      problem: classify(problem).message,
    });
  });
}
