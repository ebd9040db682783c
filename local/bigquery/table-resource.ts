import { bytesOf } from './sizes.ts';
import type { Store, Table } from './store.ts';
import { bufferedRows, lastWrite, storedRows } from './table-rows.ts';

/** https://cloud.google.com/bigquery/docs/reference/rest/v2/tables#Table */
export function describeTable(store: Store, table: Table) {
  const { dataset, id, settings } = table;
  const stored = storedRows(store, table);
  const buffered = bufferedRows(store, table);
  const [oldest] = buffered;
  return {
    kind: 'bigquery#table',
    etag: table.etag,
    id: store.nameOf(table),
    selfLink: `/bigquery/v2/projects/${store.project}/datasets/${dataset.id}/tables/${id}`,
    tableReference: { projectId: store.project, datasetId: dataset.id, tableId: id },
    ...settings,
    creationTime: String(table.created),
    lastModifiedTime: String(lastWrite(store, table)),
    location: dataset.location,
    type: settings.view ? 'VIEW' : 'TABLE',
    ...(!settings.view && {
      numRows: String(stored.length),
      numBytes: String(bytesOf(stored, settings.schema)),
    }),
    ...(oldest && {
      streamingBuffer: {
        estimatedRows: String(buffered.length),
        estimatedBytes: String(bytesOf(buffered, settings.schema)),
        oldestEntryTime: String(oldest.inserted),
      },
    }),
  };
}

/** What a list says of a table. */
export function listEntry(store: Store, table: Table) {
  const {
    kind,
    id,
    tableReference,
    type,
    friendlyName,
    labels,
    timePartitioning,
    clustering,
    view,
    ...rest
  } = describeTable(store, table);
  const { creationTime, expirationTime, requirePartitionFilter } = rest;
  return {
    kind,
    id,
    tableReference,
    type,
    friendlyName,
    labels,
    timePartitioning,
    clustering,
    requirePartitionFilter,
    view: view && { useLegacySql: view.useLegacySql },
    creationTime,
    expirationTime,
  };
}
