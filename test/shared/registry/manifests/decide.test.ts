import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decideClaims,
  decideManifest,
  formerTexts,
  heldClaims,
  scopeKey,
} from '../../../../shared/registry/manifests/decide.ts';
import type {
  Claimed,
  Holders,
  ManifestPlace,
  ManifestRecord,
  ManifestState,
} from '../../../../shared/registry/manifests/model.ts';

const me: ManifestPlace = { bucket: 'uploads', object: 'manifests/a.yaml' };
const other: ManifestPlace = { bucket: 'uploads', object: 'manifests/b.yaml' };

const record = (more: Partial<ManifestRecord> = {}): ManifestRecord => ({
  ...me,
  generation: '20',
  state: 'applied',
  operation: 'mine',
  round: 1,
  ended: true,
  settled: true,
  forced: false,
  text: 'twenty',
  before: [],
  claims: [],
  sent: {},
  grantedBy: [],
  counts: null,
  changedAt: new Date(0),
  ...more,
});

const finalize = (generation: string, operation = 'mine') =>
  ({ event: 'OBJECT_FINALIZE', generation, operation }) as const;
const deletion = (generation: string, operation = 'mine') =>
  ({ event: 'OBJECT_DELETE', generation, operation }) as const;

const twenty = { generation: '20', text: 'twenty', applied: true };

describe('an event of a manifest', () => {
  it('of something older than what was begun is late, by number and not by text', () => {
    expect(decideManifest(record(), finalize('9'))).toEqual({ kind: 'late', generation: '20' });
    expect(decideManifest(record(), deletion('9'))).toEqual({ kind: 'late', generation: '20' });
    expect(decideManifest(record(), finalize('100'))).toMatchObject({ kind: 'begun' });
    const large = '18446744073709551615';
    expect(decideManifest(record({ generation: large }), finalize(`${large.slice(0, -1)}4`)).kind).toBe(
      'late',
    );
  });

  it('that nobody knows of is begun', () => {
    expect(decideManifest(undefined, finalize('1'))).toEqual({
      kind: 'begun',
      round: 1,
      forced: false,
      before: [],
    });
  });

  it('that comes again goes on, and once it had ended begins another round', () => {
    const running = record({
      state: 'applying',
      ended: false,
      settled: false,
      round: 3,
      forced: true,
      before: [twenty],
    });
    expect(decideManifest(running, finalize('20'))).toEqual({
      kind: 'begun',
      round: 3,
      forced: true,
      before: [twenty],
    });
    expect(decideManifest(running, finalize('20', 'another'))).toMatchObject({ round: 4 });
    expect(decideManifest(record({ state: 'incomplete' }), finalize('20'))).toMatchObject({
      round: 2,
      forced: false,
    });
  });

  it('after one of which something may be on its way asks for all', () => {
    expect(decideManifest(record({ settled: false }), finalize('21'))).toMatchObject({
      round: 1,
      forced: true,
    });
    expect(decideManifest(record(), finalize('21'))).toMatchObject({
      round: 1,
      forced: false,
      before: [twenty],
    });
  });

  it('that deletes what was begun is its own, and what it deleted is late from then on', () => {
    expect(decideManifest(record(), deletion('20'))).toMatchObject({
      kind: 'begun',
      round: 1,
      before: [twenty],
    });
    for (const state of ['deleting', 'deleted'] as const) {
      expect(decideManifest(record({ state }), finalize('20'))).toMatchObject({ kind: 'late' });
    }
    const deleting = record({ state: 'deleting', ended: false, before: [twenty] });
    expect(decideManifest(deleting, deletion('20'))).toMatchObject({
      kind: 'begun',
      round: 1,
      before: [twenty],
    });
    expect(decideManifest(record({ state: 'deleted', text: null }), finalize('21'))).toMatchObject({
      before: [],
    });
  });

  it('leaves the newest generation begun, in whatever order events come', () => {
    const events = fc.array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.boolean()), { maxLength: 12 });
    fc.assert(
      fc.property(events, (all) => {
        let found: ManifestRecord | undefined;
        for (const [number, isDeletion] of all) {
          const generation = String(number);
          const wish = isDeletion ? deletion(generation) : finalize(generation);
          if (decideManifest(found, wish).kind === 'late') continue;
          if (isDeletion && found === undefined) continue;
          found = record({ generation, state: isDeletion ? 'deleted' : 'applied' });
        }
        const begun = all.slice(all.findIndex(([, isDeletion]) => !isDeletion)).filter(() => found);
        const newest = Math.max(...begun.map(([number]) => number));
        if (found) expect(found.generation).toBe(String(newest));
        const gone = begun.some(([number, isDeletion]) => isDeletion && number === newest);
        if (found) expect(found.state).toBe(gone ? 'deleted' : 'applied');
      }),
    );
  });
});

