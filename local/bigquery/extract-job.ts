import { gzipSync } from 'node:zlib';
import { notImplemented } from '../http/api-error.ts';
import type { JsonObject } from '../http/json.ts';
import { invalid } from './errors.ts';
import { csv, jsonLines, type PrintFile } from './export-formats.ts';
import { choiceOf, flagOf, objectOf, required, supportOnly, textOf, textsOf } from './fields.ts';
import type { Work } from './job.ts';
import { type Objects, type ObjectUri, readUri } from './objects.ts';
import type { Row } from './row.ts';
import type { Schema } from './schema.ts';
import { bytesOf } from './sizes.ts';
import type { Store } from './store.ts';
import { locationOf, readTableReference } from './table-reference.ts';
import { requireRows, storedRows } from './table-rows.ts';

const supported = [
  'sourceTable',
  'destinationUris',
  'destinationFormat',
  'compression',
  'fieldDelimiter',
  'printHeader',
];

/**
 * @param rowsPerFile how many fit into one file
 * @throws ApiError 400, 404, 501
 * @see https://cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobConfigurationExtract
 */
export function prepareExtract(
  store: Store,
  objects: Objects,
  settings: JsonObject,
  wanted: string | undefined,
  rowsPerFile: number,
): Work {
  objects.requireHost('an extract job');
  supportOnly('an extract job', settings, supported);
  const source = readTableReference(store, objectOf(settings, 'sourceTable') ?? required('sourceTable'));
  const destination = readDestination(settings);
  const formatOf = readFormat(settings);
  const isCompressed = choiceOf(settings, 'compression', ['NONE', 'GZIP']) === 'GZIP';
  return {
    type: 'EXTRACT',
    location: locationOf(store, [source], wanted),
    async run(signal) {
      const table = store.table(source.datasetId, source.tableId);
      const name = store.nameOf(table);
      requireRows(table, `${name} is not allowed for this operation because it is currently a VIEW.`);
      const schema = table.settings.schema ?? { fields: [] };
      const rows = storedRows(store, table);
      const print = formatOf(schema);
      const files = split(rows, rowsPerFile);
      if (files.length > 1 && !destination.name.includes('*')) {
        throw invalid(
          `Table ${name} too large to be exported to a single file. Specify a uri including a * to shard export.`,
        );
      }
      for (const [number, part] of files.entries()) {
        const bytes = Buffer.from(print(part));
        await objects.write(numbered(destination, number), isCompressed ? gzipSync(bytes) : bytes, signal);
      }
      const destinationUriFileCounts = [String(files.length)];
      return { extract: { destinationUriFileCounts, inputBytes: String(bytesOf(rows, schema)) } };
    },
  };
}

function readDestination(settings: JsonObject): ObjectUri {
  const [uri, ...more] = textsOf(settings, 'destinationUris') ?? [];
  if (more.length > 0) throw notImplemented('an extract job with several destinationUris');
  return readUri(uri ?? required('destinationUris'));
}

function readFormat(settings: JsonObject): (schema: Schema) => PrintFile {
  const delimiter = textOf(settings, 'fieldDelimiter') ?? ',';
  const withHeader = flagOf(settings, 'printHeader') ?? true;
  const format = textOf(settings, 'destinationFormat') ?? 'CSV';
  if (format === 'NEWLINE_DELIMITED_JSON') return jsonLines;
  if (format === 'CSV') return (schema) => csv(schema, delimiter, withHeader);
  throw notImplemented(`the destinationFormat ${format}`);
}

/** At least one file, even without rows. */
function split(rows: readonly Row[], size: number): readonly (readonly Row[])[] {
  const files: (readonly Row[])[] = [];
  for (let from = 0; from < Math.max(rows.length, 1); from += size) files.push(rows.slice(from, from + size));
  return files;
}

function numbered({ bucket, name }: ObjectUri, number: number): ObjectUri {
  return { bucket, name: name.replace('*', String(number).padStart(12, '0')) };
}
