import type { DocumentReference } from '@google-cloud/firestore';
import { setRef } from '../../shared/grants/scope.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import type { DesiredGrants } from '../../shared/postgres/grants/model.ts';
import type { Target } from '../../shared/postgres/target.ts';
import { beginAttempt, readSet } from '../../shared/registry/grants/store.ts';

/** The number of an attempt that no message asked for, in the document of what it is about. */
export interface Attempt {
  readonly ref: DocumentReference;
  readonly epoch: number;
  /** Its mark has to be left in the database, so that whoever is older finds it. */
  readonly outstanding: true;
}

export interface Numbered<T> extends Attempt {
  readonly wanted: T;
}

/**
 * Numbers an attempt at a set of grants, if nobody else has begun one.
 *
 * @param known the number that the set had when it was read
 * @param atLeast the number that was found in the database
 */
export async function numberGrants(
  operation: OperationContext,
  target: Target,
  wanted: DesiredGrants,
  known: number,
  atLeast = 0,
): Promise<Numbered<DesiredGrants> | undefined> {
  const scope = { ...target, schema: wanted.schema ?? null };
  const ref = await setRef(operation, scope);
  return operation.transact([ref], async (transaction, [snapshot]) => {
    const set = readSet(snapshot, scope);
    if (set.epoch !== known) return undefined;
    const { epoch } = beginAttempt(transaction, ref, set, atLeast);
    const fence = { epoch, outstanding: true } as const;
    return { ref, ...fence, wanted: { ...wanted, fence } };
  });
}

/** The same for a schema. */
export async function numberSchema(
  operation: OperationContext,
  { instance, database, schema }: Target & { readonly schema: string },
  known: number,
  atLeast = 0,
): Promise<Attempt | undefined> {
  const ref = await operation.registry('schemas', instance, database, schema);
  return operation.transact([ref], async (transaction, [snapshot]) => {
    if (snapshot?.get('epoch') !== known) return undefined;
    const epoch = Math.max(known, atLeast) + 1;
    transaction.update(ref, { epoch });
    return { ref, epoch, outstanding: true };
  });
}

/** Records that an attempt did what it was to do. */
export async function settleNumber(operation: OperationContext, { ref, epoch }: Attempt): Promise<void> {
  await operation.transact([ref], async (transaction, [snapshot]) => {
    const applied = (snapshot?.get('appliedEpoch') as number | undefined) ?? 0;
    if (applied < epoch) transaction.update(ref, { appliedEpoch: epoch });
  });
}
