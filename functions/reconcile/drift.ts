import { config } from '../../shared/config.ts';
import { firestore } from '../../shared/gcp/firestore.ts';
import { endActingSessions } from '../../shared/grants/sessions.ts';
import { canonicalJson, hash } from '../../shared/operation/canonical.ts';
import { classify } from '../../shared/operation/classify.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import type { Change, Note } from '../../shared/operation/outcome.ts';
import { authorize } from '../../shared/operation/policy.ts';
import { publishEvent } from '../../shared/operation/report.ts';
import { convergeGrants, GrantsFenced } from '../../shared/postgres/grants/converge.ts';
import { convergeSchema, Fenced } from '../../shared/postgres/schema/converge.ts';
import { formatTarget, type Target } from '../../shared/postgres/target.ts';
import {
  type DatabaseRecord,
  databaseDocumentId,
  databasesCollection,
} from '../../shared/registry/databases.ts';
import { type Difference, findDifferences } from './differences.ts';
import { readWanted, type WantedDatabase } from './wanted.ts';

/** Sets whose members are mended in one transaction. */
const setsAtOnce = 200;

/** Of the differences in an event: the operation's record has no room for all of a ruined database either. */
const mostInEvent = 100;

/**
 * Compares a database with the registry, says what differs where that is news, and mends it where the policy lets
 * `reconcile` `mend` there.
 */
export async function compareDatabase(
  record: DatabaseRecord,
  operation: OperationContext,
): Promise<{ changes: Change[]; notes: Note[] }> {
  const target: Target = { instance: record.instance, database: record.database };
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
  const type = 'drover.drift.detected';
  const event = {
    specversion: '1.0',
    id: `${databaseDocumentId(target)}.${occurrence}`,
    source: `//drover/projects/${config().GOOGLE_CLOUD_PROJECT}/functions/reconcile`,
    type,
    subject: formatTarget(target),
    time: new Date().toISOString(),
    datacontenttype: 'application/json',
    data: {
      target: formatTarget(target),
      mends,
      differences: differences
        .slice(0, mostInEvent)
        .map(({ schema, ...rest }) => ({ schema: schema ?? null, ...rest })),
      truncated: differences.length > mostInEvent,
    },
  };
  await publishEvent(event, { function: 'reconcile' });
}

/**
 * Brings what differs to what the registry says, under the numbers that the registry has: who has begun anything since is
 * newer, and refuses this.
 */
async function mend(
  target: Target,
  { schemas, grants }: WantedDatabase,
  differences: readonly Difference[],
  operation: OperationContext,
): Promise<{ changes: Change[]; notes: Note[] }> {
  const differ = new Set(differences.map(({ schema }) => schema));
  const changes: Change[] = [];
  const notes: Note[] = [];
  for (const { desired, fence } of schemas.filter((one) => differ.has(one.desired.schema))) {
    const mended = await unlessRefused(() =>
      convergeSchema(operation.pools, target, desired, { ...operation, fence }),
    );
    changes.push(...(mended?.steps ?? []).flatMap(({ change }) => (change ? [change] : [])));
  }
  const left = grants.filter(({ schema }) => differ.has(schema));
  const alone: typeof left = [];
  while (left.length > 0) {
    const some = left.splice(0, setsAtOnce);
    const mended = await unlessRefused(
      () => convergeGrants(operation.pools, target, some, operation),
      (error) => {
        const fenced = error instanceof GrantsFenced ? error.scope.schema : undefined;
        if (error instanceof GrantsFenced) left.push(...some.filter(({ schema }) => schema !== fenced));
        // One of them can't be mended: each by itself, then.
        else if (some.length > 1) alone.push(...some);
        else notes.push({ code: 'NOT_MENDED', message: `${target.database}: ${classify(error).message}` });
      },
    );
    if (left.length === 0) left.push(...alone.splice(0, 1));
    if (mended === undefined) continue;
    const taken = some.map((scope, index) => ({ scope, plan: mended.plans[index] }));
    const sessions = await endActingSessions(operation, target, mended.found, taken);
    changes.push(...mended.changes, ...sessions.changes);
    notes.push(...sessions.notes);
  }
  return { changes, notes };
}

/** What can't be mended was told as a difference, and whoever has begun something newer mends it himself. */
async function unlessRefused<T>(
  mending: () => Promise<T>,
  onRefused: (error: unknown) => void = () => undefined,
): Promise<T | undefined> {
  try {
    return await mending();
  } catch (error) {
    const fenced = error instanceof GrantsFenced || error instanceof Fenced;
    if (!fenced && classify(error).retryable) throw error;
    onRefused(error);
    return undefined;
  }
}
