import { notImplemented } from '../http/api-error.ts';
import type { JsonObject } from '../http/json.ts';
import { readDispositions, writeTable } from './destination.ts';
import { invalid } from './errors.ts';
import { flagOf, int64Of, objectOf, required, supportOnly, textOf, textsOf } from './fields.ts';
import type { Work } from './job.ts';
import { parseLines, type RejectedRow, tooManyErrors } from './json-lines.ts';
import { type Objects, printUri, readUri } from './objects.ts';
import { clusteringOf, requireSamePartitioning, timePartitioningOf } from './partitioning.ts';
import type { Row } from './row.ts';
import { schemaOf } from './schema.ts';
import { bytesOf } from './sizes.ts';
import type { Store } from './store.ts';
import { locationOf, readTableReference, type TableReference } from './table-reference.ts';

const supported = [
  'sourceUris',
  'destinationTable',
  'sourceFormat',
  'schema',
  'createDisposition',
  'writeDisposition',
  'ignoreUnknownValues',
  'maxBadRecords',
  'timePartitioning',
  'clustering',
];

/**
 * @throws ApiError 400, 404, 501
 * @see https://cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobConfigurationLoad
 */
export function prepareLoad(
  store: Store,
  objects: Objects,
  settings: JsonObject,
  wanted: string | undefined,
): Work {
  objects.requireHost('a load job');
  supportOnly('a load job', settings, supported);
  const format = textOf(settings, 'sourceFormat') ?? 'CSV';
  if (format !== 'NEWLINE_DELIMITED_JSON') throw notImplemented(`the sourceFormat ${format}`);
  const uris = (textsOf(settings, 'sourceUris') ?? required('sourceUris')).map(readUri);
  const destination = readTableReference(
    store,
    objectOf(settings, 'destinationTable') ?? required('destinationTable'),
  );
  const location = locationOf(store, [destination], wanted);
  const shape = readShape(store, settings, destination);
  const dispositions = readDispositions(settings, 'WRITE_APPEND');
  const maxBadRecords = Number(int64Of(settings, 'maxBadRecords') ?? 0);
  const ignoreUnknownValues = flagOf(settings, 'ignoreUnknownValues') ?? false;
  const options = { source: 'load', ignoreUnknownValues } as const;
  return {
    type: 'LOAD',
    location,
    async run(signal) {
      const files = (await Promise.all(uris.map((uri) => objects.match(uri, signal)))).flat();
      const rows: Row[] = [];
      const rejected: RejectedRow[] = [];
      let inputFileBytes = 0;
      for (const file of files) {
        const bytes = await objects.read(file, signal);
        inputFileBytes += bytes.length;
        const lines = parseLines(bytes, printUri(file), shape.schema, options);
        rows.push(...lines.values.map((values) => ({ values, inserted: store.now(), streamed: false })));
        rejected.push(...lines.rejected);
        if (rejected.length > maxBadRecords) throw tooManyErrors(rejected);
      }
      writeTable(store, destination, dispositions, { ...shape, rows });
      return {
        load: {
          inputFiles: String(files.length),
          inputFileBytes: String(inputFileBytes),
          outputRows: String(rows.length),
          outputBytes: String(bytesOf(rows, shape.schema)),
          badRecords: String(rejected.length),
        },
      };
    },
  };
}

/** What is not given is as it is in the table. */
function readShape(store: Store, settings: JsonObject, { datasetId, tableId }: TableReference) {
  const existing = store.tablesOf(store.dataset(datasetId)).get(tableId)?.settings;
  const schema = schemaOf(settings) ?? existing?.schema;
  if (!schema) throw invalid('No schema specified on job or table.');
  const timePartitioning = timePartitioningOf(settings, schema) ?? existing?.timePartitioning;
  if (existing) requireSamePartitioning(existing.timePartitioning, timePartitioning);
  return {
    schema,
    timePartitioning,
    clustering: clusteringOf(settings, schema) ?? existing?.clustering,
  };
}
