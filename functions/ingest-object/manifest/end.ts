import type { OperationContext } from '../../../shared/operation/definition.ts';
import { OperationError } from '../../../shared/operation/errors.ts';
import type { Note, Outcome } from '../../../shared/operation/outcome.ts';
import type { ManifestPlace } from '../../../shared/registry/manifests/model.ts';
import type { ObjectEvent } from '../message.ts';
import {
  boundedItems,
  changesOf,
  countItems,
  type ResultItem,
  type ResultObject,
  writeResult,
} from './result.ts';

/** The code of a manifest of which not everything could be done. What could be is, and the result says what couldn't. */
export const incompleteCode = 'MANIFEST_INCOMPLETE';

/** What a run came to. */
export interface Conclusion {
  readonly event: ObjectEvent;
  readonly place: ManifestPlace;
  readonly state: Exclude<ResultObject['state'], 'refused'>;
  readonly items: readonly ResultItem[];
  readonly notes: readonly Note[];
}

/**
 * Writes the result beside the manifest, and then ends the run in the registry: a crash in between repeats both.
 *
 * @param end says in the registry that nothing is on its way any more
 * @throws OperationError `MANIFEST_INCOMPLETE`
 */
export async function conclude(
  { event: { event, generation }, place, state, items, notes }: Conclusion,
  operation: OperationContext,
  end: () => Promise<unknown>,
): Promise<Outcome> {
  const manifest = { ...place, generation };
  const counts = countItems(items);
  const whole: ResultObject = {
    manifest,
    event,
    operation: operation.id,
    state,
    summary: counts,
    items,
    notes,
  };
  const results = await writeResult(whole, operation.signal);
  await end();
  const bad = items.filter((item) => item.state === 'failed' || item.state === 'skipped');
  if (bad.length > 0) throw incomplete(place, bad, counts.failed, results);
  return {
    changes: changesOf(items),
    notes: [...notes],
    summary: { ...counts },
    result: { manifest, ...boundedItems(items), results },
  };
}

function incomplete(
  { bucket, object }: ManifestPlace,
  bad: readonly ResultItem[],
  failed: number,
  results: string,
): OperationError {
  const [first] = bad;
  const why = first?.problem ? `${first.key}: ${first.problem.code}: ${first.problem.message}` : '';
  const { items, more } = boundedItems(bad);
  return new OperationError(
    incompleteCode,
    `Not all of gs://${bucket}/${object} could be done: ${failed} failed, ${bad.length - failed} skipped. ${why} All of it is in ${results}. Mend it and replay this, or upload a manifest that is right.`,
    { details: { results, failed, skipped: bad.length - failed, items, ...(more ? { more } : {}) } },
  );
}
