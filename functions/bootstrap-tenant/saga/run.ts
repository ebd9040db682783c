import { classify } from '../../../shared/operation/classify.ts';
import { OperationError } from '../../../shared/operation/errors.ts';
import type { Change } from '../../../shared/operation/outcome.ts';
import type { Reason } from '../../../shared/registry/tenants/model.ts';
import { readSteps } from '../../../shared/registry/tenants/store.ts';
import { beginStep, endStep, failStep, isDone, isTakenBack, markCompensated } from './books.ts';
import type { Made, Saga, Step } from './step.ts';

/**
 * Runs steps, each as soon as those that it needs are done. Where one fails, those under way come to their end, and no
 * more are begun.
 *
 * @returns what came of each, in the order of the steps
 * @throws OperationError of the step that failed for good, else of the first that failed
 */
export async function runSteps(saga: Saga, steps: readonly Step[]): Promise<Made[]> {
  const { operation } = saga;
  let failed = false;
  const running = new Map<string, Promise<Made>>();
  for (const step of steps) {
    const before = step.needs.flatMap((name) => running.get(name) ?? []);
    const run = async () => {
      // One that a step needs and that failed is told once, by itself.
      await Promise.all(before).catch(() => undefined);
      if (failed) throw new NotBegun(step.name);
      operation.signal.throwIfAborted();
      return runStep(saga, step);
    };
    const ran = run().catch((error: unknown) => {
      failed = true;
      throw error;
    });
    running.set(step.name, ran);
  }
  const results = await Promise.allSettled(running.values());
  operation.signal.throwIfAborted();
  const errors = results.flatMap((result) =>
    result.status === 'rejected' && !(result.reason instanceof NotBegun) ? [classify(result.reason)] : [],
  );
  const [first] = errors;
  const decisive = errors.find(({ retryable }) => !retryable) ?? first;
  if (decisive) throw decisive;
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

/** Thrown by a step that was to come after one that failed. */
class NotBegun extends Error {
  override readonly name = 'NotBegun';
}

async function runStep(saga: Saga, step: Step): Promise<Made> {
  try {
    if (step.once && (await isDone(saga, step))) return { changes: [] };
    const begun = await beginStep(saga, step, await step.look(saga));
    const made = await step.make(saga, begun);
    await endStep(saga, step, made);
    return made;
  } catch (error) {
    const { signal } = saga.operation;
    const classified = classify(signal.aborted ? signal.reason : error);
    // Who lost the lease may not write, and where Firestore is what fails there is nothing to write to.
    if (!signal.aborted) await failStep(saga, step, classified).catch(() => undefined);
    throw withStep(classified, step.name);
  }
}

/** Says in the error which step it is about. */
function withStep(error: OperationError, step: string): OperationError {
  const { code, message, retryable, details } = error;
  return new OperationError(code, `${step}: ${message}`, {
    retryable,
    details: { ...details, step },
    cause: error,
  });
}

export interface Compensated {
  readonly changes: readonly Change[];
  /** What could not be taken back, and why. */
  readonly left: readonly Reason[];
}

/**
 * Takes back what was not there before, the last first. Run again after a crash, it goes on with what is left.
 *
 * @throws OperationError (retryable) of what may be possible later
 */
export async function compensate(saga: Saga, steps: readonly Step[]): Promise<Compensated> {
  const { operation, ref } = saga;
  const records = await readSteps(ref);
  const mine = new Set(records.filter((one) => isTakenBack(saga, one)).map(({ step }) => step));
  const changes: Change[] = [];
  const left: Reason[] = [];
  for (const step of steps.toReversed()) {
    if (!mine.has(step.name) || !step.applies(saga.record)) continue;
    try {
      operation.signal.throwIfAborted();
      operation.assertHeld();
      changes.push(...(await step.undo(saga)));
      await markCompensated(saga, step.name);
    } catch (error) {
      const classified = classify(operation.signal.aborted ? operation.signal.reason : error);
      if (classified.retryable) throw classified;
      left.push({ code: classified.code, message: classified.message, step: step.name });
    }
  }
  return { changes, left };
}
