import { OperationError } from '../operation/errors.ts';
import type { Table } from './model.ts';

/** @throws OperationError `TABLE_BEING_WRITTEN`, retryable, while a table has rows that jobs don't see */
export function requireFlushed(dataset: string, { tableReference, streamingBuffer }: Table): void {
  if (streamingBuffer !== undefined) throw beingWritten(`${dataset}.${tableReference.tableId}`);
}

/**
 * @param name of the table
 * @see https://cloud.google.com/bigquery/docs/streaming-data-into-bigquery#dataavailability
 */
export function beingWritten(name: string): OperationError {
  return new OperationError(
    'TABLE_BEING_WRITTEN',
    `Rows come into ${name} that a copy would lack. It is tried again; stop what writes to it meanwhile ` +
      '(docs/bigquery.md says how for operation_events), and wait up to 90 minutes',
    { retryable: true, details: { table: name } },
  );
}

/** Whether nothing was written to a table since a job on it began. */
export function isUnchangedSince(startTime: string | undefined, { lastModifiedTime }: Table): boolean {
  return Number(lastModifiedTime) < Number(startTime);
}
