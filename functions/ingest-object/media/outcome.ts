import type { Outcome } from '../../../shared/operation/outcome.ts';
import type { EnsuredSchema } from '../../../shared/schemas/ensure.ts';
import type { CaptureTime, ImageFacts, StoredPreview } from './model.ts';
import type { Row } from './row.ts';
import type { Media } from './target.ts';

/** What was done for an image, or in a dry run would be. */
export interface Ingested {
  readonly facts: ImageFacts;
  readonly previews: readonly StoredPreview[];
  /** Whether there was no row before. */
  readonly isNew: boolean;
  /** How many previews that no row names were deleted. */
  readonly deleted: number;
}

/** What the operation says of an image, and with it the result event. */
export function ingestedOutcome(media: Media, made: EnsuredSchema, ingested: Ingested): Outcome {
  const { bucket, object, generation, user, place, folder } = media;
  const { facts, previews, isNew, deleted } = ingested;
  const { type, width, height, captured, doubts } = facts;
  const name = `gs://${bucket}/${object}`;
  const bytes = previews.reduce((sum, one) => sum + one.bytes, 0);
  const written = `${previews.length} of generation ${generation}`;
  return {
    changes: [
      ...made.changes,
      {
        action: isNew ? 'create' : 'alter',
        kind: 'media',
        name: `${place.schema}.${place.table}`,
        detail: `the row of ${name}`,
      },
      ...(previews.length > 0
        ? [{ action: 'create', kind: 'previews', name: folder, detail: written } as const]
        : []),
      ...(deleted > 0
        ? [
            {
              action: 'delete',
              kind: 'previews',
              name: folder,
              detail: `${deleted} that no row names`,
            } as const,
          ]
        : []),
    ],
    notes: [...made.notes, ...doubts.map((message) => ({ code: 'METADATA_DOUBTFUL', message }))],
    statements: made.statements,
    summary: { previews: previews.length, bytes, previewsDeleted: deleted },
    result: {
      bucket,
      object,
      generation,
      user,
      type,
      width,
      height,
      takenAt: captured ? formatCaptureTime(captured) : null,
      previews: previews.map((preview) => preview.object),
    },
  };
}

/** What is to be said where the row says already what it should. */
export function unchangedOutcome(media: Media, { previews }: Row, deleted: number): Outcome {
  const { bucket, object, generation, user, folder } = media;
  const message = `gs://${bucket}/${object}: the row and previews of generation ${generation} are there.`;
  return {
    changes:
      deleted > 0
        ? [{ action: 'delete', kind: 'previews', name: folder, detail: `${deleted} that no row names` }]
        : [],
    notes: [{ code: 'UNCHANGED', message }],
    summary: { previews: 0, bytes: 0, previewsDeleted: deleted },
    result: { bucket, object, generation, user, previews: previews.map((preview) => preview.object) },
  };
}

/** ISO 8601, with the offset where it is known: `2026-03-29T02:30:00+02:00`. */
export function formatCaptureTime({ local, offsetMinutes }: CaptureTime): string {
  if (offsetMinutes === undefined) return local;
  const minutes = Math.abs(offsetMinutes);
  const two = (part: number) => String(part).padStart(2, '0');
  return `${local}${offsetMinutes < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}
