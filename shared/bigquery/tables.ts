import { config } from '../config.ts';
import type { BigQueryRequest } from '../gcp/bigquery.ts';
import { OperationError } from '../operation/errors.ts';
import type { Change, Note } from '../operation/outcome.ts';
import { type Converged, type ConvergeOptions, nothing, write } from './converged.ts';
import { refusedWith } from './errors.ts';
import type { Table, TableDefinition } from './model.ts';
import { findTable, pathOf } from './resources.ts';
import { planTable } from './table-plan.ts';

const attempts = 5;

/**
 * Makes a table or a view, or brings one that is there to what it should be, as far as that can be done without losing
 * anything; the rest is told.
 *
 * @returns with the note `TABLE_DIFFERS` for what can't be done
 * @throws OperationError `DATASET_CHANGED`, retryable
 */
export async function ensureTable(
  dataset: string,
  wanted: TableDefinition,
  options: ConvergeOptions,
): Promise<Converged> {
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    const current = await findTable(dataset, wanted.id, options.signal);
    try {
      return await (current
        ? alterTable(dataset, current, wanted, options)
        : write(creation(dataset, wanted), changeOf('create', dataset, wanted), options));
    } catch (error) {
      // Somebody else made or changed it meanwhile: look again.
      if (!refusedWith(error, 'ALREADY_EXISTS') && !refusedWith(error, 'FAILED_PRECONDITION')) throw error;
    }
  }
  throw keptChanging(`${dataset}.${wanted.id}`);
}

/** The call that makes a table. */
export function creation(dataset: string, { id, ...settings }: TableDefinition): BigQueryRequest {
  const tableReference = { projectId: config().GOOGLE_CLOUD_PROJECT, datasetId: dataset, tableId: id };
  return { method: 'POST', path: `datasets/${dataset}/tables`, body: { tableReference, ...settings } };
}

async function alterTable(
  dataset: string,
  current: Table,
  wanted: TableDefinition,
  options: ConvergeOptions,
): Promise<Converged> {
  const kind = kindOf(wanted);
  if (current.type !== kind) {
    return { ...nothing, notes: [differs(dataset, wanted.id, [`it is a ${current.type}, not a ${kind}`])] };
  }
  const { patch, changes, conflicts } = planTable(current, wanted);
  const notes = conflicts.length === 0 ? [] : [differs(dataset, wanted.id, conflicts)];
  if (patch === undefined) return { ...nothing, notes };
  const request = {
    method: 'PATCH',
    path: pathOf(dataset, wanted.id),
    body: patch,
    etag: current.etag,
  } as const;
  const done = await write(request, changeOf('alter', dataset, wanted, changes.join('; ')), options);
  return { ...done, notes };
}

function kindOf({ view }: TableDefinition): 'VIEW' | 'TABLE' {
  return view ? 'VIEW' : 'TABLE';
}

export function changeOf(
  action: Change['action'],
  dataset: string,
  table: TableDefinition,
  detail?: string,
): Change {
  const kind = kindOf(table).toLowerCase();
  return { action, kind, name: `${dataset}.${table.id}`, ...(detail !== undefined && { detail }) };
}

function differs(dataset: string, id: string, conflicts: readonly string[]): Note {
  return {
    code: 'TABLE_DIFFERS',
    message:
      `${dataset}.${id} was left as it is where that can't be changed without losing rows: ${conflicts.join('; ')}. ` +
      'A message with forceRecreate copies the table and makes it anew.',
  };
}

export function keptChanging(name: string): OperationError {
  return new OperationError('DATASET_CHANGED', `${name} was changed by somebody else time and again`, {
    retryable: true,
  });
}
