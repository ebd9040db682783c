import { classify } from '../operation/classify.ts';
import type { OperationContext } from '../operation/definition.ts';
import { OperationError } from '../operation/errors.ts';
import type { Outcome } from '../operation/outcome.ts';
import { LoginFenced } from '../postgres/logins/refusals.ts';
import { type Begun, beginChange, endChange } from '../registry/secrets/store.ts';
import type { ManagedSecret } from './managed.ts';

/**
 * Makes a change to a secret under a number of its own, and under a higher one where a login carries a higher one: the
 * registry or the database was restored.
 */
export async function attemptChange(
  operation: OperationContext,
  id: string,
  managed: ManagedSecret,
  change: (begun: Begun) => Promise<Outcome>,
): Promise<Outcome> {
  for (let atLeast = 0; ; ) {
    const begun = await beginChange(operation, id, managed, atLeast);
    // What an attempt before this one changed was lost with it; that it is done isn't.
    if (begun.settled) return { changes: [], summary: { version: begun.settled.version ?? 0 } };
    try {
      return await change(begun);
    } catch (error) {
      if (error instanceof LoginFenced && error.epoch > atLeast) {
        atLeast = error.epoch;
        continue;
      }
      if (!operation.signal.aborted && !classify(error).retryable) await endChange(operation, begun.ref);
      throw error;
    }
  }
}

/** What a schedule asked for, twice perhaps, waits for what is under way, and then finds that it was done or does it. */
export function afterTheOther(error: unknown): unknown {
  if (!(error instanceof OperationError) || error.code !== 'ROTATION_UNDER_WAY') return error;
  const { code, message, details = {} } = error;
  return new OperationError(code, message, { retryable: true, details, cause: error });
}
