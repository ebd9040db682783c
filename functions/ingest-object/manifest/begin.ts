import { findObject } from '../../../shared/gcp/storage/objects.ts';
import { classify } from '../../../shared/operation/classify.ts';
import type { OperationContext } from '../../../shared/operation/definition.ts';
import { OperationError } from '../../../shared/operation/errors.ts';
import { hasEnded } from '../../../shared/registry/grants/store.ts';
import type { ClaimConflict, Late } from '../../../shared/registry/manifests/decide.ts';
import type { ManifestPlace } from '../../../shared/registry/manifests/model.ts';
import {
  type Beginning,
  type BegunManifest,
  beginManifest,
  manifestRef,
  readManifestRecord,
  stampOf,
} from '../../../shared/registry/manifests/store.ts';
import { operationsCollection } from '../../../shared/registry/operations.ts';
import { claimInWords } from './claims.ts';

/** More than anybody reads. */
const mostNamed = 20;

/**
 * Begins a generation. What a manifest claims whose object is gone is taken over.
 *
 * @throws OperationError `CLAIMED`; `CLAIM_BUSY` (retryable) while the other one is being applied, and may let go of it
 */
export async function beginOrRefuse(
  operation: OperationContext,
  beginning: Beginning,
): Promise<BegunManifest | Late> {
  const gone = new Map<string, string>();
  for (;;) {
    const begun = await beginManifest(operation, beginning, (holder) => gone.get(keyOf(holder)));
    if (begun.kind !== 'conflict') return begun;
    // Before they are looked for: whoever is uploaded after that is begun after that, too.
    const stamps = new Map<string, string>();
    for (const { holder } of begun.conflicts) {
      if (!stamps.has(keyOf(holder))) stamps.set(keyOf(holder), await stampNow(holder, operation));
    }
    const left = await conflictsLeft(begun.conflicts, operation);
    if (left.length > 0) throw await refusal(left, operation);
    for (const [key, stamp] of stamps) gone.set(key, stamp);
  }
}

async function stampNow(holder: ManifestPlace, operation: OperationContext): Promise<string> {
  return stampOf(readManifestRecord(await (await manifestRef(operation, holder)).get()));
}

/** Those with manifests that are still there. */
export async function conflictsLeft(
  conflicts: readonly ClaimConflict[],
  { signal }: Pick<OperationContext, 'signal'>,
): Promise<ClaimConflict[]> {
  const holders = new Map(conflicts.map(({ holder }) => [keyOf(holder), holder]));
  const present = new Set<string>();
  for (const [key, holder] of holders) if (await isThere(holder, signal)) present.add(key);
  return conflicts.filter(({ holder }) => present.has(keyOf(holder)));
}

/** Where that can't be looked at, it may be. */
async function isThere({ bucket, object }: ManifestPlace, signal: AbortSignal): Promise<boolean> {
  try {
    return (await findObject({ bucket, name: object }, signal)) !== undefined;
  } catch (error) {
    if (signal.aborted || classify(error).retryable) throw error;
    return true;
  }
}

/** Why something can't be had, in words. */
export function conflictInWords({ scope, name, holder }: ClaimConflict): string {
  return `${claimInWords(scope, name)} is gs://${holder.bucket}/${holder.object}’s`;
}

async function refusal(
  conflicts: readonly ClaimConflict[],
  operation: OperationContext,
): Promise<OperationError> {
  const list = conflicts.slice(0, mostNamed).map(conflictInWords).join('; ');
  const problems = conflicts
    .slice(0, mostNamed)
    .map((one) => ({ path: one.name, message: conflictInWords(one) }));
  if (await mayLetGo(conflicts, operation)) {
    const message = `Another manifest is being applied that speaks of the same: ${list}. This one waits for its end.`;
    return new OperationError('CLAIM_BUSY', message, { retryable: true, details: { problems } });
  }
  return new OperationError(
    'CLAIMED',
    `Another manifest speaks of the same: ${list}. Take it out of one of the two, and upload that again.`,
    { details: { problems } },
  );
}

/** All of them are in the hands of operations that have not ended. */
async function mayLetGo(conflicts: readonly ClaimConflict[], operation: OperationContext): Promise<boolean> {
  const holders = new Map(conflicts.map(({ holder }) => [keyOf(holder), holder]));
  for (const holder of holders.values()) {
    const ref = await manifestRef(operation, holder);
    const record = readManifestRecord(await ref.get());
    if (record === undefined || record.settled) return false;
    const at = await ref.firestore.collection(operationsCollection).doc(record.operation).get();
    if (hasEnded(at)) return false;
  }
  return true;
}

function keyOf({ bucket, object }: ManifestPlace): string {
  return JSON.stringify([bucket, object]);
}
