import { endActingSessions, type TakenBack } from '../../shared/grants/sessions.ts';
import { classify } from '../../shared/operation/classify.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import type { Change, Note } from '../../shared/operation/outcome.ts';
import { convergeGrants, GrantsFenced } from '../../shared/postgres/grants/converge.ts';
import { foundSchemaEpoch } from '../../shared/postgres/grants/found.ts';
import type { DesiredGrants } from '../../shared/postgres/grants/model.ts';
import { convergeSchema, Fenced } from '../../shared/postgres/schema/converge.ts';
import type { Target } from '../../shared/postgres/target.ts';
import type { Difference } from './differences.ts';
import { type Known, type NumberedGrants, numberGrants, numberSchema, settleNumber } from './numbers.ts';
import type { WantedDatabase, WantedSchema } from './wanted.ts';

/** Sets whose members are mended in one transaction. */
const setsAtOnce = 200;

export interface Mended {
  readonly changes: readonly Change[];
  readonly notes: readonly Note[];
}

/**
 * Brings what differs to what the registry says. Each mending is an attempt with a number of its own, as a message's is:
 * whatever somebody has asked for since it was read is newer, and is left alone.
 */
export async function mend(
  target: Target,
  { schemas, grants, schemaEpochs }: WantedDatabase,
  differences: readonly Difference[],
  operation: OperationContext,
): Promise<Mended> {
  const differ = new Set(differences.map(({ schema }) => schema));
  const epochs = new Map(schemaEpochs);
  const parts: Mended[] = [];
  for (const one of schemas.filter(({ desired }) => differ.has(desired.schema))) {
    parts.push(await mendSchema(target, one, epochs, operation));
  }
  const left = grants
    .filter(({ schema }) => differ.has(schema))
    .map((wanted) => ({ wanted, known: knownOf(wanted, epochs) }));
  while (left.length > 0) parts.push(await mendGrants(target, left.splice(0, setsAtOnce), operation));
  const { changes, notes } = together(parts);
  const told = new Set(differences.flatMap((one) => one.notes.map(({ message }) => message)));
  return { changes, notes: notes.filter(({ message }) => !told.has(message)) };
}

interface ToMend {
  readonly wanted: DesiredGrants;
  readonly known: Known;
}

function knownOf({ schema, fence }: DesiredGrants, epochs: ReadonlyMap<string, number>): Known {
  return { epoch: fence?.epoch ?? 0, schemaEpoch: epochs.get(schema ?? '') ?? 0 };
}

async function mendSchema(
  target: Target,
  { desired, fence }: WantedSchema,
  epochs: Map<string, number>,
  operation: OperationContext,
): Promise<Mended> {
  for (let known = fence.epoch, atLeast = 0; ; ) {
    const numbered = await numberSchema(operation, { ...target, schema: desired.schema }, known, atLeast);
    if (numbered === undefined) return nothing;
    epochs.set(desired.schema, numbered.epoch);
    try {
      const mending = { ...operation, fence: { ...fence, ...numbered } };
      const { steps } = await convergeSchema(operation.pools, target, desired, mending);
      await settleNumber(operation, numbered);
      return { changes: steps.flatMap(({ change }) => (change ? [change] : [])), notes: [] };
    } catch (error) {
      // The registry is older than the database: it was restored, or the database is a clone.
      if (error instanceof Fenced && error.epoch > numbered.epoch && error.epoch > atLeast) {
        known = numbered.epoch;
        atLeast = error.epoch;
      } else if (error instanceof Fenced) return nothing;
      else return notMended(target, desired.schema, error);
    }
  }
}

/** Many sets in one transaction; each by itself, where one of them can't be mended. */
async function mendGrants(
  target: Target,
  sets: readonly ToMend[],
  operation: OperationContext,
): Promise<Mended> {
  const numbered: NumberedGrants[] = [];
  for (const { wanted, known } of sets) {
    const one = await numberGrants(operation, target, wanted, known);
    if (one) numbered.push(one);
  }
  while (numbered.length > 0) {
    try {
      return await bringAbout(target, numbered, operation);
    } catch (error) {
      if (error instanceof GrantsFenced) await numberAgain(target, numbered, error, operation);
      else if (error instanceof SchemaChanged) await afterSchemaChange(target, numbered, error, operation);
      else if (numbered.length === 1) return notMended(target, numbered[0]?.wanted.schema, error);
      else if (classify(error).retryable) throw error;
      else {
        const parts: Mended[] = [];
        for (const one of numbered) parts.push(await mendGrants(target, [{ ...one, known: one }], operation));
        return together(parts);
      }
    }
  }
  return nothing;
}

