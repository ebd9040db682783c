import type { Order } from '../../shared/registry/claims.ts';
import { isOlder } from '../../shared/registry/intents.ts';
import type { Origin, StoredRepository } from './tables/state.ts';

/** How a commit stands to another one, as GitHub says; `unknown` where it doesn't know the other one any more. */
export type Relation = 'ahead' | 'behind' | 'identical' | 'diverged' | 'unknown';

/** Whether a commit is to be in the tables. */
export type Decision =
  | {
      readonly kind: 'sync' /** History was rewritten: the ref no longer leads to what is there. */;
      readonly rewritten: boolean;
    }
  | { readonly kind: 'same' }
  | { readonly kind: 'superseded'; readonly why: string };

/**
 * By ancestry, of which GitHub is asked: what the ref points to is wanted, wherever that is; anything else only if it comes
 * after what is there. So a message that comes late changes nothing, and a ref that was forced back is followed.
 *
 * @param relation how `wanted` stands to what is there
 */
export function decideByAncestry(
  stored: Pick<StoredRepository, 'commit'> | undefined,
  wanted: string,
  head: string,
  relation: Relation,
): Decision {
  if (stored?.commit === undefined) return { kind: 'sync', rewritten: false };
  if (stored.commit === wanted) return { kind: 'same' };
  if (relation === 'ahead') return { kind: 'sync', rewritten: false };
  if (wanted === head) return { kind: 'sync', rewritten: true };
  const how = {
    behind: 'is older than what is there',
    identical: 'is what is there',
    diverged: 'is on a branch that is left',
    unknown: 'is of a history that was rewritten',
  }[relation];
  return { kind: 'superseded', why: `${wanted} ${how} (${stored.commit}); the ref is at ${head}` };
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
    if (origin.generation === mine.generation) return { kind: 'same' };
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
