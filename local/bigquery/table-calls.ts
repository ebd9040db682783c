import type { JsonObject } from '../http/json.ts';
import type { Call, Handler } from './call.ts';
import { duplicate, invalid } from './errors.ts';
import { objectOf, requiredText, textOf } from './fields.ts';
import { mergePatch } from './merge-patch.ts';
import { page } from './pages.ts';
import { requireSamePartitioning } from './partitioning.ts';
import { requireUpdatable } from './schema-change.ts';
import { requireMatch, type Store, type Table } from './store.ts';
import { createTable } from './table-creation.ts';
import { describeTable, listEntry } from './table-resource.ts';
import { readTableSettings, type TableSettings } from './table-settings.ts';

/** https://cloud.google.com/bigquery/docs/reference/rest/v2/tables */
export function tableCalls(store: Store): Record<string, Handler> {
  const find = ({ path }: Call) => store.table(path['dataset'] ?? '', path['table'] ?? '');

  const replace = (call: Call, table: Table, body: JsonObject) => {
    requireMatch(call.ifMatch, table);
    const settings = readTableSettings(body);
    requireChange(store, table, settings);
    Object.assign(table, { settings, ...store.change() });
    return describeTable(store, table);
  };

  return {
    'tables.insert'({ path, body }) {
      const dataset = store.dataset(path['dataset'] ?? '');
      const id = readId(objectOf(body, 'tableReference') ?? {}, path);
      const settings = readTableSettings(body);
      requireFuture(store, settings);
      if (store.tablesOf(dataset).has(id)) throw duplicate(`Table ${store.project}:${dataset.id}.${id}`);
      return describeTable(store, createTable(store, dataset, id, settings));
    },

    'tables.get': (call) => describeTable(store, find(call)),

    'tables.patch'(call) {
      const table = find(call);
      return replace(call, table, mergePatch({ ...table.settings }, call.body));
    },

    'tables.update'(call) {
      const table = find(call);
      return replace(call, table, call.body);
    },

    'tables.delete'(call) {
      const table = find(call);
      requireMatch(call.ifMatch, table);
      table.dataset.tables.delete(table.id);
    },

    'tables.list'(call) {
      const all = [...store.tablesOf(store.dataset(call.path['dataset'] ?? '')).values()];
      const { items, nextPageToken } = page(all, ({ id }) => id, call);
      return {
        kind: 'bigquery#tableList',
        ...(items.length > 0 && { tables: items.map((table) => listEntry(store, table)) }),
        totalItems: all.length,
        nextPageToken,
      };
    },
  };
}

function readId(reference: JsonObject, { project, dataset }: Call['path']): string {
  const id = requiredText(reference, 'tableId');
  // Letters, marks, numbers, connectors, dashes and spaces of all languages.
  if (!/^[\p{L}\p{M}\p{N}\p{Pc}\p{Pd}\p{Zs}]+$/u.test(id) || Buffer.byteLength(id) > 1024) {
    throw invalid(`Invalid table ID "${id}".`);
  }
  const { projectId = project, datasetId = dataset } = {
    projectId: textOf(reference, 'projectId'),
    datasetId: textOf(reference, 'datasetId'),
  };
  if (projectId !== project || datasetId !== dataset) {
    throw invalid(`The table reference ${projectId}:${datasetId}.${id} is not in ${project}:${dataset}`);
  }
  return id;
}

function requireChange(store: Store, table: Table, next: TableSettings): void {
  const { settings } = table;
  if (Boolean(settings.view) !== Boolean(next.view)) {
    throw invalid(`Cannot change the type of ${store.nameOf(table)}`);
  }
  if (settings.schema) requireUpdatable(store.nameOf(table), settings.schema, next.schema ?? { fields: [] });
  requireSamePartitioning(settings.timePartitioning, next.timePartitioning);
  if (settings.expirationTime !== next.expirationTime) requireFuture(store, next);
}

function requireFuture(store: Store, { expirationTime }: TableSettings): void {
  if (expirationTime !== undefined && Number(expirationTime) <= store.now()) {
    throw invalid(`Invalid value for expirationTime: ${expirationTime} is not in the future`);
  }
}
