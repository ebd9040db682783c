import type { DocumentReference } from '@google-cloud/firestore';
import {
  type OperationRecord,
  operationDocumentId,
  operationsCollection,
} from '../../../shared/registry/operations.ts';
import type { Compared, Refusal } from './compare/model.ts';
import { type Derived, functionOf } from './derived.ts';
import { decidePart, type Generation, operationIdsOf } from './publication.ts';
import type { ScheduledStep, StepState } from './schedule.ts';
import { readAll } from './state.ts';

/** One message of a manifest, and the operation that it is or may become. */
export interface Step extends ScheduledStep {
  readonly key: string;
  /** Undefined where there is nothing to send. */
  readonly derived: Derived | undefined;
  /** The publisher's id. */
  readonly operationId: string;
  /** Of its record. */
  readonly ref: DocumentReference;
  /** Whose operation it is, if a tenant's. */
  readonly tenant: string | undefined;
  /** What it is dated, where that isn't when the manifest was uploaded. */
  readonly dated?: Date | undefined;
}

/** What a run knows of its steps. */
export interface Progress {
  readonly steps: readonly Step[];
  readonly states: Map<string, StepState>;
  /** Of those that were sent. */
  readonly records: Map<string, OperationRecord>;
  /** Of those that were skipped: the step in the way. */
  readonly because: Map<string, string>;
  /** Of those that failed without being sent: why. */
  readonly refused: Map<string, Refusal>;
  /** Of those that were sent: how many of their grants were over by then. */
  readonly over: Map<string, number>;
}

/**
 * The steps of a manifest's items, with what became of those that an earlier attempt sent.
 *
 * @param db any document of the registry's database
 */
export async function planSteps(
  compared: readonly Compared[],
  generation: Generation,
  forced: boolean,
  { firestore: db }: Pick<DocumentReference, 'firestore'>,
): Promise<Progress> {
  const { tenant } = generation;
  const parts = compared.flatMap(({ wanted, parts: all, refusals }) => {
    const refusal = refusals.find(({ isFinal }) => isFinal);
    return all.map((part) => ({ wanted, part, refusal }));
  });
  const idsOf = new Map<string, string[]>();
  for (const { wanted, part } of parts) {
    const ids = idsOf.get(wanted.key) ?? [];
    idsOf.set(wanted.key, [...ids, stepId(wanted.key, part.index)]);
  }
  const operations = parts.map(({ wanted, part }) =>
    operationIdsOf(generation, wanted.key, part.index).map((operationId) => {
      const request = { operationId, dryRun: false, ...(tenant === undefined ? {} : { tenant }) };
      const id = operationDocumentId(functionOf(wanted), request);
      return { operationId, ref: db.collection(operationsCollection).doc(id) };
    }),
  );
  const snapshots = await readAll(operations.flat().map(({ ref }) => ref));
  const found = new Map(
    snapshots.map((one) => [one.ref.id, one.data() as OperationRecord | undefined] as const),
  );
  const progress: Progress = {
    steps: [],
    states: new Map(),
    records: new Map(),
    because: new Map(),
    refused: new Map(),
    over: new Map(),
  };
  const steps = parts.map(({ wanted, part, refusal }, at): Step => {
    const id = stepId(wanted.key, part.index);
    const own = operations[at] ?? [];
    const states = own.map(({ ref }) => found.get(ref.id)?.state);
    const isForced = forced && part.whole !== undefined;
    const decision = decidePart({ differs: part.derived !== undefined, forced: isForced, states });
    const chosen = own[decision.kind === 'follow' ? decision.back : 0];
    if (chosen === undefined) throw new Error(`${id} has no operation`);
    const record = decision.kind === 'follow' ? found.get(chosen.ref.id) : undefined;
    if (record) progress.records.set(id, record);
    const isRefused = decision.kind === 'send' && refusal !== undefined;
    if (isRefused) progress.refused.set(id, refusal);
    const unsent = isRefused ? 'failed' : decision.kind === 'send' ? 'waiting' : 'unchanged';
    progress.states.set(id, record ? stateOf(record) : unsent);
    // A role that is granted is defined with the first part.
    const first = wanted.kind === 'grants' && wanted.customRoles.length > 0 && part.index > 0;
    return {
      id,
      key: wanted.key,
      after: [
        // What isn't here was done, or not, before.
        ...wanted.after.flatMap((key) => idsOf.get(key) ?? [stepId(key, 0)]),
        ...(first ? [stepId(wanted.key, 0)] : []),
      ],
      derived: forced ? (part.whole ?? part.derived) : part.derived,
      tenant,
      dated: part.dated,
      ...chosen,
    };
  });
  return { ...progress, steps };
}

/** What was sent before, and not heard of yet, is waited for. */
export function followSent({ steps, states }: Progress, sent: Readonly<Record<string, unknown>>): void {
  for (const { id, ref } of steps) {
    if (states.get(id) === 'waiting' && Object.hasOwn(sent, ref.id)) states.set(id, 'under way');
  }
}

function stepId(key: string, part: number): string {
  return `${key} #${part}`;
}

/** What an operation's record says of its step. */
export function stateOf({ state }: Pick<OperationRecord, 'state'>): StepState {
  if (state === 'succeeded') return 'done';
  return state === 'failed' ? 'failed' : 'under way';
}
