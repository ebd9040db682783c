import type { OperationContext } from '../../shared/operation/definition.ts';
import type { Note } from '../../shared/operation/outcome.ts';
import { readSecretRecord, secretRef, settleChange } from '../../shared/registry/secrets/store.ts';
import type { ManagedSecret } from '../../shared/secrets/managed.ts';
import type { Observation } from '../../shared/secrets/observe.ts';

/** Writes down what is broken; and makes a record that was lost anew. */
export async function noteVerified(
  id: string,
  managed: ManagedSecret,
  { current, previous }: Observation,
  fine: boolean,
  operation: OperationContext,
): Promise<void> {
  const known = readSecretRecord(await (await secretRef(operation, id)).get());
  if (fine && known) return;
  const event = { action: 'verify' as const, ...(fine ? {} : { code: 'VERSION_BROKEN' }) };
  const fields = { current: current ?? null, previous: previous ?? null };
  await settleChange(operation, id, { event, managed, fields });
}

/** Said of a secret whose current version isn't enabled. */
export function notEnabled(id: string): Note {
  const message = `The current version of ${id} is not enabled. Rotate it: drover secrets rotate ${id}`;
  return { code: 'CURRENT_BROKEN', message };
}
