import { callBigQuery } from '../gcp/bigquery.ts';
import { OperationError } from '../operation/errors.ts';
import { backUp, backupName, copyRequest, findBackup } from './backup.ts';
import { type Converged, type ConvergeOptions, plan, together } from './converged.ts';
import { refusedWith } from './errors.ts';
import type { Table, TableDefinition } from './model.ts';
import { findTable, pathOf } from './resources.ts';
import { changeOf, creation, ensureTable } from './tables.ts';
import { beingWritten } from './written.ts';

export interface RecreateOptions extends ConvergeOptions {
  /** The id of the operation: it makes a table anew once. */
  readonly operation: string;
  /** To be called right before what nothing else can fence. */
  readonly assertHeld: () => void;
}

/** Says which operation made a table anew, so that no other attempt of it does so again. */
const markLabel = 'drover-recreated-by';

/**
 * Makes a table anew, after copying it. At any moment the table is there as it was, or a copy with all of its rows is:
 * the copy is compared with the table before the table is deleted, and never written to again.
 *
 * @throws OperationError `TABLE_BEING_WRITTEN`, retryable, where rows come in meanwhile; `NOT_A_TABLE`
 */
export async function recreateTable(
  dataset: string,
  wanted: TableDefinition,
  options: RecreateOptions,
): Promise<Converged> {
  const { operation, signal, dryRun = false } = options;
  const current = await findTable(dataset, wanted.id, signal);
  if (current && current.type !== 'TABLE') throw noTable(dataset, current);
  const marked = { ...wanted, labels: { ...wanted.labels, [markLabel]: operation } };
  const isOld = current && current.labels?.[markLabel] !== operation;
  if (isOld && dryRun) return planned(dataset, current, marked, operation);
  if (isOld) await copyAndDelete(dataset, current, options);
  const made = await ensureTable(dataset, marked, options);
  const copy = await findBackup(dataset, wanted.id, operation, signal);
  if (copy === undefined) return made;
  const { name, rows } = copy;
  return { ...made, changes: changesOf(dataset, wanted, name, `, ${rows} rows`) };
}

async function copyAndDelete(
  dataset: string,
  current: Table,
  { operation, signal, assertHeld }: RecreateOptions,
): Promise<void> {
  const { etag, tableReference } = await backUp(dataset, current, operation, { signal, assertHeld });
  assertHeld();
  try {
    await callBigQuery({ method: 'DELETE', path: pathOf(dataset, tableReference.tableId), etag }, signal);
  } catch (error) {
    if (refusedWith(error, 'FAILED_PRECONDITION')) throw beingWritten(`${dataset}.${tableReference.tableId}`);
    if (!refusedWith(error, 'NOT_FOUND')) throw error;
  }
}

function planned(dataset: string, current: Table, wanted: TableDefinition, operation: string): Converged {
  const name = backupName(wanted.id, operation, 0);
  const [copy, replacement] = changesOf(dataset, wanted, name, `, ${current.numRows} rows`);
  return together([
    plan(copyRequest(dataset, current, name), copy),
    plan({ method: 'DELETE', path: pathOf(dataset, wanted.id) }),
    plan(creation(dataset, wanted), replacement),
  ]);
}

function changesOf(dataset: string, table: TableDefinition, copy: string, rows: string) {
  return [
    changeOf('create', dataset, { id: copy }, `copy of ${dataset}.${table.id}${rows}`),
    changeOf('alter', dataset, table, `made anew; its rows are in ${dataset}.${copy}`),
  ] as const;
}

function noTable(dataset: string, { type, tableReference }: Table): OperationError {
  const name = `${dataset}.${tableReference.tableId}`;
  return new OperationError(
    'NOT_A_TABLE',
    `${name} is a ${type}, which has no rows to copy. Delete it or rename it, and send the message again`,
    { details: { name, type } },
  );
}
