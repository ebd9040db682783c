import { formatPlace } from '../../../shared/gcp/storage/client.ts';
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
  readResult,
  resultPlace,
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
 * @param end says in the registry that nothing is on its way any more; the generation that was begun meanwhile, where one was
 * @throws OperationError `MANIFEST_INCOMPLETE`
 */
export async function conclude(
  conclusion: Conclusion,
  operation: OperationContext,
  end: () => Promise<string | undefined>,
): Promise<Outcome> {
  const { place, items } = conclusion;
  const result = resultObject(conclusion, operation);
  const results = await writeResult(result, operation.signal);
  const by = await end();
  if (by !== undefined) return concludeOvertaken(conclusion, by, operation);
  const bad = items.filter((item) => item.state === 'failed' || item.state === 'skipped');
  if (bad.length > 0) throw incomplete(place, bad, result.summary.failed, results);
  return outcomeOf(result, results);
}

/** The same of a run that a newer event cut off: what is known of what it did. */
export async function concludeOvertaken(
  conclusion: Omit<Conclusion, 'state'>,
  by: string,
  operation: OperationContext,
): Promise<Outcome> {
  const { bucket, object } = conclusion.place;
  const name = `gs://${bucket}/${object} #${conclusion.event.generation}`;
  const message = `${name}: something newer was begun (#${by}). What was sent before that is in the result; nothing more is done.`;
  const notes = [...conclusion.notes, { code: 'SUPERSEDED', message }];
  const result = resultObject({ ...conclusion, state: 'superseded', notes }, operation);
  return outcomeOf(result, await writeResult(result, operation.signal));
}

/** Something newer was begun before an event came, or came again. */
export function lateNote(name: string, by: string): Note {
  return { code: 'SUPERSEDED', message: `${name}: there is something newer (#${by}); nothing more is done.` };
}

/** The outcome of a run whose end was written down, and whose worker died before it could say so. */
export async function concluded(
  { generation, event }: ObjectEvent,
  place: ManifestPlace,
  operation: OperationContext,
): Promise<Outcome | undefined> {
  const result = await readResult(place, { generation, event }, operation);
  const isWhole = result?.state === 'applied' || result?.state === 'deleted';
  return isWhole ? outcomeOf(result, formatPlace(resultPlace(place, generation, event))) : undefined;
}

function resultObject(
  { event: { event, generation }, place, state, items, notes }: Conclusion,
  { id }: OperationContext,
): ResultObject {
  const manifest = { ...place, generation };
  return { manifest, event, operation: id, state, summary: countItems(items), items, notes };
}

function outcomeOf({ manifest, summary, items, notes }: ResultObject, results: string): Outcome {
  return {
    changes: changesOf(items),
    notes: [...notes],
    summary: { ...summary },
    result: { manifest, ...boundedItems(items), results },
    ...(items.some(({ partial }) => partial) ? { partial: true } : {}),
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
