import { createHash, randomBytes } from 'node:crypto';
import { tenantId } from '../tenants/id.ts';
import { base62Length, encodeBase62, isBase62 } from './base62.ts';

const separator = '_api_';

const secretBytes = 32;

/** What an API key says, without what is secret of it. */
export interface ParsedApiKey {
  readonly tenant: string;
  /** SHA-256 of the whole key. */
  readonly hash: Buffer;
}

/** What a key is known by wherever it may not be: its SHA-256. */
export function hashOf(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

/** A new API key: `{tenant}_api_{32 random bytes in base 62}`. */
export function newApiKey(tenant: string, random: (bytes: number) => Buffer = randomBytes): string {
  return `${tenant}${separator}${encodeBase62(random(secretBytes))}`;
}

const mostCharacters = 50 + separator.length + base62Length;

/**
 * Reads an API key. The secret part has a fixed length, so a tenant's id that has `_api_` in it is told from it.
 *
 * @returns undefined for whatever can't be one
 */
export function parseApiKey(presented: unknown): ParsedApiKey | undefined {
  if (typeof presented !== 'string' || presented.length > mostCharacters) return undefined;
  const end = presented.length - base62Length - separator.length;
  if (end < 0 || presented.slice(end, -base62Length) !== separator) return undefined;
  const tenant = tenantId.safeParse(presented.slice(0, end));
  if (!tenant.success || !isBase62(presented.slice(-base62Length))) return undefined;
  return { tenant: tenant.data, hash: hashOf(presented) };
}
