import type { JsonObject } from '../http/json.ts';
import { type Incoming, readDispositions, writeTable } from './destination.ts';
import { invalid } from './errors.ts';
import { choiceOf, objectOf, objectsOf, required, supportOnly } from './fields.ts';
import type { Work } from './job.ts';
import { requireAppendable } from './schema-change.ts';
import type { Store, Table } from './store.ts';
import { locationOf, readTableReference } from './table-reference.ts';
import { requireRows, storedRows } from './table-rows.ts';

const supported = [
  'sourceTable',
  'sourceTables',
  'destinationTable',
  'createDisposition',
  'writeDisposition',
  'operationType',
];

/**
 * @throws ApiError 400, 404
 * @see https://cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobConfigurationTableCopy
 */
export function prepareCopy(store: Store, settings: JsonObject, wanted: string | undefined): Work {
  supportOnly('a copy job', settings, supported);
  choiceOf(settings, 'operationType', ['COPY']);
  const sources = sourcesOf(settings).map((source) => readTableReference(store, source));
  const destination = readTableReference(
    store,
    objectOf(settings, 'destinationTable') ?? required('destinationTable'),
  );
  const dispositions = readDispositions(settings, 'WRITE_EMPTY');
  return {
    type: 'COPY',
    location: locationOf(store, [...sources, destination], wanted),
    run() {
      const tables = sources.map(({ datasetId, tableId }) => store.table(datasetId, tableId));
      const incoming = readSources(store, tables);
      writeTable(store, destination, dispositions, incoming);
      return { copy: { copiedRows: String(incoming.rows.length) } };
    },
  };
}

function sourcesOf(settings: JsonObject): readonly JsonObject[] {
  const one = objectOf(settings, 'sourceTable');
  const several = objectsOf(settings, 'sourceTables') ?? [];
  if (one && several.length > 0) throw invalid('Only one of sourceTable and sourceTables can be given');
  if (!one && several.length === 0) return required('sourceTables');
  return one ? [one] : several;
}

/** All rows, in the shape of the first table. */
function readSources(store: Store, tables: readonly Table[]): Incoming {
  const [first] = tables.map(({ settings }) => settings);
  const schema = first?.schema ?? { fields: [] };
  for (const table of tables) {
    const name = store.nameOf(table);
    requireRows(table, `${name} is not allowed for this operation because it is currently a VIEW.`);
    requireAppendable(name, schema, table.settings.schema ?? { fields: [] });
  }
  return {
    schema,
    timePartitioning: first?.timePartitioning,
    clustering: first?.clustering,
    requirePartitionFilter: first?.requirePartitionFilter,
    rows: tables.flatMap((table) => storedRows(store, table)),
  };
}
