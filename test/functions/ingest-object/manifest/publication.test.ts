import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decidePart,
  type Generation,
  operationIdOf,
  operationIdsOf,
} from '../../../../functions/ingest-object/manifest/publication.ts';
import type { OperationState } from '../../../../shared/registry/operations.ts';

const generation: Generation = {
  event: 'OBJECT_FINALIZE',
  bucket: 'uploads',
  object: 'manifests/a.yaml',
  generation: '7',
  round: 1,
};

const anyState = fc.constantFrom<OperationState | undefined>(
  ...(['running', 'pending', 'deferred', 'succeeded', 'failed', undefined] as const),
);

describe('the id of a manifest’s operation', () => {
  it('is the same each time, and another one for anything else', () => {
    const part = fc.record({
      object: fc.constantFrom('a', 'b', 'ab'),
      generation: fc.constantFrom('1', '11'),
      event: fc.constantFrom('OBJECT_FINALIZE', 'OBJECT_DELETE'),
      key: fc.constantFrom('schema a', 'schema aa'),
      index: fc.constantFrom(0, 1, 10),
      round: fc.constantFrom(1, 2, 11),
    });
    const idOf = ({
      key,
      index,
      round,
      ...more
    }: Record<string, unknown> & { key: string; index: number; round: number }) =>
      operationIdOf({ ...generation, ...more }, key, index, round);
    fc.assert(
      fc.property(part, part, (one, other) => {
        expect(idOf(one)).toMatch(/^m-[0-9a-f]{40}(-\d+)?$/);
        expect(idOf(one) === idOf(other)).toBe(JSON.stringify(one) === JSON.stringify(other));
      }),
    );
  });

  it('is looked for among the last rounds, the newest first', () => {
    const all = Array.from({ length: 9 }, (_, index) => operationIdOf(generation, 'k', 0, index + 1));
    expect(operationIdsOf({ ...generation, round: 2 }, 'k', 0)).toEqual([all[1], all[0]]);
    expect(operationIdsOf({ ...generation, round: 9 }, 'k', 0)).toEqual(all.slice(4).reverse());
  });
});

describe('what is done about a part', () => {
  it('of which this round sent the operation is to follow that, whatever became of it', () => {
    fc.assert(
      fc.property(fc.boolean(), fc.boolean(), anyState, fc.array(anyState), (differs, forced, own, rest) => {
        fc.pre(own !== undefined);
        expect(decidePart({ differs, forced, states: [own, ...rest] })).toEqual({ kind: 'follow', back: 0 });
      }),
    );
  });

  it('that nobody sent is to send what differs, or all where that is not to be relied on', () => {
    const decide = (differs: boolean, forced: boolean) =>
      decidePart({ differs, forced, states: [undefined] }).kind;
    expect([decide(true, false), decide(false, true), decide(false, false)]).toEqual([
      'send',
      'send',
      'nothing',
    ]);
  });

  it.each([
    [true, false, 'failed', { kind: 'send' }],
    [false, false, 'failed', { kind: 'nothing' }],
    [false, true, 'failed', { kind: 'send' }],
    [true, false, 'succeeded', { kind: 'send' }],
    [false, true, 'succeeded', { kind: 'follow', back: 2 }],
    [true, true, 'running', { kind: 'follow', back: 2 }],
  ] as const)(
    'that an earlier round sent (differs %s, forced %s, %s)',
    (differs, forced, state, decision) => {
      expect(decidePart({ differs, forced, states: [undefined, undefined, state, 'failed'] })).toEqual(
        decision,
      );
    },
  );
});
