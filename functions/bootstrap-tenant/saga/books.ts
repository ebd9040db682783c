import type { OperationError } from '../../../shared/operation/errors.ts';
import { recordable } from '../../../shared/registry/completion.ts';
import type {
  Reason,
  StepRecord,
  TenantRecord,
  TenantSettings,
  TenantState,
} from '../../../shared/registry/tenants/model.ts';
import { readStep, stepRef } from '../../../shared/registry/tenants/store.ts';
import type { Made, Saga, Step } from './step.ts';

/** Steps that the saga's own transactions are: the first and the last. */
export const reserveStep = 'reserve';
export const announceStep = 'announce';

export function freshStep(step: string, position: number, operation: string): StepRecord {
  return {
    step,
    position,
    state: 'pending',
    attempts: 0,
    operation,
    found: null,
    startedAt: null,
    finishedAt: null,
    reason: null,
  };
}

/** The reservation, which is done by being written. */
export function reserved(operation: string, found: StepRecord['found'], now: Date): StepRecord {
  const times = { startedAt: now, finishedAt: now };
  return { ...freshStep(reserveStep, 0, operation), ...times, state: 'done', attempts: 1, found };
}

export function reasonOf(error: OperationError, step: string): Reason {
  const { code, message } = recordable(error);
  return { code, message, step };
}

/**
 * Writes down that a step begins, and what was there before: the intent, before any effect. Of a tenant that never was
 * active, what an earlier operation began counts as this one's.
 *
 * @returns whether there was nothing before that
 */
export async function beginStep(saga: Saga, step: Step, found: 'absent' | 'present'): Promise<boolean> {
  const { operation, ref } = saga;
  const stepReference = stepRef(ref, step.name);
  return operation.transact([stepReference], async (transaction, [snapshot]) => {
    const known = readStep(snapshot) ?? freshStep(step.name, step.position, operation.id);
    const isResumed = isTakenBack(saga, known);
    const record: StepRecord = {
      ...known,
      state: 'running',
      attempts: (known.operation === operation.id ? known.attempts : 0) + 1,
      operation: operation.id,
      found: isResumed ? 'absent' : found,
      startedAt: new Date(),
      finishedAt: null,
    };
    transaction.set(stepReference, record);
    return record.found === 'absent';
  });
}

/** Whether what a step made goes where the bootstrap fails: it wasn't there before, and is nothing that a tenant uses. */
export function isTakenBack(
  { operation, record }: Saga,
  { operation: maker, found, state }: StepRecord,
): boolean {
  return (
    (maker === operation.id || record.state !== 'active') &&
    found === 'absent' &&
    ['running', 'failed', 'done'].includes(state)
  );
}

/** Whether a step that is done once was. */
export async function isDone({ operation, ref }: Saga, step: Step): Promise<boolean> {
  const known = readStep(await stepRef(ref, step.name).get());
  return known?.state === 'done' && (step.once === 'tenant' || known.operation === operation.id);
}

export async function endStep({ operation, ref }: Saga, step: Step, { settle }: Made): Promise<void> {
  const refs = settle?.refs ?? [];
  await operation.transact(refs, async (transaction, snapshots) => {
    settle?.write(transaction, snapshots);
    transaction.update(stepRef(ref, step.name), { state: 'done', finishedAt: new Date(), reason: null });
  });
}

/** Writes down why a step came to nothing, for this attempt or for good. */
export async function failStep({ operation, ref }: Saga, step: Step, error: OperationError): Promise<void> {
  const reason = reasonOf(error, step.name);
  const stepReference = stepRef(ref, step.name);
  await operation.transact([stepReference], async (transaction, [snapshot]) => {
    const known = readStep(snapshot) ?? freshStep(step.name, step.position, operation.id);
    // What is done once stays done, where only that could not be read.
    if (step.once === undefined || known.state !== 'done')
      transaction.set(stepReference, { ...known, state: 'failed', finishedAt: new Date(), reason });
    transaction.update(ref, { failure: reason, changedAt: new Date() });
  });
}

export async function markCompensated({ operation, ref }: Saga, step: string): Promise<void> {
  await operation.transact([], async (transaction) => {
    transaction.update(stepRef(ref, step), { state: 'compensated', finishedAt: new Date() });
  });
}

/** Says what has become of the tenant; with a last step, in the same transaction, that it is done. */
export async function setState(
  { operation, ref }: Saga,
  state: TenantState,
  fields: Partial<
    Pick<TenantRecord, 'holder' | 'failure' | 'archive' | 'removedAt' | 'before'> & TenantSettings
  >,
  last?: StepRecord,
): Promise<void> {
  await operation.transact([], async (transaction) => {
    transaction.update(ref, { state, changedAt: new Date(), ...fields });
    if (last) transaction.set(stepRef(ref, last.step), last);
  });
}
