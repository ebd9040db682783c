import { hashOf, newApiKey } from '../api-keys/key.ts';
import { type Opened, open, seal, type Unopened } from '../api-keys/seal.ts';
import type { OperationContext } from '../operation/definition.ts';
import type { ApiKeyRecord, KeyOwner } from '../registry/api-keys/model.ts';
import {
  liveKeys,
  readApiKeys,
  registerApiKey,
  revokeKeysOf,
  transactAlone,
} from '../registry/api-keys/store.ts';
import { type Observation, readValue, refuseUnusable, type ValueCache } from './observe.ts';
import { lookAgain, type Rotation } from './rotation.ts';

/** A value for Secret Manager; of a tenant's secret with the key that is sealed in it. */
export interface NewValue {
  readonly value: Buffer;
  readonly key?: string;
}

/** A new API key of a tenant, encrypted. */
export async function newTenantKey({ id }: KeyOwner): Promise<NewValue> {
  const key = newApiKey(id);
  return { value: await seal(id, key), key };
}

/**
 * Has the key of a version be accepted, before anybody is told of it.
 *
 * @param known the key, where this attempt made it; else the version is opened
 * @throws OperationError `SECRET_UNREADABLE` for a version whose key can't work
 */
export async function registerVersion(
  { id, operation, cache }: Pick<Rotation, 'id' | 'operation' | 'cache'>,
  owner: KeyOwner,
  version: number,
  known: string | undefined,
): Promise<void> {
  const opened = known === undefined ? await openVersion(id, owner, version, cache) : { key: known };
  if ('problem' in opened) return refuseUnusable(id, [{ number: version, problem: opened.problem }]);
  const hash = hashOf(opened.key);
  const state = await registerApiKey(operation, { hash, owner, secret: id, version });
  if (state === 'revoked') refuseUnusable(id, [{ number: version, problem: revoked }]);
}

const revoked = 'holds an API key that was revoked';

/** Revokes the key of a version that was taken back; the operation may be another worker's by now. */
export async function revokeWithdrawn(rotation: Rotation, version: number): Promise<void> {
  await lookAgain(rotation);
  const { versions, current } = rotation.seen;
  const isEnabled = versions.some(({ number, state }) => number === version && state === 'ENABLED');
  if (isEnabled || version === current) return;
  await revokeKeysOf(transactAlone, rotation.id, (key) => key.version === version);
}

/** Revokes the keys that the current one has replaced. */
export async function revokeReplaced(
  id: string,
  { current = 0 }: Observation,
  { transact }: Pick<OperationContext, 'transact'>,
): Promise<void> {
  await revokeKeysOf(transact, id, ({ version }) => version < current);
}

/** Whether the key that applications are told to use is accepted. */
export async function isCurrentAccepted(id: string, { current, versions }: Observation): Promise<boolean> {
  const isEnabled = versions.some(({ number, state }) => number === current && state === 'ENABLED');
  return isEnabled && (await liveKeys(id)).some(({ version }) => version === current);
}

/** An enabled version of a tenant's secret: its key is accepted, or could be, or has a problem. */
export type InspectedVersion = { readonly number: number } & (
  | { readonly state: 'accepted' | 'unregistered'; readonly key: string }
  | ({ readonly state: 'unusable' } & Unopened)
);

export interface InspectedKeys {
  readonly versions: readonly InspectedVersion[];
  /** Keys that are accepted though no enabled version has them. */
  readonly leftover: readonly ApiKeyRecord[];
}

/** Compares the versions of a tenant's secret with the registry. */
export async function inspectKeys(
  id: string,
  owner: KeyOwner,
  seen: Observation,
  cache: ValueCache,
): Promise<InspectedKeys> {
  const enabled = seen.versions.filter(({ state }) => state === 'ENABLED').map(({ number }) => number);
  const opened = await Promise.all(
    enabled.map(async (number) => ({ number, ...(await openVersion(id, owner, number, cache)) })),
  );
  const keys = opened.filter((one) => 'key' in one);
  const [records, live] = await Promise.all([readApiKeys(keys.map(({ key }) => hashOf(key))), liveKeys(id)]);
  const known = new Map(keys.map(({ number }, index) => [number, records[index]]));
  const versions = opened.map((one): InspectedVersion => {
    const { number } = one;
    if ('problem' in one) return { ...one, state: 'unusable' };
    const record = known.get(number);
    if (record?.revokedAt) return { number, state: 'unusable', problem: revoked, isUseless: true };
    return { number, key: one.key, state: isOf(owner, record) ? 'accepted' : 'unregistered' };
  });
  const hashes = new Set(records.map((record) => record?.hash));
  const leftover = live.filter(({ hash, version }) => !hashes.has(hash) && !enabled.includes(version));
  return { versions, leftover };
}

/** Whether a key is registered as the owner's, as the secret says who that is. */
function isOf({ id, incarnation, scopes }: KeyOwner, record: ApiKeyRecord | undefined): boolean {
  return (
    record?.tenant === id &&
    record.incarnation === incarnation &&
    JSON.stringify(record.scopes) === JSON.stringify(scopes)
  );
}

async function openVersion(id: string, owner: KeyOwner, version: number, cache: ValueCache): Promise<Opened> {
  const value = await readValue(id, version, cache);
  return value === undefined
    ? { problem: 'was disabled meanwhile', isUseless: false }
    : open(owner.id, value);
}
