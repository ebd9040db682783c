import { hashOf } from '../../shared/api-keys/key.ts';
import { disableVersion } from '../../shared/gcp/secrets.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import type { Change, Note, Outcome } from '../../shared/operation/outcome.ts';
import type { KeyOwner } from '../../shared/registry/api-keys/model.ts';
import { registerApiKey, revokeKeysOf } from '../../shared/registry/api-keys/store.ts';
import { settleChange } from '../../shared/registry/secrets/store.ts';
import { attemptChange } from '../../shared/secrets/attempt.ts';
import { type Observation, observe, type ValueCache } from '../../shared/secrets/observe.ts';
import { disabled } from '../../shared/secrets/rotation.ts';
import { type InspectedKeys, type InspectedVersion, inspectKeys } from '../../shared/secrets/tenant-keys.ts';
import { copyCurrent } from '../../shared/secrets/withdraw.ts';
import { notEnabled, noteVerified } from './note-verified.ts';
import type { Verifying } from './verify-values.ts';

/** A tenant's secret, and what was found out about it. */
interface Mend {
  readonly id: string;
  readonly owner: KeyOwner;
  seen: Observation;
  readonly cache: ValueCache;
  readonly changes: Change[];
}

/**
 * Whether the registry accepts the keys of a tenant's enabled versions, and no others of the secret. `repair` brings it
 * to that, and disables versions that are of no use to anybody; what was revoked stays so.
 */
export async function verifyKeys(
  { id, managed, seen, repair, owner }: Verifying & { readonly owner: KeyOwner },
  operation: OperationContext,
): Promise<Outcome> {
  const cache: ValueCache = new Map();
  const found = await inspectKeys(id, owner, seen, cache);
  const notes = notesOn(id, seen, found);
  if (notes.length === 0 || !repair || operation.dryRun) {
    if (!operation.dryRun) await noteVerified(id, managed, seen, notes.length === 0, operation);
    return { changes: [], notes, summary: summaryOf(found, notes, 0) };
  }
  return attemptChange(operation, id, managed, async () => {
    // Until it was begun, others may have changed the secret.
    const mend: Mend = { id, owner, seen: await observe(id), cache, changes: [] };
    await mendKeys(mend, operation);
    const seen = await observe(id);
    const left = await inspectKeys(id, owner, seen, cache);
    const leftNotes = notesOn(id, seen, left);
    const event = { action: 'verify' as const, detail: 'repaired' };
    await settleChange(operation, id, { event, managed, fields: { current: seen.current ?? null } });
    const { changes } = mend;
    const message = `What could be mended of the keys of ${id} is.`;
    return {
      changes,
      notes: [...leftNotes, ...(changes.length > 0 ? [{ code: 'VERSION_MENDED', message }] : [])],
      summary: summaryOf(left, leftNotes, changes.length),
    };
  });
}

async function mendKeys(mend: Mend, { transact, assertHeld }: OperationContext): Promise<void> {
  const { id, owner, seen, cache, changes } = mend;
  const { versions, leftover } = await inspectKeys(id, owner, seen, cache);
  for (const version of versions) {
    if (version.state !== 'unregistered') continue;
    const { key, number } = version;
    await registerApiKey({ transact }, { hash: hashOf(key), owner, secret: id, version: number });
    changes.push({ action: 'create', kind: 'API key', name: `${id}/${number}`, detail: 'registered' });
  }
  const hashes = new Set(leftover.map(({ hash }) => hash));
  await revokeKeysOf(transact, id, ({ hash }) => hashes.has(hash));
  for (const { version } of leftover)
    changes.push({ action: 'revoke', kind: 'API key', name: `${id}/${version}` });
  for (const { number } of uselessVersions(versions, seen)) {
    assertHeld();
    // First, so that `latest` doesn't lead to what is disabled.
    if (seen.versions[0]?.number === number) await copyCurrent(mend);
    await disableVersion(id, number);
    changes.push(disabled(id, number));
  }
}

/** The current one isn't touched: only a rotation can replace it. */
function uselessVersions(versions: readonly InspectedVersion[], { current }: Observation) {
  const currentWorks = versions.some(({ number, state }) => number === current && state !== 'unusable');
  return versions.filter((one) => one.state === 'unusable' && one.isUseless && currentWorks);
}

function notesOn(id: string, { current }: Observation, { versions, leftover }: InspectedKeys): Note[] {
  const broken = versions.flatMap((version) => {
    if (version.state === 'accepted') return [];
    const why = version.state === 'unusable' ? version.problem : 'its key is not registered';
    return [{ code: 'VERSION_BROKEN', message: `Version ${version.number} of ${id} is enabled and ${why}.` }];
  });
  const live = leftover.map(({ version }) => ({
    code: 'API_KEY_LIVE',
    message: `The key of version ${version} of ${id} is still accepted, and the version is not enabled.`,
  }));
  const isEnabled = versions.some(({ number }) => number === current);
  return [...broken, ...live, ...(isEnabled ? [] : [notEnabled(id)])];
}

function summaryOf({ versions }: InspectedKeys, notes: readonly Note[], mended: number) {
  const working = versions.filter(({ state }) => state === 'accepted').length;
  return { versions: versions.length, working, broken: notes.length, mended };
}
