import { classify } from '../../shared/operation/classify.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import { LoginFenced } from '../../shared/postgres/logins/refusals.ts';
import type { SecretEvent } from '../../shared/registry/secrets/model.ts';
import { type Begun, beginChange, settleChange } from '../../shared/registry/secrets/store.ts';
import type { ManagedSecret } from '../../shared/secrets/managed.ts';
import { againAt } from '../../shared/secrets/schedule.ts';

/**
 * Makes a change to a secret under a number of its own, and under a higher one where a login carries a higher one: the
 * registry or the database was restored. What fails for good is written into the secret's history.
 */
export async function attemptChange<T>(
  operation: OperationContext,
  {
    id,
    managed,
    action,
    scheduled,
  }: {
    readonly id: string;
    readonly managed: ManagedSecret;
    readonly action: SecretEvent['action'];
    readonly scheduled: boolean;
  },
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
      const { code, retryable } = classify(error);
      if (!retryable && !operation.signal.aborted) {
        const failures = begun.record.failures + 1;
        const fields = scheduled ? { failures, nextRotation: againAt(new Date(), failures) } : { failures };
        const actor = operation.asked.claimedActor;
        const event = { action, code, ...(actor === undefined ? {} : { actor }) };
        await settleChange(operation, id, { event, managed, fields });
      }
      throw error;
    }
  }
}
