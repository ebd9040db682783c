import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ArchiveOrigin,
  decideByAncestry,
  decideByOrigin,
} from '../../../functions/sync-repo-metadata/decide.ts';
import type { Comparison } from '../../../functions/sync-repo-metadata/source/github-api.ts';

/** Histories: each commit has one before it, and branches begin anywhere. */
const histories = fc
  .array(fc.nat(), { minLength: 1, maxLength: 12 })
  .map((choices) => choices.map((choice, index) => (index === 0 ? -1 : choice % index)));

function ancestors(parents: readonly number[], commit: number): Set<number> {
  const found = new Set<number>();
  for (let at = commit; at >= 0; at = parents[at] ?? -1) found.add(at);
  return found;
}

function relate(parents: readonly number[], base: number, head: number): Comparison {
  if (base === head) return 'identical';
  if (ancestors(parents, head).has(base)) return 'ahead';
  return ancestors(parents, base).has(head) ? 'behind' : 'diverged';
}

describe('by ancestry', () => {
  const there = { commit: 'there', source: 'github' } as const;
  const asked = (wanted: string, head: string, relation: Comparison, isOnRef: boolean) => ({
    wanted,
    head,
    relation,
    isOnRef,
    isFresh: false,
  });

  it('what the ref leads to is wanted where there is nothing, or nobody knows of which commit', () => {
    for (const stored of [undefined, { commit: undefined, source: 'archive' } as const]) {
      const before = asked('a', 'b', 'unknown', true);
      expect(decideByAncestry(stored, before)).toEqual({ kind: 'sync', rewritten: false });
      expect(decideByAncestry(stored, { ...before, isOnRef: false }).kind).toBe('superseded');
    }
  });

  it.each([
    ['there', 'there', 'identical', true, 'same'],
    ['there', 'head', 'identical', false, 'same'],
    ['next', 'next', 'ahead', true, 'sync'],
    ['next', 'head', 'ahead', true, 'sync'],
    ['next', 'head', 'ahead', false, 'superseded'],
    ['before', 'head', 'behind', true, 'superseded'],
    ['before', 'before', 'behind', true, 'sync'],
    ['aside', 'head', 'diverged', true, 'superseded'],
    ['aside', 'head', 'diverged', false, 'superseded'],
    ['aside', 'aside', 'diverged', true, 'sync'],
    ['aside', 'head', 'unknown', true, 'superseded'],
    ['aside', 'aside', 'unknown', true, 'sync'],
  ] as const)(
    '%s, where the ref is at %s, is %s of what is there, on the ref: %s; %s',
    (wanted, head, relation, isOnRef, kind) => {
      expect(decideByAncestry(there, asked(wanted, head, relation, isOnRef)).kind).toBe(kind);
    },
  );

  it('a ref that was moved is told of', () => {
    const moved = asked('before', 'before', 'behind', true);
    expect(decideByAncestry(there, moved)).toEqual({ kind: 'sync', rewritten: true });
  });

  it('a commit that was just pushed is waited for, until GitHub shows it or the time is over', () => {
    const unseen = { ...asked('next', 'there', 'ahead', false), isFresh: true };
    expect(decideByAncestry(there, unseen).kind).toBe('wait');
    expect(decideByAncestry(there, { ...unseen, isFresh: false }).kind).toBe('superseded');
  });

  it('what an archive only says that it is, is read', () => {
    const known = asked('there', 'there', 'identical', true);
    expect(decideByAncestry({ commit: 'there', source: 'archive' }, known).kind).toBe('sync');
  });

  it('messages in any order end at the head, however often it was forced, and never leave the ref', () => {
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
          // Anything of the past may be there, when the first of them comes.
          let stored = (late.next().value as number) % parents.length;
          for (const wanted of arriving) {
            const relation = relate(parents, stored, wanted);
            const isOnRef = ancestors(parents, head).has(wanted);
            const decision = decideByAncestry(
              { commit: String(stored), source: 'github' },
              asked(String(wanted), String(head), relation, isOnRef),
            );
            if (decision.kind !== 'sync') continue;
            expect(isOnRef).toBe(true);
            stored = wanted;
          }
          expect(stored).toBe(head);
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

  it('the same generation that is read in another way is something else', () => {
    const one = origin('10');
    expect(decide(one, { ...one, root: 'docs' })).toBe('sync');
    expect(decide(one, { ...one, commit: 'c'.repeat(40) })).toBe('sync');
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