describe('what former generations said', () => {
  const earlier = { generation: '10', text: 'ten', applied: false };

  it.each<[ManifestState, string[]]>([
    ['applied', ['20']],
    ['incomplete', ['10', '20']],
    ['applying', ['10', '20']],
    ['deleted', []],
  ])('is kept of one that is %s', (state, generations) => {
    const found = formerTexts(record({ state, before: [earlier] }));
    expect(found.map(({ generation }) => generation)).toEqual(generations);
  });

  it('is as much as a document has room for, the newest of it', () => {
    const before = Array.from({ length: 9 }, (_, index) => ({
      generation: String(index),
      text: 'x'.repeat(100_000),
      applied: false,
    }));
    const found = formerTexts(record({ state: 'incomplete', before }));
    expect(found.map(({ generation }) => generation)).toEqual(
      ['3', '4', '5', '6', '7', '8', '20'].slice(-found.length),
    );
    expect(found.length).toBe(6);
  });

  it('is kept once, however often somebody uploaded it', () => {
    const same = { generation: '15', text: 'twenty', applied: false };
    const found = formerTexts(record({ state: 'incomplete', before: [earlier, same] }));
    expect(found.map(({ generation }) => generation)).toEqual(['10', '20']);
  });
});

const scope = ['database', 'acme:europe-west1:main', 'app'];
const key = scopeKey(scope);
const claimed = (...names: string[]): Claimed[] => [{ scope, names }];
const holders = (more: Holders) => new Map([[key, more]]);
const nobody = () => false;

describe('claims', () => {
  it('of what nobody speaks of are taken, and let go of when it is no longer named', () => {
    const first = decideClaims(me, [], claimed('a', 'b'), new Map(), nobody);
    expect(first).toMatchObject({ conflicts: [], from: [] });
    const taken = first.changed.get(key)?.holders ?? {};
    expect(taken).toEqual({ a: me, b: me });

    const second = decideClaims(
      me,
      claimed('a', 'b'),
      claimed('b', 'c'),
      holders({ ...taken, x: other }),
      nobody,
    );
    expect(second.changed.get(key)?.holders).toEqual({ b: me, c: me, x: other });
    const same = decideClaims(me, claimed('b'), claimed('b'), holders({ b: me }), nobody);
    expect(same.changed.size).toBe(0);
  });

  it('of what another one speaks of are refused, until that is gone', () => {
    const found = holders({ a: other, b: me });
    const { conflicts } = decideClaims(me, claimed('b'), claimed('a', 'b'), found, nobody);
    expect(conflicts).toEqual([{ scope, name: 'a', holder: other }]);

    const over = decideClaims(
      me,
      claimed('b'),
      claimed('a', 'b'),
      found,
      ({ object }) => object === other.object,
    );
    expect(over).toMatchObject({ conflicts: [], from: [other] });
    expect(over.changed.get(key)?.holders).toEqual({ a: me, b: me });
  });

  it('that others took over are nobody’s to let go of', () => {
    const found = holders({ a: other, b: me });
    expect(heldClaims(me, claimed('a', 'b', 'c'), found)).toEqual(claimed('b'));
    const { changed } = decideClaims(me, claimed('a', 'b'), [], found, nobody);
    expect(changed.get(key)?.holders).toEqual({ a: other });
  });

  it('are never two manifests’, and never lost, whatever they name', () => {
    const place = fc.constantFrom('a', 'b', 'c').map((object) => ({ bucket: 'uploads', object }));
    const wish = fc.tuple(place, fc.subarray(['constructor', 'own roles', 'schema x', 'schema y']));
    fc.assert(
      fc.property(fc.array(wish, { maxLength: 10 }), (wishes) => {
        let document: Holders = {};
        const has = new Map<string, string[]>();
        for (const [one, names] of wishes) {
          const before = claimed(...(has.get(one.object) ?? []));
          const decided = decideClaims(one, before, claimed(...names), holders(document), nobody);
          if (decided.conflicts.length > 0) continue;
          document = decided.changed.get(key)?.holders ?? document;
          has.set(one.object, names);
        }
        const all = [...has].flatMap(([object, names]) => names.map((name) => [name, object]));
        expect(new Set(all.map(([name]) => name)).size).toBe(all.length);
        expect(
          Object.fromEntries(Object.entries(document).map(([name, { object }]) => [name, object])),
        ).toEqual(Object.fromEntries(all));
      }),
    );
  });
});
