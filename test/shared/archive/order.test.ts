import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { definitionParts, objectAt } from '../../../shared/archive/definitions.ts';
import { type DescribedObject, type Kind, kinds } from '../../../shared/archive/describe/object.ts';
import { inOrder, phases } from '../../../shared/archive/describe/order.ts';

const object = (kind: Kind, name: string, more: Partial<DescribedObject> = {}): DescribedObject => ({
  node: name,
  kind,
  schema: 'billing',
  name,
  statements: [`MAKE ${name}`],
  ...more,
});

const names = (objects: readonly DescribedObject[]) => objects.map(({ name }) => name);

describe('the order in which objects are made', () => {
  it('is by phase, kind and name where nothing needs another', () => {
    const { objects } = inOrder(
      [
        object('index', 'i'),
        object('view', 'v'),
        object('table', 'b'),
        object('table', 'a'),
        object('type', 'z'),
      ],
      [],
    );

    expect(names(objects)).toEqual(['z', 'a', 'b', 'v', 'i']);
    expect(objects.map(({ phase }) => phase)).toEqual([...Array(4).fill('before-data'), 'after-data']);
  });

  it('puts what an object needs before it, and what needs something late after the rows', () => {
    const { objects } = inOrder(
      [object('view', 'a'), object('view', 'b'), object('constraint', 'key'), object('routine', 'f')],
      [
        { node: 'a', needs: 'b' },
        { node: 'b', needs: 'key' },
        { node: 'f', needs: 'elsewhere' },
      ],
    );

    expect(objects.map(({ name, phase }) => [name, phase])).toEqual([
      ['f', 'before-data'],
      ['key', 'after-data'],
      ['b', 'after-data'],
      ['a', 'after-data'],
    ]);
  });

  it('fills materialized views in the order in which they read each other', () => {
    const { objects } = inOrder(
      [
        object('view', 'a'),
        object('view', 'b'),
        object('refresh', 'fill a', { needs: ['a'] }),
        object('refresh', 'fill b', { needs: ['b'] }),
      ],
      [{ node: 'a', needs: 'b' }],
    );

    expect(names(objects)).toEqual(['b', 'a', 'fill b', 'fill a']);
  });

  it('names what needs itself, and a table that needs what is made after its rows', () => {
    const circle = inOrder(
      [object('view', 'a'), object('view', 'b')],
      [
        { node: 'a', needs: 'b' },
        { node: 'b', needs: 'a' },
      ],
    );
    const late = inOrder([object('table', 't'), object('constraint', 'c')], [{ node: 't', needs: 'c' }]);

    expect(circle.impossible.map(({ object, reason }) => [object.name, reason])).toEqual([
      ['a', 'it needs, by way of others, itself'],
    ]);
    expect(late.impossible.map(({ object, reason }) => [object.name, reason])).toEqual([
      ['t', 'it needs c, which is made after the rows are there'],
    ]);
  });

  it('has everything once, after what it needs, whatever order it is found in', () => {
    const graph = fc
      .array(fc.record({ kind: fc.constantFrom(...kinds), schema: fc.constantFrom('a', 'b') }), {
        maxLength: 30,
      })
      .chain((nodes) => {
        const objects = nodes.map(({ kind, schema }, index) => object(kind, `o${index}`, { schema }));
        const pairs = nodes.flatMap((_, from) => nodes.flatMap((_, to) => (to < from ? [{ from, to }] : [])));
        return fc.record({
          objects: fc.constant(objects),
          shuffled: fc.shuffledSubarray(objects, { minLength: objects.length }),
          needs: fc
            .subarray(pairs)
            .map((some) => some.map(({ from, to }) => ({ node: `o${from}`, needs: `o${to}` }))),
        });
      });
    fc.assert(
      fc.property(graph, ({ objects, shuffled, needs }) => {
        const ordered = inOrder(objects, needs);

        expect([...names(ordered.objects)].sort()).toEqual([...names(objects)].sort());
        expect(names(inOrder(shuffled, needs).objects)).toEqual(names(ordered.objects));
        const place = new Map(ordered.objects.map(({ name }, index) => [name, index]));
        const refreshes = new Set(objects.flatMap(({ name, kind }) => (kind === 'refresh' ? [name] : [])));
        // Nothing needs a refresh in earnest; it is always last.
        for (const { node, needs: other } of needs.filter((one) => !refreshes.has(one.needs)))
          expect(place.get(node)).toBeGreaterThan(place.get(other) ?? 0);
        const phase = ordered.objects.map((one) => phases.indexOf(one.phase));
        expect(phase).toEqual([...phase].sort((a, b) => a - b));
      }),
    );
  });
});

describe('the files that objects are made by', () => {
  const made = inOrder(
    [
      object('table', 'a', { schema: 'one' }),
      object('table', 'b', { schema: 'two' }),
      object('index', 'i', { schema: 'one' }),
    ],
    [],
  ).objects;

  it('are one for each schema and phase', () => {
    expect(definitionParts(made)).toEqual([
      {
        object: 'definitions/01-one.before-data.sql',
        phase: 'before-data',
        schema: 'one',
        text: '-- table a\nMAKE a;\n',
      },
      {
        object: 'definitions/02-two.before-data.sql',
        phase: 'before-data',
        schema: 'two',
        text: '-- table b\nMAKE b;\n',
      },
      {
        object: 'definitions/03-one.after-data.sql',
        phase: 'after-data',
        schema: 'one',
        text: '-- index i\nMAKE i;\n',
      },
    ]);
  });

  it('have each statement ended once, and no name that ends its comment', () => {
    const [part] = definitionParts(
      inOrder([object('view', 'a\nDROP TABLE b;\r\u2028--', { statements: ['SELECT 1;', 'SELECT 2\n'] })], [])
        .objects,
    );

    expect(part?.text).toBe('-- view a DROP TABLE b;  --\nSELECT 1;\nSELECT 2;\n');
  });

  it('tell which object a place in them is about', () => {
    const text = '-- table a\nCREATE TABLE a;\n\n-- view b\nCREATE VIEW b\n  AS SELECT;\n\n-- view c\nX;\n';

    expect(objectAt(text, text.indexOf('TABLE a;'))).toBe('table a');
    expect(objectAt(text, text.indexOf('AS SELECT'))).toBe('view b');
    expect(objectAt(text, text.length)).toBe('view c');
    expect(objectAt(text, 1)).toBeUndefined();
  });
});
