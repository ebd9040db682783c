import { OperationError } from '../../shared/operation/errors.ts';

/** A collection before and after a sync. */
export interface Change {
  /** Documents there were. */
  readonly before: number;
  /** Those of them whose files are gone. */
  readonly deleted: readonly { readonly path: string }[];
}

/** So few may always go, or a small collection could never lose anything. */
const fewDocuments = 3;

/** So many of the files are named. */
const shown = 5;

/**
 * Whether so much goes that it is more likely a mistake: a glob that covers nothing any more, half an archive.
 *
 * @param files how many files collections cover now
 * @param changes by collection
 * @param maxLoss the part of a collection that may go
 * @throws OperationError `EMPTY_SCAN`, `LOSS_TOO_GREAT`
 */
export function refuseLoss(
  files: number,
  changes: ReadonlyMap<string, Change>,
  maxLoss: number,
  allowDeletes: boolean,
): void {
  if (allowDeletes) return;
  const all = [...changes.values()];
  if (files === 0) {
    const documents = all.reduce((sum, { before }) => sum + before, 0);
    throw new OperationError(
      'EMPTY_SCAN',
      `No collection covers any file${documents > 0 ? `, and all ${documents} documents would be deleted` : ''}. Mend the catalog’s globs; where it is meant, send the message with allowDeletes: true`,
      { details: { documents } },
    );
  }
  const losses = [...changes].filter(
    ([, { before, deleted }]) => deleted.length > Math.max(fewDocuments, before * maxLoss),
  );
  if (losses.length === 0) return;
  const list = losses.map(
    ([collection, { before, deleted }]) => `${deleted.length} of ${before} documents of ${collection}`,
  );
  throw new OperationError(
    'LOSS_TOO_GREAT',
    `Nothing was written, for ${list.join(', ')} would be deleted, more than maxLoss (${maxLoss}) allows. Where it is meant, send the message with allowDeletes: true`,
    {
      details: {
        maxLoss,
        losses: losses.map(([collection, { before, deleted }]) => ({
          collection,
          before,
          deleted: deleted.length,
          paths: deleted
            .map(({ path }) => path)
            .sort()
            .slice(0, shown),
        })),
      },
    },
  );
}
