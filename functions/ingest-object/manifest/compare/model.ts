import type { Note } from '../../../../shared/operation/outcome.ts';
import type { Derived } from '../derived.ts';
import type { Wanted } from '../wanted.ts';

/** Why something couldn't be done, as far as can be told beforehand. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
  /** Whatever else of the manifest is done before it, it will be refused: nothing is sent. */
  readonly isFinal?: true;
}

/** A part of an item that is one message. */
export interface ComparedPart {
  /** Its place among the item's parts, the same whatever is left to do. */
  readonly index: number;
  /** Undefined where nothing of it is left to do. */
  readonly derived: Derived | undefined;
  /** All of it, to be sent where what it looks like doesn't count; undefined where there is nothing to ask for. */
  readonly whole: Derived | undefined;
  /** What it would change, in words. */
  readonly changes: readonly string[];
  /** What its message is dated, where that isn't when the manifest was uploaded: right after the grants that it takes back. */
  readonly dated?: Date;
}

/** An item of a manifest, held against what is so. */
export interface Compared {
  readonly wanted: Wanted;
  readonly about: string;
  readonly parts: readonly ComparedPart[];
  readonly refusals: readonly Refusal[];
  /** Grants that are over, and not asked for any more. */
  readonly expired: number;
  /** What is not as it should be, and out of Drover's reach: it is no change. */
  readonly notes: readonly Note[];
}
