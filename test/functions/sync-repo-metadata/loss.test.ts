import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { refuseLoss } from '../../../functions/sync-repo-metadata/loss.ts';
import { OperationError } from '../../../shared/operation/errors.ts';

const gone = (count: number) => Array.from({ length: count }, (_, index) => ({ path: `docs/${index}.md` }));

function refusal(files: number, before: number, deleted: number, maxLoss = 0.25, allowed = false) {
  try {
    refuseLoss(files, new Map([['docs', { before, deleted: gone(deleted) }]]), maxLoss, allowed);
    return undefined;
  } catch (error) {
    return error as OperationError;
  }
}

describe('what would be lost', () => {
  it.each([
    [0, 0, 'EMPTY_SCAN'],
    [100, 100, 'EMPTY_SCAN'],
  ])('is refused where no file is found, and %i documents are there', (before, deleted, code) => {
    expect(refusal(0, before, deleted)?.code).toBe(code);
  });

  it.each([
    [100, 25, undefined],
    [100, 26, 'LOSS_TOO_GREAT'],
    [4, 3, undefined],
    [4, 4, 'LOSS_TOO_GREAT'],
    [1, 1, undefined],
  ])('of %i documents may be %i: %s', (before, deleted, code) => {
    expect(refusal(1, before, deleted)?.code).toBe(code);
  });

  it('is told by collection, with the first of the files', () => {
    const error = refusal(10, 40, 30);
    expect(error?.details?.['losses']).toEqual([
      { collection: 'docs', before: 40, deleted: 30, paths: expect.arrayContaining(['docs/0.md']) },
    ]);
    expect(error?.message).toContain('allowDeletes');
  });

  it('is nobody’s business where it is meant', () => {
    fc.assert(
      fc.property(fc.nat(50), fc.nat(50), fc.nat(50), (files, before, deleted) => {
        expect(refusal(files, before, Math.min(before, deleted), 0, true)).toBeUndefined();
      }),
    );
  });

  it('is never more than the catalog allows, nor a few', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.nat(500),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (before, some, maxLoss) => {
          const deleted = Math.min(before, some);
          const isRefused = refusal(1, before, deleted, maxLoss) instanceof OperationError;
          expect(isRefused).toBe(deleted > 3 && deleted > before * maxLoss);
        },
      ),
    );
  });
});
