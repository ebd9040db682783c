import type { DocumentReference } from '@google-cloud/firestore';
import type { OperationContext } from '../../../shared/operation/definition.ts';
import type { Note } from '../../../shared/operation/outcome.ts';
import type { ManifestRecord } from '../../../shared/registry/manifests/model.ts';
import type { Compared } from './compare/model.ts';
import { compareItems } from './compared.ts';
import { drive } from './drive.ts';
import type { Item, Tenants } from './items.ts';
import { awaitOthers } from './others.ts';
import type { Generation } from './publication.ts';
import { itemNotes, type ResultItem, resultItems, supersededKeys } from './result.ts';
import { isOver, type StepState } from './schedule.ts';
import { followSent, type Progress, planSteps } from './steps.ts';
import type { Wanted } from './wanted.ts';

/** A generation's run. */
export interface Carrying {
  /** Of the manifest's own document. */
  readonly ref: DocumentReference;
  readonly generation: Generation;
  readonly forced: boolean;
  /** What the generation before wanted, where all of that was done. */
  readonly former: readonly Wanted[];
  /** What was sent before this was begun. */
  readonly sent: ManifestRecord['sent'];
}

export interface CarriedOut {
  readonly items: readonly ResultItem[];
  readonly notes: readonly Note[];
  /** The generation that was begun meanwhile: then nothing more is done. */
  readonly overtakenBy?: string | undefined;
}

/**
 * Compares items with what is so, sends what differs, and waits for its end.
 *
 * @param before states of steps that these come after
 * @throws Deferred
 */
export async function carryOut(
  items: readonly Item[],
  tenants: Tenants,
  { ref, generation, forced, former, sent }: Carrying,
  operation: OperationContext,
  before: ReadonlyMap<string, StepState> = new Map(),
): Promise<CarriedOut & { readonly states: ReadonlyMap<string, StepState> }> {
  const states = new Map(before);
  const takesBack = items.some(({ wanted }) => wanted.kind === 'grants' && wanted.mode === 'revoke');
  // What isn't there yet can't be taken back, and may come.
  const earlier = takesBack ? await awaitOthers({ ref, generation, sent }, operation) : undefined;
  if (earlier !== undefined) return { items: [], notes: [], states, overtakenBy: earlier };
  const compared = await compareItems(items, tenants, former, operation);
  const progress = await planSteps(compared, generation, forced, ref);
  followSent(progress, sent);
  for (const [id, state] of before) progress.states.set(id, state);
  const by = isOver(progress.states)
    ? undefined
    : await drive(progress, { ref, generation, sent }, operation);
  const behind =
    by === undefined ? await stillBehind(items, tenants, former, progress, operation) : undefined;
  const ended = resultItems(compared, progress, behind, by);
  return {
    items: ended,
    notes: [...expiredNotes(compared, progress), ...itemNotes(ended)],
    states: progress.states,
    overtakenBy: by,
  };
}

/** Of the items about which something newer was decided, those that differ from that. */
async function stillBehind(
  items: readonly Item[],
  tenants: Tenants,
  former: readonly Wanted[],
  progress: Progress,
  operation: OperationContext,
): Promise<Set<string>> {
  const keys = supersededKeys(progress);
  const behind = items.filter(({ wanted }) => keys.has(wanted.key));
  if (behind.length === 0) return keys;
  const compared = await compareItems(behind, tenants, former, operation);
  const differs = compared.filter(({ parts }) => parts.some(({ derived }) => derived !== undefined));
  return new Set(differs.map(({ wanted }) => wanted.key));
}

/** Of grants that are over, and not asked for any more. */
export function expiredNotes(
  compared: readonly Compared[],
  { steps, over }: Pick<Progress, 'steps' | 'over'> = { steps: [], over: new Map() },
): Note[] {
  return compared.flatMap(({ wanted: { key }, expired }) => {
    const since = steps.filter((step) => step.key === key).map(({ id }) => over.get(id) ?? 0);
    const count = since.reduce((sum, one) => sum + one, expired);
    const what = count === 1 ? 'one grant is' : `${count} grants are`;
    return count === 0 ? [] : [{ code: 'EXPIRED', message: `${key}: ${what} over, and not asked for.` }];
  });
}
