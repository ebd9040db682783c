import type { Firestore, Transaction } from '@google-cloud/firestore';
import { classify } from '../operation/classify.ts';
import type { OperationContext } from '../operation/definition.ts';
import { convergeGrants, GrantsFenced } from '../postgres/grants/converge.ts';
import { foundEpoch, isWantedAt } from '../postgres/grants/found.ts';
import { withdraw } from '../registry/grants/merge.ts';
import { type GrantSet, openOperations } from '../registry/grants/model.ts';
import { wantedWithout } from '../registry/grants/outcome.ts';
import { beginAttempt, hasEnded, type Registered, readSet } from '../registry/grants/store.ts';
import { operationsCollection } from '../registry/operations.ts';
import { desiredOf, type SetScope, setRef } from './scope.ts';
import { endActingSessions } from './sessions.ts';

type Begun = Pick<Registered, 'set' | 'epoch'> & { readonly operations: readonly string[] };

interface PutBack {
  /** The number that the catalog has now. */
  readonly epoch: number;
  readonly reached: boolean;
}

/**
 * Takes what operations want of a set out of the registry, and out of the catalog where an attempt got that far: it turned
 * out to be impossible, or they ended without having settled it.
 *
 * @param operations this one, or others; of these only those that have ended
 * @throws OperationError where it has to be tried again
 */
export async function undo(
  operation: OperationContext,
  scope: SetScope,
  operations: readonly string[],
): Promise<void> {
  for (let atLeast = 0; ; ) {
    const begun = await begin(operation, scope, operations, atLeast);
    if (begun === undefined) return;
    try {
      const put = await putBack(operation, scope, begun);
      await forget(operation, scope, begun.operations, put);
      return;
    } catch (error) {
      if (!(error instanceof GrantsFenced) || error.epoch <= atLeast) throw error;
      atLeast = error.epoch;
    }
  }
}

async function begin(
  operation: OperationContext,
  scope: SetScope,
  asked: readonly string[],
  atLeast: number,
): Promise<Begun | undefined> {
  const ref = await setRef(operation, scope);
  return operation.transact([ref], async (transaction, [snapshot]) => {
    const set = readSet(snapshot, scope);
    const open = openOperations(set).filter((id) => asked.includes(id));
    const operations = await stillOver(transaction, ref.firestore, open, operation.id);
    if (operations.length === 0) return undefined;
    return { set, operations, ...beginAttempt(transaction, ref, set, atLeast) };
  });
}

/** Those of others that have ended; one that is replayed just now does by itself what it wants. */
async function stillOver(
  transaction: Transaction,
  db: Firestore,
  operations: readonly string[],
  own: string,
): Promise<string[]> {
  const others = operations.filter((id) => id !== own);
  const records = db.collection(operationsCollection);
  const found = others.length === 0 ? [] : await transaction.getAll(...others.map((id) => records.doc(id)));
  const goOn = found.filter((record) => !hasEnded(record)).map(({ id }) => id);
  return operations.filter((id) => !goOn.includes(id));
}

/**
 * First the mark: from then on no attempt that sleeps can reach the catalog any more. What the mark was before says
 * whether one has. If none has, what is there isn't theirs.
 *
 * @returns undefined where it can't be put back
 */
async function putBack(
  operation: OperationContext,
  scope: SetScope,
  { set, epoch, operations }: Begun,
): Promise<PutBack | undefined> {
  const fence = { epoch, outstanding: true };
  const nothing = { grants: [], customRoles: [], surplus: 'ignore' as const, undecided: [] };
  const marking = desiredOf(scope, nothing, fence);
  try {
    const marked = await convergeGrants(operation.pools, scope, [marking], operation);
    const mark = foundEpoch(marking, marked.found);
    // A mark above all the registry's numbers is none of theirs: the registry was restored from a backup.
    const reached = set.reached === true || (mark > set.appliedEpoch && mark <= set.epoch);
    if (reached) {
      const before = desiredOf(scope, wantedWithout(set, operations), fence);
      const { plans, found } = await convergeGrants(operation.pools, scope, [before], operation);
      const resumed = before.grants.filter((grant) => !isWantedAt(found, grant));
      await endActingSessions(operation, scope, found, [{ scope: before, plan: plans[0], resumed }]);
    }
    return { epoch, reached };
  } catch (error) {
    const { code, message, retryable } = classify(error);
    if (retryable) throw error;
    operation.log.log('WARNING', 'grants not put back', { code, problem: message });
    return undefined;
  }
}

async function forget(
  operation: OperationContext,
  scope: SetScope,
  operations: readonly string[],
  { epoch, reached }: PutBack = { epoch: 0, reached: false },
): Promise<void> {
  const ref = await setRef(operation, scope);
  await operation.transact([ref], async (transaction, [snapshot]) => {
    const found = readSet(snapshot, scope);
    const over = await stillOver(transaction, ref.firestore, operations, operation.id);
    const marked = {
      ...found,
      appliedEpoch: Math.max(found.appliedEpoch, epoch),
      // Others may have been there as well, and the mark doesn't tell any more.
      reached: found.reached === true || reached,
    };
    transaction.set(ref, over.reduce<GrantSet>(withdraw, marked));
  });
}
