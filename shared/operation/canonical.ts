import { createHash } from 'node:crypto';

/**
 * JSON with its keys in order, so that equal values have equal text (the idea of RFC 8785; numbers and strings are
 * as JSON.stringify writes them, which is what that RFC prescribes too).
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    part !== null && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

/** SHA-256 in hexadecimal. Parts are told apart: `['ab', 'c']` and `['a', 'bc']` differ. */
export function hash(...parts: readonly (string | Buffer)[]): string {
  const sha = createHash('sha256');
  for (const part of parts) {
    sha.update(String(Buffer.byteLength(part))).update(':');
    sha.update(part);
  }
  return sha.digest('hex');
}