/** A set that the catalog has a higher number for gets one above that, or is left to whoever is newer. */
async function numberAgain(
  target: Target,
  numbered: NumberedGrants[],
  { scope, epoch }: GrantsFenced,
  operation: OperationContext,
): Promise<void> {
  const index = numbered.findIndex(({ wanted }) => wanted.schema === scope.schema);
  const [fenced] = numbered.splice(index, 1);
  if (fenced === undefined) return;
  const again = await numberGrants(operation, target, fenced.wanted, fenced, epoch);
  if (again) numbered.push(again);
}

/** Thrown where create-schema has been at a schema since: it may have said who acts as the owner. */
class SchemaChanged extends Error {
  override readonly name = 'SchemaChanged';
  readonly set: NumberedGrants;
  readonly epoch: number;

  constructor(set: NumberedGrants, epoch: number) {
    super(`${set.wanted.schema} was changed meanwhile`);
    this.set = set;
    this.epoch = epoch;
  }
}

/** Likewise where the registry is older than the database; else the set is left to the next comparison. */
async function afterSchemaChange(
  target: Target,
  numbered: NumberedGrants[],
  { set, epoch }: SchemaChanged,
  operation: OperationContext,
): Promise<void> {
  numbered.splice(numbered.indexOf(set), 1);
  const schema = set.wanted.schema ?? '';
  const again = await numberSchema(operation, { ...target, schema }, set.schemaEpoch, epoch);
  if (again) numbered.push({ ...set, schemaEpoch: again.epoch });
}

async function bringAbout(
  target: Target,
  numbered: readonly NumberedGrants[],
  operation: OperationContext,
): Promise<Mended> {
  const wanted = numbered.map((one) => one.wanted);
  const mended = await convergeGrants(operation.pools, target, wanted, {
    ...operation,
    examine(found) {
      for (const one of numbered) {
        const epoch = foundSchemaEpoch(one.wanted, found);
        if (epoch > one.schemaEpoch) throw new SchemaChanged(one, epoch);
      }
    },
  });
  const taken = wanted.map((scope, index) => ({ scope, plan: mended.plans[index] }));
  const sessions = await endActingSessions(operation, target, mended.found, taken).catch((error: unknown) =>
    notEnded(taken, error),
  );
  for (const one of numbered) await settleNumber(operation, one);
  return {
    changes: [...mended.changes, ...sessions.changes],
    notes: [...mended.notes, ...sessions.notes],
  };
}

/** The memberships are gone, so no comparison will find anything to do about these again. */
function notEnded(taken: readonly TakenBack[], error: unknown): Mended {
  const whose = [
    ...new Set(taken.flatMap(({ plan }) => plan?.revoked ?? []).map(({ principal }) => principal)),
  ];
  if (whose.length === 0) return nothing;
  const message = `Sessions of ${whose.join(', ')} may still act as what was taken from them, and could not be looked at: ${classify(error).message}`;
  return { changes: [], notes: [{ code: 'SESSIONS_OPEN', message }] };
}

const nothing: Mended = { changes: [], notes: [] };

/** A schema and its members may not be mended for the same reason: that is said once. */
function together(parts: readonly Mended[]): Mended {
  const notes = new Map(parts.flatMap((part) => part.notes).map((note) => [note.message, note]));
  return { changes: parts.flatMap(({ changes }) => changes), notes: [...notes.values()] };
}

/** @throws the error, where it isn't about what is to be mended */
function notMended({ database }: Target, schema: string | undefined, error: unknown): Mended {
  const { message, retryable } = classify(error);
  if (retryable) throw error;
  const name = [database, schema].filter(Boolean).join('.');
  return { changes: [], notes: [{ code: 'NOT_MENDED', message: `${name}: ${message}` }] };
}
