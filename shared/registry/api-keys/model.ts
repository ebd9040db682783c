/** Whose API key a secret holds, and what it may be used for. */
export interface KeyOwner {
  readonly id: string;
  /** Of the tenant: a key of a removed one is none of the next one with its id. */
  readonly incarnation: number;
  readonly scopes: readonly string[];
}

/**
 * The document of an API key: `apiKeys/{SHA-256 of the key, in hexadecimal}`. Never the key. Times come as Firestore
 * timestamps, and are dates once read.
 */
export interface ApiKeyRecord {
  /** The same as the document's id. */
  readonly hash: string;
  readonly tenant: string;
  readonly incarnation: number;
  readonly scopes: readonly string[];
  /** Its secret in Secret Manager, and the newest version of that with this key. */
  readonly secret: string;
  readonly version: number;
  readonly createdAt: Date;
  /** From then on it isn't accepted; it never is again. */
  readonly revokedAt: Date | null;
  /** When the record of a revoked key may be forgotten (Firestore's TTL). */
  readonly expireAt: Date | null;
}

export const apiKeysCollection = 'apiKeys';
