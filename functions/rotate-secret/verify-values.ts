import type { OperationContext } from '../../shared/operation/definition.ts';
import type { Outcome } from '../../shared/operation/outcome.ts';
import { ownerOf, type ValueSecret } from '../../shared/secrets/managed.ts';
import { type Observation, readValue, type ValueCache } from '../../shared/secrets/observe.ts';
import { notEnabled, noteVerified } from './note-verified.ts';
import { verifyKeys } from './verify-keys.ts';

/** A secret of which only its readers know the value. */
export interface Verifying {
  readonly id: string;
  readonly managed: ValueSecret;
  readonly seen: Observation;
  readonly repair: boolean;
}

/** Of what only its reader knows, all that can be tried is reading it; of a tenant's key also whether it is accepted. */
export async function verifyValues(verifying: Verifying, operation: OperationContext): Promise<Outcome> {
  const { id, managed, seen } = verifying;
  const owner = ownerOf(managed);
  if (owner) return verifyKeys({ ...verifying, owner }, operation);
  const enabled = seen.versions.filter(({ state }) => state === 'ENABLED');
  const cache: ValueCache = new Map();
  const values = await Promise.all(enabled.map(({ number }) => readValue(id, number, cache)));
  const working = values.filter((value) => value !== undefined).length;
  const isCurrent = enabled.some(({ number }) => number === seen.current);
  if (!operation.dryRun) await noteVerified(id, managed, seen, isCurrent, operation);
  return {
    changes: [],
    notes: isCurrent ? [] : [notEnabled(id)],
    summary: {
      versions: enabled.length,
      working,
      broken: enabled.length - working + (isCurrent ? 0 : 1),
      mended: 0,
    },
  };
}
