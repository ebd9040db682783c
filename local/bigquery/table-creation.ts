import type { Dataset, Store, Table } from './store.ts';
import type { TableSettings } from './table-settings.ts';

/** A new table without rows. */
export function createTable(store: Store, dataset: Dataset, id: string, settings: TableSettings): Table {
  const table: Table = {
    dataset,
    id,
    created: store.now(),
    insertIds: new Map(),
    settings: inherit(store, dataset, settings),
    rows: [],
    ...store.change(),
  };
  dataset.tables.set(id, table);
  return table;
}

/**
 * A partitioned table takes over the dataset's default for partitions, if there is one; else it has the one for tables.
 *
 * @see https://cloud.google.com/bigquery/docs/reference/rest/v2/datasets#Dataset.FIELDS.default_partition_expiration_ms
 */
function inherit(store: Store, { settings: defaults }: Dataset, settings: TableSettings): TableSettings {
  const { timePartitioning, expirationTime } = settings;
  const { defaultPartitionExpirationMs, defaultTableExpirationMs } = defaults;
  if (timePartitioning && defaultPartitionExpirationMs) {
    const expirationMs = timePartitioning.expirationMs ?? defaultPartitionExpirationMs;
    return { ...settings, timePartitioning: { ...timePartitioning, expirationMs } };
  }
  if (expirationTime !== undefined || defaultTableExpirationMs === undefined) return settings;
  return { ...settings, expirationTime: String(store.now() + Number(defaultTableExpirationMs)) };
}
