import { type Converged, together } from '../../shared/bigquery/converged.ts';
import { ensureDataset } from '../../shared/bigquery/datasets.ts';
import { recreateTable } from '../../shared/bigquery/recreate.ts';
import { ensureTable } from '../../shared/bigquery/tables.ts';
import { config } from '../../shared/config.ts';
import type { OperationContext } from '../../shared/operation/definition.ts';
import { OperationError } from '../../shared/operation/errors.ts';
import type { Outcome } from '../../shared/operation/outcome.ts';
import type { SystemMessage } from './message.ts';
import { tables, viewsOf } from './warehouse/definitions.ts';

/**
 * Makes the platform's own dataset with its tables and views, and brings those that are there to what this version of
 * Drover knows. What is as it should be costs no writing call.
 *
 * @throws OperationError `CONFIRMATION_NEEDED`, `UNKNOWN_TABLE`; those of `ensureDataset`, `ensureTable` and
 * `recreateTable`
 */
export async function bootstrapSystem(
  message: SystemMessage,
  operation: Pick<OperationContext, 'id' | 'dryRun' | 'signal' | 'assertHeld'>,
): Promise<Outcome> {
  const { GOOGLE_CLOUD_PROJECT: project, DROVER_DATASET: dataset, DROVER_REGION: region } = config();
  const forced = forcedTables(message.forceRecreate, project, dataset);
  const { id, signal, dryRun, assertHeld } = operation;
  const options = { signal, dryRun };
  const made = await ensureDataset(
    {
      id: dataset,
      location: message.region ?? region,
      identity: { 'managed-by': 'drover', 'drover-scope': 'system' },
      description: "Drover's own: what its operations did, and how the fleet is.",
    },
    options,
  );
  const ofTables = await Promise.all(
    tables.map((table) =>
      forced.has(table.id)
        ? recreateTable(dataset, table, { ...options, operation: id, assertHeld })
        : ensureTable(dataset, table, options),
    ),
  );
  // One after the other: each may read those before it.
  const ofViews: Converged[] = [];
  for (const view of viewsOf(project, dataset)) ofViews.push(await ensureTable(dataset, view, options));
  const parts = [made, ...ofTables, ...ofViews];
  const { changes, notes, statements } = together(parts);
  return {
    changes,
    notes,
    ...(dryRun && { statements }),
    summary: summaryOf(parts),
    result: { dataset: `${project}.${dataset}` },
    partial: notes.length > 0,
  };
}

/** @returns the ids of the tables to be made anew */
function forcedTables(
  wish: SystemMessage['forceRecreate'],
  project: string,
  dataset: string,
): ReadonlySet<string> {
  if (wish === undefined) return new Set();
  const confirmation = `${project}.${dataset}`;
  if (wish.confirm !== confirmation) {
    throw new OperationError(
      'CONFIRMATION_NEEDED',
      `To make tables anew, confirm with the dataset's name: "confirm": "${confirmation}"`,
      { details: { confirm: confirmation } },
    );
  }
  const known = tables.map(({ id }) => id);
  const wanted = wish.tables === '*' ? known : wish.tables;
  const unknown = wanted.filter((id) => !known.includes(id));
  if (unknown.length === 0) return new Set(wanted);
  throw new OperationError(
    'UNKNOWN_TABLE',
    `Drover has no table ${unknown.join(', ')}; it has ${known.join(', ')}`,
    { details: { unknown, known } },
  );
}

/** How many of the dataset, its tables and its views were made, changed and so on. */
function summaryOf(parts: readonly Converged[]): Record<string, number> {
  const summary = { created: 0, changed: 0, recreated: 0, existed: 0 };
  for (const part of parts) summary[fateOf(part)] += 1;
  return summary;
}

function fateOf({ changes: [first, second] }: Converged) {
  // Of one that is made anew there are two: its copy, and itself.
  if (second !== undefined) return 'recreated';
  if (first === undefined) return 'existed';
  return first.action === 'create' ? 'created' : 'changed';
}
