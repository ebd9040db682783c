import type {
  DocumentReference,
  DocumentSnapshot,
  Firestore,
  Query,
  Transaction,
} from '@google-cloud/firestore';
import { config } from '../../config.ts';
import { firestore } from '../../gcp/firestore.ts';
import type { OperationContext } from '../../operation/definition.ts';
import { withDates } from '../dates.ts';
import { type ApiKeyRecord, apiKeysCollection, type KeyOwner } from './model.ts';

const dayMs = 86_400_000;

/** As many as one transaction writes. */
const mostAtOnce = 200;

/** Runs a transaction: one in which an operation is held, or one that nothing stands in the way of. */
export type Transact = OperationContext['transact'];

/** The document of a key. @param hash SHA-256 of it */
export function apiKeyDocument(db: Firestore, hash: Buffer): DocumentReference {
  return db.collection(apiKeysCollection).doc(hash.toString('hex'));
}

export function readApiKey(snapshot: DocumentSnapshot | undefined): ApiKeyRecord | undefined {
  const data = snapshot?.data();
  return data === undefined ? undefined : (withDates(data) as ApiKeyRecord);
}

/** A version of a secret, with the hash of the key that it holds. */
export interface KeyVersion {
  readonly hash: Buffer;
  readonly owner: KeyOwner;
  readonly secret: string;
  readonly version: number;
}

/**
 * Has a key be accepted, in a transaction that the operation still holds. Done twice it is done once.
 *
 * @returns `revoked` where it was revoked before: nothing brings that one back
 * @throws OperationError `LEASE_LOST`
 */
export async function registerApiKey(
  operation: Pick<OperationContext, 'transact'>,
  { hash, owner, secret, version }: KeyVersion,
): Promise<'registered' | 'revoked'> {
  const ref = apiKeyDocument(await firestore(), hash);
  return operation.transact([ref], async (transaction, [snapshot]) => {
    const found = readApiKey(snapshot);
    if (found?.revokedAt) return 'revoked';
    const record: ApiKeyRecord = {
      hash: hash.toString('hex'),
      tenant: owner.id,
      incarnation: owner.incarnation,
      scopes: owner.scopes,
      secret,
      // What was rolled back to is in two versions, and works as long as the newer one.
      version: Math.max(version, found?.version ?? 0),
      createdAt: found?.createdAt ?? new Date(),
      revokedAt: null,
      expireAt: null,
    };
    transaction.set(ref, record);
    return 'registered';
  });
}

/** What is known of keys, in their order. @param hashes SHA-256 of each */
export async function readApiKeys(hashes: readonly Buffer[]): Promise<(ApiKeyRecord | undefined)[]> {
  if (hashes.length === 0) return [];
  const db = await firestore();
  return (await db.getAll(...hashes.map((hash) => apiKeyDocument(db, hash)))).map(readApiKey);
}

/** The keys of a secret that are accepted. */
export async function liveKeys(secret: string): Promise<ApiKeyRecord[]> {
  return (await live('secret', secret)).map(({ record }) => record);
}

/**
 * Revokes the keys of a secret's versions; those that are revoked stay so.
 *
 * @param concerns says which
 * @returns how many it were
 */
export async function revokeKeysOf(
  transact: Transact,
  secret: string,
  concerns: (key: ApiKeyRecord) => boolean,
): Promise<number> {
  return revoke(transact, await live('secret', secret), concerns);
}

/**
 * Revokes all keys of a tenant, and of earlier ones of the same id. Done twice it is done once.
 *
 * @returns how many it were
 * @throws OperationError `LEASE_LOST`
 */
export async function revokeApiKeys(
  { transact }: Pick<OperationContext, 'transact'>,
  { id, incarnation }: Pick<KeyOwner, 'id' | 'incarnation'>,
): Promise<number> {
  return revoke(transact, await live('tenant', id), (key) => key.incarnation <= incarnation);
}

/** A transaction of nobody's: for what is done after the operation was lost. */
export const transactAlone: Transact = async (refs, update) =>
  (await firestore()).runTransaction(async (transaction) =>
    update(transaction, await transaction.getAll(...refs)),
  );

interface LiveKey {
  readonly ref: DocumentReference;
  readonly record: ApiKeyRecord;
}

async function live(field: 'secret' | 'tenant', value: string): Promise<LiveKey[]> {
  const keys: Query = (await firestore()).collection(apiKeysCollection);
  const { docs } = await keys.where(field, '==', value).where('revokedAt', '==', null).get();
  return docs.map((document) => ({ ref: document.ref, record: withDates(document.data()) as ApiKeyRecord }));
}

async function revoke(
  transact: Transact,
  keys: readonly LiveKey[],
  concerns: (key: ApiKeyRecord) => boolean,
): Promise<number> {
  const refs = keys.filter(({ record }) => concerns(record)).map(({ ref }) => ref);
  let revoked = 0;
  for (let first = 0; first < refs.length; first += mostAtOnce) {
    const some = refs.slice(first, first + mostAtOnce);
    revoked += await transact(some, async (transaction, snapshots) =>
      revokeAll(transaction, snapshots, concerns),
    );
  }
  return revoked;
}

/** What was read before the transaction may be another key's version by now. */
function revokeAll(
  transaction: Transaction,
  snapshots: readonly DocumentSnapshot[],
  concerns: (key: ApiKeyRecord) => boolean,
): number {
  const revokedAt = new Date();
  const expireAt = new Date(revokedAt.getTime() + config().DROVER_RECORD_DAYS * dayMs);
  const found = snapshots.filter((snapshot) => {
    const key = readApiKey(snapshot);
    return key !== undefined && key.revokedAt === null && concerns(key);
  });
  for (const { ref } of found) transaction.update(ref, { revokedAt, expireAt });
  return found.length;
}
