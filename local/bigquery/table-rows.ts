import { invalid } from './errors.ts';
import { unexpired } from './partitions.ts';
import type { Row } from './row.ts';
import type { Store, Table } from './store.ts';

/** All rows of a table, in the order in which they came. */
export function rowsOf(store: Store, table: Table): readonly Row[] {
  return unexpired(table.rows, table.settings, store.now());
}

/** Rows that have left the streaming buffer: what jobs see. */
export function storedRows(store: Store, table: Table): readonly Row[] {
  return rowsOf(store, table).filter((row) => !isBuffered(store, row));
}

export function bufferedRows(store: Store, table: Table): readonly Row[] {
  return rowsOf(store, table).filter((row) => isBuffered(store, row));
}

/** When the table changed last, or rows left the streaming buffer. */
export function lastWrite(store: Store, table: Table): number {
  const last = storedRows(store, table).findLast(({ streamed }) => streamed);
  return Math.max(table.modified, last ? last.inserted + store.bufferMilliseconds : 0);
}

/** @throws ApiError 400 for a view */
export function requireRows(table: Table, message: string): void {
  if (table.settings.view) throw invalid(message);
}

function isBuffered(store: Store, { streamed, inserted }: Row): boolean {
  return streamed && inserted + store.bufferMilliseconds > store.now();
}
