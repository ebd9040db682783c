import { timingSafeEqual } from 'node:crypto';
import type { Firestore } from '@google-cloud/firestore';
import { parseApiKey } from '../../api-keys/key.ts';
import { tenantDocument } from '../tenants/reference.ts';
import { readTenant } from '../tenants/store.ts';
import type { ApiKeyRecord } from './model.ts';
import { apiKeyDocument, readApiKey } from './store.ts';

/**
 * Why a key is refused. For logs: whoever presented it is told nothing but the `answer`, or a key that was revoked
 * could be told from one that never was.
 */
export type ApiKeyRefusal = 'malformed' | 'unknown' | 'revoked' | 'tenant-not-active' | 'scope';

export interface AcceptedApiKey {
  readonly accepted: true;
  readonly tenant: string;
  readonly scopes: readonly string[];
  /** Its secret and version in Secret Manager: names for logs. */
  readonly secret: string;
  readonly version: number;
}

export interface RefusedApiKey {
  readonly accepted: false;
  readonly reason: ApiKeyRefusal;
  /** HTTP's 401 and 403. */
  readonly answer: 'unauthenticated' | 'forbidden';
}

const nobody = Buffer.alloc(32);

/**
 * Whether an API key may be used for something. What can't be a key costs no read; everything else costs the same one,
 * whatever comes of it.
 *
 * @param presented as it came, of any type
 * @param scope what it is to be used for
 */
export async function verifyApiKey(
  db: Firestore,
  presented: unknown,
  scope: string,
): Promise<AcceptedApiKey | RefusedApiKey> {
  const parsed = parseApiKey(presented);
  if (parsed === undefined) return refused('malformed');
  const documents = await db.getAll(apiKeyDocument(db, parsed.hash), tenantDocument(db, parsed.tenant));
  const key = readApiKey(documents[0]);
  const tenant = readTenant(documents[1]);
  const isKnown = timingSafeEqual(parsed.hash, storedHash(key)) && key?.tenant === parsed.tenant;
  const isActive = tenant?.state === 'active' && tenant.incarnation === key?.incarnation;
  const isAllowed = key?.scopes.includes(scope) === true;
  if (!isKnown || key === undefined) return refused('unknown');
  if (key.revokedAt !== null) return refused('revoked');
  if (!isActive) return refused('tenant-not-active');
  if (!isAllowed) return refused('scope');
  const { scopes, secret, version } = key;
  return { accepted: true, tenant: key.tenant, scopes, secret, version };
}

/** Compared with even where there is none. */
function storedHash(key: ApiKeyRecord | undefined): Buffer {
  const stored = Buffer.from(key?.hash ?? '', 'hex');
  return stored.length === nobody.length ? stored : nobody;
}

function refused(reason: ApiKeyRefusal): RefusedApiKey {
  return { accepted: false, reason, answer: reason === 'scope' ? 'forbidden' : 'unauthenticated' };
}
