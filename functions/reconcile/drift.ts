import { config } from '../../shared/config.ts';
import { firestore } from '../../shared/gcp/firestore.ts';
import { undo } from '../../shared/grants/undo.ts';
import { canonicalJson, hash } from '../../shared/operation/canonical.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import type { Change, Note } from '../../shared/operation/outcome.ts';
import { authorize } from '../../shared/operation/policy.ts';
import { publishEvent } from '../../shared/operation/report.ts';
import type { Target } from '../../shared/postgres/target.ts';
import {
  type DatabaseRecord,
  databaseDocumentId,
  databasesCollection,
} from '../../shared/registry/databases.ts';
import { type Difference, findDifferences } from './differences.ts';
import { driftEvent } from './event.ts';
import { type Mended, mend } from './mend.ts';
import { readWanted } from './wanted.ts';

/**
 * Compares a database with the registry, says what differs where that is news, and mends it where the policy lets
 * `reconcile` `mend` there.
 */
export async function compareDatabase(record: DatabaseRecord, operation: OperationContext): Promise<Mended> {
  const target: Target = { instance: record.instance, database: record.database };
  if (!operation.dryRun) await undoAbandoned(target, operation);
  const wanted = await readWanted(await firestore(), target);
  const differences = await findDifferences(target, wanted, operation);
  const found = fingerprintOf(differences);
  const mends =
    differences.length > 0 &&
    !operation.dryRun &&
    authorize('reconcile', mending(target), config().DROVER_POLICY.rules) === undefined;
  // A crash between this and the note of the check repeats the event, under the same id.
  if (found !== null && found !== record.drift && !operation.dryRun)
    await announce(target, differences, mends, `${found.slice(0, 16)}.${record.checkedAt?.toMillis() ?? 0}`);
  const mended = mends ? await mend(target, wanted, differences, operation) : { changes: [], notes: [] };
  if (!operation.dryRun) {
    // What couldn't be mended is no news the next time; what is mended and comes again is.
    const left = mends ? fingerprintOf(await findAgain(target, operation)) : found;
    await noteCheck(
      target,
      { checkedAt: new Date(), drift: left, problem: null },
      config().DROVER_DRIFT_MINUTES,
    );
  }
  const notes: Note[] = differences.map(({ schema, changes, notes, statements }) => ({
    code: 'DRIFT',
    message: `${[target.database, schema].filter(Boolean).join('.')} is not as the registry has it: ${describe(changes, notes)}.`,
    statements: [...statements, ...notes.flatMap((note) => note.statements ?? [])],
  }));
  return { changes: mended.changes, notes: [...notes, ...mended.notes] };
}

/** What an operation did that ended without a word is nobody's drift. */
async function undoAbandoned(target: Target, operation: OperationContext): Promise<void> {
  const { abandoned } = await readWanted(await firestore(), target);
  for (const { scope, operations } of abandoned) await undo(operation, scope, operations);
}

async function findAgain(target: Target, operation: OperationContext): Promise<Difference[]> {
  return findDifferences(target, await readWanted(await firestore(), target), operation);
}

/** By what differs, and not by the statements: these have numbers in them that rise with every change. */
function fingerprintOf(differences: readonly Difference[]): string | null {
  if (differences.length === 0) return null;
  return hash(canonicalJson(differences.map(({ schema, changes, notes }) => ({ schema, changes, notes }))));
}

function mending(target: Target) {
  return { target, levels: [], principals: [], actions: ['mend'] };
}

/** Records what came of a check, and when the next one is. */
export async function noteCheck(
  target: Target,
  fields: { checkedAt?: Date; drift?: string | null; problem: string | null },
  minutes: number,
): Promise<void> {
  // Spread by a tenth: what was registered together isn't compared together for ever.
  const nextCheck = new Date(Date.now() + minutes * (0.95 + Math.random() / 10) * 60_000);
  const db = await firestore();
  await db
    .collection(databasesCollection)
    .doc(databaseDocumentId(target))
    .update({ ...fields, nextCheck });
}

function describe(changes: readonly Change[], notes: readonly Note[]): string {
  const parts = [
    ...changes.map(({ action, kind, name, detail }) =>
      [action, kind, name, detail].filter(Boolean).join(' '),
    ),
    ...notes.map(({ message }) => message),
  ];
  return parts.slice(0, 3).join('; ') + (parts.length > 3 ? `; and ${parts.length - 3} more` : '');
}

async function announce(
  target: Target,
  differences: readonly Difference[],
  mends: boolean,
  occurrence: string,
): Promise<void> {
  await publishEvent(driftEvent(target, differences, mends, occurrence), { function: 'reconcile' });
}
