import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, hash } from '../../../shared/operation/canonical.ts';

/** The same value, with the keys of every object in the opposite order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).reverse();
  return Object.fromEntries(entries.map(([key, part]) => [key, reversed(part)]));
}

describe('canonical JSON', () => {
  it('is the same for equal values, whatever the order of their keys', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        expect(canonicalJson(reversed(value))).toBe(canonicalJson(value));
      }),
    );
  });

  it('is the same for equal values only', () => {
    const few = fc.jsonValue({ maxDepth: 2, stringUnit: fc.constantFrom('a', 'b') });
    fc.assert(
      fc.property(few, few, (one, another) => {
        expect(canonicalJson(one) === canonicalJson(another)).toBe(isDeepStrictEqual(one, another));
      }),
    );
  });

  it('means what the value means', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('keeps the order of lists, for it means something', () => {
    expect(canonicalJson(['b', 'a'])).toBe('["b","a"]');
  });

  it('orders the keys of objects within lists and objects', () => {
    expect(canonicalJson({ b: [{ d: 1, c: 2 }], a: { z: null, y: '' } })).toBe(
      '{"a":{"y":"","z":null},"b":[{"c":2,"d":1}]}',
    );
  });
});

describe('the hash', () => {
  it('is SHA-256 of the parts with their lengths', () => {
    // printf '3:abc' | sha256sum
    expect(hash('abc')).toBe('aab5f9ae99b2e38fb462025c8f72f570c9c811705d2a4277dc855d7fa293fe97');
  });

  it('tells the same characters in other parts apart', () => {
    expect(hash('ab', 'c')).not.toBe(hash('a', 'bc'));
    expect(hash('abc')).not.toBe(hash('ab', 'c'));
    expect(hash('a', '')).not.toBe(hash('a'));
  });

  it('is the same for equal parts only', () => {
    const parts = fc.array(fc.string({ unit: fc.constantFrom('a', '1', ':') }), { maxLength: 4 });
    fc.assert(
      fc.property(parts, parts, (one, another) => {
        expect(hash(...one) === hash(...another)).toBe(JSON.stringify(one) === JSON.stringify(another));
      }),
    );
  });

  it('counts bytes: a text and its UTF-8 have one hash', () => {
    expect(hash('Grüße')).toBe(hash(Buffer.from('Grüße')));
  });
});
