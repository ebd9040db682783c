import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ArchiveOrigin,
  decideByAncestry,
  decideByOrigin,
  type Relation,
} from '../../../functions/sync-repo-metadata/decide.ts';

/** Histories: each commit has one before it, and branches begin anywhere. */
const histories = fc
  .array(fc.nat(), { minLength: 1, maxLength: 12 })
  .map((choices) => choices.map((choice, index) => (index === 0 ? -1 : choice % index)));

function ancestors(parents: readonly number[], commit: number): Set<number> {
  const found = new Set<number>();
  for (let at = commit; at >= 0; at = parents[at] ?? -1) found.add(at);
  return found;
}

function relate(parents: readonly number[], base: number, head: number): Relation {
  if (base === head) return 'identical';
  if (ancestors(parents, head).has(base)) return 'ahead';
  return ancestors(parents, base).has(head) ? 'behind' : 'diverged';
}

describe('by ancestry', () => {
  const there = { commit: 'there' };

  it('anything is wanted where there is nothing, or nobody knows of which commit', () => {
    for (const stored of [undefined, { commit: undefined }]) {
      expect(decideByAncestry(stored, 'a', 'b', 'unknown')).toEqual({ kind: 'sync', rewritten: false });
    }
  });

  it.each([
    ['there', 'there', 'identical', 'same'],
    ['there', 'head', 'identical', 'same'],
    ['next', 'next', 'ahead', 'sync'],
    ['next', 'head', 'ahead', 'sync'],
    ['before', 'head', 'behind', 'superseded'],
    ['before', 'before', 'behind', 'sync'],
    ['aside', 'head', 'diverged', 'superseded'],
    ['aside', 'aside', 'diverged', 'sync'],
    ['aside', 'head', 'unknown', 'superseded'],
    ['aside', 'aside', 'unknown', 'sync'],
  ] as const)('%s, where the ref is at %s, is %s of what is there: %s', (wanted, head, relation, kind) => {
    expect(decideByAncestry(there, wanted, head, relation).kind).toBe(kind);
  });

  it('a ref that was moved is told of', () => {
    expect(decideByAncestry(there, 'before', 'before', 'behind')).toEqual({ kind: 'sync', rewritten: true });
  });

  it('messages in any order end at the head, however often it was forced, once the last one has come', () => {
    fc.assert(
      fc.property(
        histories,
        fc.array(fc.nat(), { minLength: 1, maxLength: 12 }),
        fc.infiniteStream(fc.nat()),
        (parents, pushes, order) => {
          const pushed = pushes.map((push) => push % parents.length);
          const head = pushed.at(-1) ?? 0;
          const late = order[Symbol.iterator]();
          const arriving = [...pushed].sort(() => ((late.next().value as number) % 2 === 0 ? 1 : -1));
          let stored: number | undefined;
          for (const wanted of arriving) {
            const relation = stored === undefined ? 'unknown' : relate(parents, stored, wanted);
            const there = stored === undefined ? undefined : { commit: String(stored) };
            const decision = decideByAncestry(there, String(wanted), String(head), relation);
            if (decision.kind === 'sync') stored = wanted;
          }
          // What came before it may be anything; nothing that comes after it is taken, but what follows it.
          expect(stored === head || ancestors(parents, stored ?? -1).has(head)).toBe(true);
        },
      ),
    );
  });
});

describe('by origin', () => {
  const origin = (generation: string, publishedAt = '2026-01-01T00:00:00Z', object = 'a'): ArchiveOrigin => ({
    publishedAt,
    bucket: 'b',
    object,
    generation,
  });
  const decide = (stored: ArchiveOrigin, mine: ArchiveOrigin) =>
    decideByOrigin({ source: 'archive', origin: stored }, mine).kind;

  it('of one object the later generation counts, whenever it was asked for', () => {
    const later = '2026-02-01T00:00:00Z';
    expect(decide(origin('9'), origin('10'))).toBe('sync');
    expect(decide(origin('10'), origin('9', later))).toBe('superseded');
    expect(decide(origin('10'), origin('10', later))).toBe('same');
  });

  it('of two objects that counts which was asked for later', () => {
    const [early, late] = ['2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'];
    expect(decide(origin('10', early), origin('9', late, 'other'))).toBe('sync');
    expect(decide(origin('9', late), origin('10', early, 'other'))).toBe('superseded');
  });

  it('revisions count before times', () => {
    const stored = { ...origin('1', '2026-01-02T00:00:00Z'), revision: 1 };
    const mine = { ...origin('1', '2026-01-01T00:00:00Z', 'other'), revision: 2 };
    expect(decide(stored, mine)).toBe('sync');
    expect(decide(mine, stored)).toBe('superseded');
  });

  it('anything is wanted where there is nothing', () => {
    expect(decideByOrigin(undefined, origin('1')).kind).toBe('sync');
  });
});
