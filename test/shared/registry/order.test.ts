import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Order } from '../../../shared/registry/claims.ts';
import { isOlder } from '../../../shared/registry/intents.ts';

const publishedAt = fc.integer({ min: 0, max: 5 }).map((day) => new Date(Date.UTC(2026, 0, day + 1)));
const timed: fc.Arbitrary<Order> = fc.record({ publishedAt });
const revised = fc.record({ publishedAt, revision: fc.nat({ max: 5 }) });
const order = fc.oneof(timed, revised);

describe('the order of wishes', () => {
  it('has nothing older than itself', () => {
    fc.assert(
      fc.property(order, (wish) => {
        expect(isOlder(wish, wish)).toBe(false);
      }),
    );
  });

  it('never has each of two older than the other', () => {
    fc.assert(
      fc.property(order, order, (one, other) => {
        expect(isOlder(one, other) && isOlder(other, one)).toBe(false);
      }),
    );
  });

  it('is by revision where both have one, whatever their times', () => {
    fc.assert(
      fc.property(revised, revised, (one, other) => {
        fc.pre(one.revision !== other.revision);
        expect(isOlder(one, other)).toBe(one.revision < other.revision);
      }),
    );
  });

  it('is by time where one of them has no revision', () => {
    fc.assert(
      fc.property(timed, order, (one, other) => {
        expect(isOlder(one, other)).toBe(one.publishedAt < other.publishedAt);
        expect(isOlder(other, one)).toBe(other.publishedAt < one.publishedAt);
      }),
    );
  });

  it('is by time where the revisions are equal', () => {
    fc.assert(
      fc.property(revised, publishedAt, (one, time) => {
        expect(isOlder(one, { ...one, publishedAt: time })).toBe(one.publishedAt < time);
      }),
    );
  });
});
