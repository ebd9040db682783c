import { findObject, type StoredObject } from '../../../shared/gcp/storage/objects.ts';
import { classify } from '../../../shared/operation/classify.ts';
import type { OperationContext } from '../../../shared/operation/definition.ts';
import { OperationError } from '../../../shared/operation/errors.ts';
import type { Outcome } from '../../../shared/operation/outcome.ts';
import { type Row, readRow, withdrawRow } from './row.ts';
import { objectOf, sweepPreviews } from './store.ts';
import { withTableIfThere } from './table.ts';
import type { Media } from './target.ts';

/** What was found of an object, and what was taken away of it, or in a dry run would be. */
export interface Settled {
  readonly live: StoredObject | undefined;
  /** Whether there was a row that was deleted. */
  readonly isRemoved: boolean;
  /** What it said, where it was one of ours. */
  readonly removed: Row | undefined;
  /** How many previews were deleted. */
  readonly previews: number;
}

/**
 * Takes away what is true no more. Where there is no object there is no row, and no previews; where another generation is live,
 * that one's event sees to the row, and here only what this event's own generation left goes.
 *
 * @param isRefused this event's generation can't be shown: if it is the live one, what shows another goes, too
 */
export async function settle(media: Media, operation: OperationContext, isRefused = false): Promise<Settled> {
  const { generation, place } = media;
  const mustGo = (row: Row | undefined, live: StoredObject | undefined) =>
    live === undefined || (isRefused && live.generation === generation && row?.generation !== generation);
  const found = await withTableIfThere(place, operation, (client) =>
    withdrawRow(client, media, mustGo, operation),
  );
  const { live, row, isDeleted } = found ?? {
    live: await findObject(objectOf(media), operation.signal),
    row: undefined,
    isDeleted: false,
  };
  const previews = await sweepPreviews(media, isDeleted ? undefined : row, operation);
  return { live, isRemoved: isDeleted, removed: isDeleted ? row : undefined, previews };
}

/** What to say of an event whose generation isn't the live one, or that tells of an end. */
export function settledOutcome(
  media: Media,
  isEnd: boolean,
  { live, isRemoved, previews }: Settled,
): Outcome {
  const { bucket, object, generation, place, folder } = media;
  const name = `gs://${bucket}/${object}`;
  const note = live
    ? {
        code: 'SUPERSEDED',
        message: `${name} has generation ${live.generation}, of which another event tells.`,
      }
    : { code: 'GONE', message: `${name} is no more.` };
  const row = `${place.schema}.${place.table}`;
  return {
    changes: [
      ...(isRemoved
        ? [{ action: 'delete', kind: 'media', name: row, detail: `the row of ${name}` } as const]
        : []),
      ...(previews > 0
        ? [{ action: 'delete', kind: 'previews', name: folder, detail: `${previews} of ${name}` } as const]
        : []),
    ],
    // An object that was deleted is gone: there is nothing to tell.
    notes: isEnd && live === undefined ? [] : [note],
    summary: { previews: 0, bytes: 0, previewsDeleted: previews },
    result: { bucket, object, generation, user: media.user, ...(live && { live: live.generation }) },
  };
}

/**
 * Ends what is about an image that can't be shown. What showed a former generation goes first, for its original is gone.
 *
 * @returns where that image is live no more
 * @throws OperationError the refusal, with what was taken away; what keeps that from being taken away, where it may go later
 */
export async function refuse(
  media: Media,
  refusal: OperationError,
  operation: OperationContext,
): Promise<Outcome> {
  const settled = await settle(media, operation, true).catch((problem: unknown) => {
    // The refusal is said, whatever is in the way of tidying up for good.
    throw operation.signal.aborted || classify(problem).retryable ? problem : refusal;
  });
  const { live, removed, previews } = settled;
  if (live?.generation !== media.generation) return settledOutcome(media, false, settled);
  const { code, message, details, cause } = refusal;
  const more = { ...details, generation: media.generation, removed: removed?.generation ?? null, previews };
  const gone = removed
    ? ` (The row and previews of generation ${removed.generation}, which it replaced, are gone.)`
    : '';
  throw new OperationError(code, message + gone, { details: more, cause });
}

/** Time for it, where that of the operation is over. */
const withdrawMs = 30_000;

/**
 * Takes previews back that a worker had sent which lost its lease: nothing fences an upload, so it takes effect whenever the worker
 * goes on, and whoever went on without it may have swept before that. What is live, or named by the row, is theirs.
 */
export async function withdrawLate(media: Media, operation: OperationContext): Promise<void> {
  const signal = AbortSignal.timeout(withdrawMs);
  const late = { ...operation, signal, remainingMs: () => withdrawMs, assertHeld: () => undefined };
  const found = await withTableIfThere(media.place, late, (client) => readRow(client, media, late));
  await sweepPreviews(media, found?.row, late);
}
