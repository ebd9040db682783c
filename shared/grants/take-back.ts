import { firestore } from '../gcp/firestore.ts';
import type { OperationContext } from '../operation/definition.ts';
import { type GrantSet, grantsCollection } from '../registry/grants/model.ts';
import { wantedOf } from '../registry/grants/outcome.ts';
import { registerWish } from '../registry/grants/store.ts';
import { type AppliedChange, applyToSet } from './apply.ts';
import type { SetScope } from './scope.ts';

/** The sets of an instance that grant something to a principal. */
export async function setsOf(instance: string, principal: string): Promise<SetScope[]> {
  const db = await firestore();
  const { docs } = await db
    .collection(grantsCollection)
    .where('instance', '==', instance)
    .where('principals', 'array-contains', principal)
    .select('database', 'schema')
    .get();
  return docs.map((document) => ({
    instance,
    database: document.get('database') as string,
    schema: document.get('schema') as string | null,
  }));
}

/**
 * Takes all that a set grants to some principals back: in the registry, and under its number in the catalog, so that
 * neither drift nor a worker that slept brings a grant back.
 *
 * @throws OperationError, `Superseded`
 */
export function takeGrantsBack(
  operation: OperationContext,
  scope: SetScope,
  principals: readonly string[],
): Promise<AppliedChange<unknown>> {
  const { claimedActor, ...order } = operation.asked;
  const wish = (set: GrantSet) => ({
    mode: 'revoke' as const,
    author: { operation: operation.id, ...order },
    ...(claimedActor === undefined ? {} : { actor: claimedActor }),
    grants: Object.values(set.grants)
      .filter(({ principal }) => principals.includes(principal))
      .map(({ principal, kind, role }) => ({ principal, kind, role })),
    customRoles: [],
  });
  return applyToSet(operation, {
    scope,
    register: (transaction, ref, set, atLeast) => registerWish(transaction, ref, set, wish(set), atLeast),
    wanted: ({ set, superseded }) => wantedOf(set, wish(set), superseded),
    onlyTakesBack: true,
  });
}
