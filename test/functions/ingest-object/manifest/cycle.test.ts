import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inOrder } from '../../../../functions/ingest-object/manifest/cycle.ts';

const ordered = (edges: Record<string, readonly string[]>) =>
  inOrder(Object.keys(edges), (name) => edges[name] ?? []);

describe('an order', () => {
  it('leaves what isn’t bound where it was', () => {
    expect(ordered({ c: [], a: ['d'], b: [], d: [] })).toEqual({ order: ['c', 'd', 'a', 'b'] });
    expect(ordered({ a: ['elsewhere'] })).toEqual({ order: ['a'] });
  });

  it('names a cycle from its first name back to it', () => {
    expect(ordered({ x: ['a'], a: ['b', 'c'], b: [], c: ['d'], d: ['a'] })).toEqual({
      cycle: ['a', 'c', 'd', 'a'],
    });
    expect(ordered({ a: ['a'] })).toEqual({ cycle: ['a', 'a'] });
  });

  it('of a long chain is found', () => {
    const names = Array.from({ length: 20_000 }, (_, index) => `n${index}`);
    const found = inOrder(names, (name) => {
      const next = `n${Number(name.slice(1)) + 1}`;
      return names.length > Number(next.slice(1)) ? [next] : [];
    });
    expect(found).toEqual({ order: names.toReversed() });
  });

  it('has each name once, after those that it names, or there is a way from a name back to it', () => {
    const graph = fc.array(fc.array(fc.nat(7), { maxLength: 3 }), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(graph, (edges) => {
        const names = edges.map((_, index) => String(index));
        const needs = (name: string) => (edges[Number(name)] ?? []).map(String);
        const found = inOrder(names, needs);
        if ('cycle' in found) {
          expect(found.cycle.length).toBeGreaterThan(1);
          expect(found.cycle.at(-1)).toBe(found.cycle[0]);
          found.cycle.slice(1).forEach((name, index) => {
            expect(needs(found.cycle[index] ?? '')).toContain(name);
          });
          return;
        }
        expect([...found.order].sort()).toEqual(names);
        found.order.forEach((name, index) => {
          for (const other of needs(name)) expect(found.order.indexOf(other)).toBeLessThan(index);
        });
      }),
    );
  });
});
