import type { DocumentReference } from '@google-cloud/firestore';
import { setRef } from '../../shared/grants/scope.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import type { DesiredGrants } from '../../shared/postgres/grants/model.ts';
import type { Target } from '../../shared/postgres/target.ts';
import { schemasCollection } from '../../shared/registry/databases.ts';
import { beginAttempt, readSet } from '../../shared/registry/grants/store.ts';

/** The number of an attempt that no message asked for, in the document of what it is about. */
export interface Attempt {
  readonly ref: DocumentReference;
  readonly epoch: number;
  /** Its mark has to be left in the database, so that whoever is older finds it. */
  readonly outstanding: true;
}

/** An attempt at a set of grants. */
export interface NumberedGrants extends Attempt {
  readonly wanted: DesiredGrants;
  /** The number of its schema: who changes that may say who acts as the owner. */
  readonly schemaEpoch: number;
}

/** The numbers that a set and its schema had when they were read. */
export interface Known {
  readonly epoch: number;
  readonly schemaEpoch: number;
}

/**
 * Numbers an attempt at a set of grants, if nobody else has begun one, or one at its schema.
 *
 * @param atLeast the number that was found in the database
 */
export async function numberGrants(
  operation: OperationContext,
  target: Target,
  wanted: DesiredGrants,
  known: Known,
  atLeast = 0,
): Promise<NumberedGrants | undefined> {
  const { schema } = wanted;
  const scope = { ...target, schema: schema ?? null };
  const ref = await setRef(operation, scope);
  const refs = schema === undefined ? [ref] : [ref, await schemaRef(operation, { ...target, schema })];
  return operation.transact(refs, async (transaction, [snapshot, ofSchema]) => {
    const set = readSet(snapshot, scope);
    const { schemaEpoch } = known;
    if (set.epoch !== known.epoch || (ofSchema?.get('epoch') ?? 0) !== schemaEpoch) return undefined;
    const { epoch } = beginAttempt(transaction, ref, set, atLeast);
    const fence = { epoch, outstanding: true } as const;
    return { ref, ...fence, wanted: { ...wanted, fence }, schemaEpoch };
  });
}

function schemaRef(
  operation: OperationContext,
  { instance, database, schema }: Target & { readonly schema: string },
): Promise<DocumentReference> {
  return operation.registry(schemasCollection, instance, database, schema);
}

/** The same for a schema. */
export async function numberSchema(
  operation: OperationContext,
  target: Target & { readonly schema: string },
  known: number,
  atLeast = 0,
): Promise<Attempt | undefined> {
  const ref = await schemaRef(operation, target);
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
