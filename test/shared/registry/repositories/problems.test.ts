import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RepositoryProblem } from '../../../../shared/registry/repositories/model.ts';
import { keptProblems, mostProblems } from '../../../../shared/registry/repositories/problems.ts';

const problem = (fields: Partial<RepositoryProblem> = {}): RepositoryProblem => ({
  code: 'YAML_SYNTAX',
  path: 'posts/a.md',
  line: 3,
  column: 14,
  message: 'a tab where spaces are needed',
  collection: 'posts',
  ...fields,
});

describe('the problems of a record', () => {
  it('are the first, as they are', () => {
    const many = Array.from({ length: 250 }, (_, index) => problem({ line: index + 1 }));
    expect(keptProblems(many)).toEqual(many.slice(0, mostProblems));
    const { line, column, collection, ...bare } = problem();
    expect(keptProblems([bare])).toEqual([bare]);
    expect(Object.keys(keptProblems([bare])[0] ?? {})).toEqual(['code', 'path', 'message']);
  });

  it('have no field that nobody declared', () => {
    const more = { ...problem(), content: 'x'.repeat(1_000_000) };
    expect(keptProblems([more])).toEqual([problem()]);
  });

  it('are cut where they are long, never within a character', () => {
    const [one] = keptProblems([problem({ message: `${'x'.repeat(998)}😀 and on`, path: 'y'.repeat(2000) })]);
    expect(one?.message).toBe(`${'x'.repeat(998)}…`);
    expect(one?.path).toBe(`${'y'.repeat(999)}…`);
    expect(keptProblems([problem({ message: '\ud83d' })])[0]?.message).toBe('\ufffd');
  });

  it('fit into a document whatever they say, and are well-formed text', () => {
    // Repeated, for it takes long to make up long ones; other cuts fall into other places of it.
    const piece = fc.string({ unit: 'binary', minLength: 1, maxLength: 9 });
    const text = fc.tuple(piece, fc.nat({ max: 600 })).map(([one, times]) => one.repeat(times));
    const any = fc.record({ code: text, path: text, message: text, collection: text });
    const long = { code: '漢'.repeat(5000), path: '漢'.repeat(5000), message: '漢'.repeat(5000) };
    fc.assert(
      fc.property(fc.array(any, { maxLength: 3 }), fc.nat({ max: 120 }), (some, longOnes) => {
        const kept = keptProblems([...some, ...Array.from({ length: longOnes }, () => long)]);
        const bytes = Buffer.byteLength(JSON.stringify(kept));
        expect(bytes).toBeLessThan(300 * 1024);
        for (const { message, path } of kept)
          expect([message, path].every((one) => one.isWellFormed())).toBe(true);
      }),
      { numRuns: 50 },
    );
    expect(keptProblems([long, long])).toHaveLength(2);
  });
});
