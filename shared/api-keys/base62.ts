const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

const base = BigInt(digits.length);

/** As many characters as 32 bytes need at most. */
export const base62Length = 43;

const end = 1n << 256n;

/** 32 bytes as a number in base 62, the most significant digit first, always 43 characters. */
export function encodeBase62(bytes: Buffer): string {
  let rest = BigInt(`0x${bytes.toString('hex')}`);
  let text = '';
  for (; rest > 0n; rest /= base) text = digits.charAt(Number(rest % base)) + text;
  return text.padStart(base62Length, digits.charAt(0));
}

/** Whether 32 bytes have this as their text. */
export function isBase62(text: string): boolean {
  if (text.length !== base62Length) return false;
  let value = 0n;
  for (const character of text) {
    const digit = digits.indexOf(character);
    if (digit < 0) return false;
    value = value * base + BigInt(digit);
  }
  return value < end;
}
