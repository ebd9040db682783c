import type { DocumentReference } from '@google-cloud/firestore';
import {
  type OperationRecord,
  operationDocumentId,
  operationsCollection,
} from '../../../shared/registry/operations.ts';
import type { Compared } from './compare/model.ts';
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
}

/** What a run knows of its steps. */
export interface Progress {
  readonly steps: readonly Step[];
  readonly states: Map<string, StepState>;
  /** Of those that were sent. */
  readonly records: Map<string, OperationRecord>;
  /** Of those that were skipped: the step in the way. */
  readonly because: Map<string, string>;
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
  const parts = compared.flatMap(({ wanted, parts: all }) => all.map((part) => ({ wanted, part })));
  const idsOf = new Map<string, string[]>();
  for (const { wanted, part } of parts) {
    const ids = idsOf.get(wanted.key) ?? [];
    idsOf.set(wanted.key, [...ids, stepId(wanted.key, part.index)]);
  }
  const operations = parts.map(({ wanted, part }) =>
    operationIdsOf(generation, wanted.key, part.index).map((operationId) => {
      const id = operationDocumentId(functionOf(wanted), { operationId, dryRun: false });
      return { operationId, ref: db.collection(operationsCollection).doc(id) };
    }),
  );
  const snapshots = await readAll(operations.flat().map(({ ref }) => ref));
  const found = new Map(
    snapshots.map((one) => [one.ref.id, one.data() as OperationRecord | undefined] as const),
  );
  const progress: Progress = { steps: [], states: new Map(), records: new Map(), because: new Map() };
  const steps = parts.map(({ wanted, part }, at): Step => {
    const id = stepId(wanted.key, part.index);
    const own = operations[at] ?? [];
    const states = own.map(({ ref }) => found.get(ref.id)?.state);
    const isForced = forced && part.whole !== undefined;
    const decision = decidePart({ differs: part.derived !== undefined, forced: isForced, states });
    const chosen = own[decision.kind === 'follow' ? decision.back : 0];
    if (chosen === undefined) throw new Error(`${id} has no operation`);
    const record = decision.kind === 'follow' ? found.get(chosen.ref.id) : undefined;
    if (record) progress.records.set(id, record);
    progress.states.set(id, record ? stateOf(record) : decision.kind === 'send' ? 'waiting' : 'unchanged');
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
      ...chosen,
    };
  });
  return { ...progress, steps };
}

function stepId(key: string, part: number): string {
  return `${key} #${part}`;
}

/** What an operation's record says of its step. */
export function stateOf({ state }: Pick<OperationRecord, 'state'>): StepState {
  if (state === 'succeeded') return 'done';
  return state === 'failed' ? 'failed' : 'under way';
}
