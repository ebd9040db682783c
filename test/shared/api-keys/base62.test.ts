import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { base62Length, encodeBase62, isBase62 } from '../../../shared/api-keys/base62.ts';

const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((array) => Buffer.from(array));

/** The way back, by long division's opposite on the bytes themselves. */
function decode(text: string): Buffer {
  const decoded = Buffer.alloc(32);
  for (const character of text) {
    let carry = digits.indexOf(character);
    for (let index = 31; index >= 0; index--) {
      const value = (decoded[index] ?? 0) * 62 + carry;
      decoded[index] = value & 0xff;
      carry = value >> 8;
    }
  }
  return decoded;
}

describe('32 bytes in base 62', () => {
  it('have 43 characters, by which they are found again', () => {
    fc.assert(
      fc.property(bytes, (given) => {
        const text = encodeBase62(given);
        expect(text).toMatch(/^[0-9A-Za-z]{43}$/);
        expect(isBase62(text)).toBe(true);
        expect(decode(text).equals(given)).toBe(true);
      }),
    );
  });

  it('have them at both ends, too', () => {
    expect(encodeBase62(Buffer.alloc(32))).toBe('0'.repeat(base62Length));
    const largest = encodeBase62(Buffer.alloc(32, 0xff));
    expect(isBase62(largest)).toBe(true);
    const last = digits.indexOf(largest.slice(-1));
    expect(last).toBeLessThan(61);
    expect(isBase62(largest.slice(0, -1) + digits.charAt(last + 1))).toBe(false);
    expect(isBase62('z'.repeat(base62Length))).toBe(false);
  });

  it.each(['', '0', '0'.repeat(42), '0'.repeat(44), `${'0'.repeat(42)}-`, `${'0'.repeat(42)}é`])(
    'are not %j',
    (text) => expect(isBase62(text)).toBe(false),
  );
});
