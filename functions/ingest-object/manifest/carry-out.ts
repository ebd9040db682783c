import type { DocumentReference } from '@google-cloud/firestore';
import type { OperationContext } from '../../../shared/operation/definition.ts';
import type { Note } from '../../../shared/operation/outcome.ts';
import type { Compared } from './compare/model.ts';
import { compareItems } from './compared.ts';
import { drive } from './drive.ts';
import type { Item, Tenants } from './items.ts';
import type { Generation } from './publication.ts';
import { type ResultItem, resultItems } from './result.ts';
import { isOver, type StepState } from './schedule.ts';
import { planSteps } from './steps.ts';
import type { Wanted } from './wanted.ts';

/** A generation's run. */
export interface Carrying {
  /** Of the manifest's own document. */
  readonly ref: DocumentReference;
  readonly generation: Generation;
  readonly forced: boolean;
  /** What the generation before wanted, where all of that was done. */
  readonly former: readonly Wanted[];
}

export interface CarriedOut {
  readonly items: readonly ResultItem[];
  readonly notes: readonly Note[];
}

/**
 * Compares items with what is so, sends what differs, and waits for its end.
 *
 * @param before states of steps that these come after
 * @throws Overtaken, Deferred
 */
export async function carryOut(
  items: readonly Item[],
  tenants: Tenants,
  { ref, generation, forced, former }: Carrying,
  operation: OperationContext,
  before: ReadonlyMap<string, StepState> = new Map(),
): Promise<CarriedOut & { readonly states: ReadonlyMap<string, StepState> }> {
  const compared = await compareItems(items, tenants, former, operation);
  const progress = await planSteps(compared, generation, forced, ref);
  for (const [id, state] of before) progress.states.set(id, state);
  if (!isOver(progress.states)) {
    await drive(progress, { ref, generation: generation.generation }, operation);
  }
  return {
    items: resultItems(compared, progress),
    notes: expiredNotes(compared),
    states: progress.states,
  };
}

/** Of grants that are over, and not asked for any more. */
export function expiredNotes(compared: readonly Compared[]): Note[] {
  return compared
    .filter(({ expired }) => expired > 0)
    .map(({ wanted, expired }) => ({
      code: 'EXPIRED',
      message: `${wanted.key}: ${expired === 1 ? 'one grant is' : `${expired} grants are`} over, and not asked for.`,
    }));
}
