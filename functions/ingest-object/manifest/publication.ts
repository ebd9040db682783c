import { hash } from '../../../shared/operation/canonical.ts';
import type { OperationState } from '../../../shared/registry/operations.ts';

/** What a manifest's operations belong to. */
export interface Generation {
  readonly event: string;
  readonly bucket: string;
  readonly object: string;
  readonly generation: string;
  /** How often it was begun anew. */
  readonly round: number;
  /** In whose folder it is: its operations are that tenant's, by whose quotas they are counted. */
  readonly tenant?: string | undefined;
}

/** Of so many rounds it is looked what became of them. */
const mostRounds = 5;

/**
 * The publisher's id of the operation for a part of an item: the same however often the event is delivered, and another one where
 * what failed is replayed.
 */
export function operationIdOf(
  { event, bucket, object, generation }: Generation,
  key: string,
  part: number,
  round: number,
): string {
  const id = `m-${hash(event, bucket, object, generation, key, String(part)).slice(0, 40)}`;
  return round === 1 ? id : `${id}-${round}`;
}

/** Of a part, in this round and those before it: the newest first. */
export function operationIdsOf(generation: Generation, key: string, part: number): string[] {
  const { round } = generation;
  return Array.from({ length: Math.min(round, mostRounds) }, (_, back) =>
    operationIdOf(generation, key, part, round - back),
  );
}

/** What is known of a part before anything is sent. */
export interface Known {
  /** Something is left to do, by what it looks like. */
  readonly differs: boolean;
  /** What it looks like doesn't count: something older may still be on its way. */
  readonly forced: boolean;
  /** Of the operations of this round and those before, the newest first; undefined where there is no record. */
  readonly states: readonly (OperationState | undefined)[];
}

/**
 * - `send`: as an operation of this round
 * - `follow`: the operation of the round so many before this one
 * - `nothing`: it is as it should be
 */
export type PartDecision =
  | { readonly kind: 'send' | 'nothing' }
  | { readonly kind: 'follow'; readonly back: number };

/**
 * What is to be done about a part: a pure function. What was sent in this round is followed, whatever became of it: an attempt
 * before this one sent it. What failed in an earlier round is sent again, if it still has to be.
 */
export function decidePart({ differs, forced, states }: Known): PartDecision {
  const back = states.findIndex((state) => state !== undefined);
  const state = states[back];
  if (state === undefined) return { kind: differs || forced ? 'send' : 'nothing' };
  if (back === 0) return { kind: 'follow', back };
  if (state === 'succeeded') return differs ? { kind: 'send' } : { kind: 'follow', back };
  if (state === 'failed') return { kind: differs || forced ? 'send' : 'nothing' };
  return { kind: 'follow', back };
}
