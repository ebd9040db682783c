import { classify } from '../../shared/operation/classify.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import { LoginFenced } from '../../shared/postgres/logins/refusals.ts';
import { type Begun, beginChange, endChange } from '../../shared/registry/secrets/store.ts';
import type { ManagedSecret } from '../../shared/secrets/managed.ts';

/**
 * Makes a change to a secret under a number of its own, and under a higher one where a login carries a higher one: the
 * registry or the database was restored.
 */
export async function attemptChange<T>(
  operation: OperationContext,
  id: string,
  managed: ManagedSecret,
  change: (begun: Begun) => Promise<T>,
): Promise<T> {
  for (let atLeast = 0; ; ) {
    const begun = await beginChange(operation, id, managed, atLeast);
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
