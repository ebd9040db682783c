import type { Order } from '../../shared/registry/claims.ts';
import { isOlder } from '../../shared/registry/intents.ts';
import type { Comparison } from './source/github-api.ts';
import type { Origin, StoredRepository } from './tables/state.ts';

/** Whether a commit is to be in the tables. */
export type Decision =
  | {
      readonly kind: 'sync' /** History was rewritten: the ref no longer leads to what is there. */;
      readonly rewritten: boolean;
    }
  | { readonly kind: 'same' }
  /** GitHub may not show it yet. */
  | { readonly kind: 'wait'; readonly why: string }
  | { readonly kind: 'superseded'; readonly why: string };

/** What GitHub says of a commit that is asked for. */
export interface Asked {
  readonly wanted: string;
  /** What the ref is at. */
  readonly head: string;
  /** Seen from what is there. */
  readonly relation: Comparison;
  /** The ref leads to it: it is the head, or comes before it. */
  readonly isOnRef: boolean;
  /** The message is so young that GitHub may not show yet what was pushed. */
  readonly isFresh: boolean;
}

/**
 * By ancestry, of which GitHub is asked: what the ref points to is wanted, wherever that is; anything else only if the ref leads to it
 * and it comes after what is there. So a message that comes late changes nothing, and a ref that was forced back is followed.
 */
export function decideByAncestry(
  stored: Pick<StoredRepository, 'commit' | 'source'> | undefined,
  { wanted, head, relation, isOnRef, isFresh }: Asked,
): Decision {
  const current = stored?.commit;
  if (current === wanted && stored?.source === 'github') return { kind: 'same' };
  if (!isOnRef) {
    const why = `${wanted} is not in the history of the ref, which is at ${head}`;
    return { kind: isFresh ? 'wait' : 'superseded', why };
  }
  if (current === undefined || current === wanted || relation === 'ahead')
    return { kind: 'sync', rewritten: false };
  if (wanted === head) return { kind: 'sync', rewritten: true };
  return {
    kind: 'superseded',
    why: `${wanted} does not come after what is there (${current}); the ref is at ${head}`,
  };
}

/** Where an archive is, and when it was asked for. */
export type ArchiveOrigin = Origin & Required<Pick<Origin, 'bucket' | 'object' | 'generation'>>;

/**
 * Of archives nobody can be asked which commit comes after which: of the same object the later generation does, else what was
 * asked for later.
 */
export function decideByOrigin(
  stored: Pick<StoredRepository, 'origin' | 'source'> | undefined,
  mine: ArchiveOrigin,
): Decision {
  if (stored === undefined) return { kind: 'sync', rewritten: false };
  const { origin } = stored;
  if (origin.bucket === mine.bucket && origin.object === mine.object && origin.generation !== undefined) {
    if (origin.generation === mine.generation) {
      // Read in another way, it is something else.
      const isSame = origin.root === mine.root && origin.commit === mine.commit;
      return isSame ? { kind: 'same' } : { kind: 'sync', rewritten: false };
    }
    return BigInt(mine.generation) > BigInt(origin.generation)
      ? { kind: 'sync', rewritten: false }
      : {
          kind: 'superseded',
          why: `generation ${mine.generation} is older than what is there (${origin.generation})`,
        };
  }
  return isOlder(orderOf(mine), orderOf(origin))
    ? { kind: 'superseded', why: `what is there was asked for later, at ${origin.publishedAt}` }
    : { kind: 'sync', rewritten: false };
}

function orderOf({ publishedAt, revision }: Origin): Order {
  return { publishedAt: new Date(publishedAt), ...(revision === undefined ? {} : { revision }) };
}
