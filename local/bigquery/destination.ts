import type { JsonObject } from '../http/json.ts';
import { duplicate, invalid, notFound } from './errors.ts';
import { choiceOf } from './fields.ts';
import { type Clustering, requireSamePartitioning, type TimePartitioning } from './partitioning.ts';
import type { Row } from './row.ts';
import type { Schema } from './schema.ts';
import { requireAppendable } from './schema-change.ts';
import type { Store, Table } from './store.ts';
import { createTable } from './table-creation.ts';
import type { TableReference } from './table-reference.ts';
import { readTableSettings } from './table-settings.ts';

type WriteDisposition = 'WRITE_EMPTY' | 'WRITE_APPEND' | 'WRITE_TRUNCATE';

export interface Dispositions {
  readonly create: 'CREATE_IF_NEEDED' | 'CREATE_NEVER';
  readonly write: WriteDisposition;
}

/** What a job writes. */
export interface Incoming {
  readonly schema: Schema;
  readonly timePartitioning: TimePartitioning | undefined;
  readonly clustering: Clustering | undefined;
  readonly requirePartitionFilter?: boolean | undefined;
  readonly rows: readonly Row[];
}

/** @throws ApiError 400 */
export function readDispositions(settings: JsonObject, write: WriteDisposition): Dispositions {
  return {
    create:
      choiceOf(settings, 'createDisposition', ['CREATE_IF_NEEDED', 'CREATE_NEVER']) ?? 'CREATE_IF_NEEDED',
    write: choiceOf(settings, 'writeDisposition', ['WRITE_EMPTY', 'WRITE_APPEND', 'WRITE_TRUNCATE']) ?? write,
  };
}

/**
 * Writes all of it or nothing.
 *
 * @throws ApiError
 * @see https://cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobConfigurationTableCopy
 */
export function writeTable(
  store: Store,
  { datasetId, tableId }: TableReference,
  { create, write }: Dispositions,
  incoming: Incoming,
): void {
  const dataset = store.dataset(datasetId);
  const { rows, ...shape } = incoming;
  const existing = store.tablesOf(dataset).get(tableId);
  if (!existing) {
    if (create === 'CREATE_NEVER') throw notFound(`Table ${store.project}:${datasetId}.${tableId}`);
    const settings = {
      ...readTableSettings({}),
      ...shape,
      requirePartitionFilter: shape.requirePartitionFilter,
    };
    createTable(store, dataset, tableId, settings).rows = rows;
    return;
  }
  const name = store.nameOf(existing);
  if (existing.settings.view) {
    throw invalid(`${name} is not allowed for this operation because it is currently a VIEW.`);
  }
  if (write === 'WRITE_EMPTY' && existing.rows.length > 0) throw duplicate(`Table ${name}`);
  if (write === 'WRITE_TRUNCATE') Object.assign(existing, truncated(existing, incoming), store.change());
  else append(store, existing, incoming);
}

function truncated({ settings }: Table, { rows, ...shape }: Incoming): Pick<Table, 'rows' | 'settings'> {
  return { rows, settings: { ...settings, ...shape } };
}

function append(store: Store, table: Table, { schema, timePartitioning, rows }: Incoming): void {
  const { settings } = table;
  if (settings.schema) requireAppendable(store.nameOf(table), settings.schema, schema);
  if (timePartitioning) requireSamePartitioning(settings.timePartitioning, timePartitioning);
  const next = { ...settings, schema: settings.schema ?? schema };
  Object.assign(table, { settings: next, rows: [...table.rows, ...rows], ...store.change() });
}
