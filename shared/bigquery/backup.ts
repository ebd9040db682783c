import type { BigQueryRequest } from '../gcp/bigquery.ts';
import { type JobSeries, runJobs } from './jobs.ts';
import type { Table } from './model.ts';
import { findTable, listTables } from './resources.ts';
import { beingWritten, isUnchangedSince, requireFlushed } from './written.ts';

/**
 * What a copy is called that an operation makes of a table. Each job has a name of its own: nothing is ever written over
 * a copy, not even by a worker that comes too late.
 *
 * @param number of the job
 */
export function backupName(table: string, operation: string, number: number): string {
  return number === 0 ? prefixOf(table, operation) : `${prefixOf(table, operation)}_${number}`;
}

/**
 * Copies a table with all of its rows. A copy that an earlier attempt made is used, if the table is still as it was.
 *
 * @returns the table as it was when the copy was found to be whole
 * @throws OperationError `TABLE_BEING_WRITTEN`, retryable
 */
export async function backUp(
  dataset: string,
  table: Table,
  operation: string,
  held: Pick<JobSeries, 'signal' | 'assertHeld'>,
): Promise<Table> {
  requireFlushed(dataset, table);
  const id = table.tableReference.tableId;
  return runJobs(
    { name: `drover_backup_${operation}_${id}`, location: table.location, ...held },
    (number) => copyConfiguration(dataset, table, backupName(id, operation, number)),
    async ({ isFresh, statistics }, number) => {
      const [copy, original] = await Promise.all([
        findTable(dataset, backupName(id, operation, number), held.signal),
        findTable(dataset, id, held.signal),
      ]);
      const isWhole =
        original !== undefined &&
        original.streamingBuffer === undefined &&
        original.numRows === copy?.numRows &&
        isUnchangedSince(statistics.startTime, original);
      if (isWhole) return original;
      // Where rows come all the time, the next copy would not be whole, either: better to come again later.
      if (isFresh) throw beingWritten(`${dataset}.${id}`);
      return undefined;
    },
  );
}

/** The last copy that an operation made of a table; undefined where it made none. */
export async function findBackup(
  dataset: string,
  table: string,
  operation: string,
  signal: AbortSignal,
): Promise<{ readonly name: string; readonly rows: string } | undefined> {
  const prefix = prefixOf(table, operation);
  const numberOf = (name: string) => Number(name.slice(prefix.length + 1));
  const copies = (await listTables(dataset, signal))
    .filter((name) => name === prefix || name.startsWith(`${prefix}_`))
    .sort((a, b) => numberOf(b) - numberOf(a));
  const [name] = copies;
  const found = name === undefined ? undefined : await findTable(dataset, name, signal);
  return name === undefined || found === undefined ? undefined : { name, rows: found.numRows ?? '0' };
}

/** The call that copies a table, for people. */
export function copyRequest(dataset: string, table: Table, name: string): BigQueryRequest {
  return { method: 'POST', path: 'jobs', body: { configuration: copyConfiguration(dataset, table, name) } };
}

function copyConfiguration(dataset: string, { tableReference: { projectId, tableId } }: Table, name: string) {
  return {
    copy: {
      sourceTable: { projectId, datasetId: dataset, tableId },
      destinationTable: { projectId, datasetId: dataset, tableId: name },
      writeDisposition: 'WRITE_EMPTY',
    },
  };
}

function prefixOf(table: string, operation: string): string {
  return `${table}_backup_${operation.slice(0, 12)}`;
}
