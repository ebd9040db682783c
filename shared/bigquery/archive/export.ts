import { inArchive, parseArchivePlace } from '../../archive/place.ts';
import { config } from '../../config.ts';
import { formatPlace, type ObjectPlace } from '../../gcp/storage/client.ts';
import { writeObject } from '../../gcp/storage/write.ts';
import { hash } from '../../operation/canonical.ts';
import type { Note } from '../../operation/outcome.ts';
import { type JobSeries, runJobs } from '../jobs.ts';
import type { Table } from '../model.ts';
import { findTable, listTables } from '../resources.ts';
import { findTenantDataset } from '../tenant-dataset.ts';
import { beingWritten, isUnchangedSince, requireFlushed } from '../written.ts';
import {
  type DatasetManifest,
  datasetSettings,
  formatVersion,
  manifestName,
  pick,
  tableSettings,
  viewSettings,
} from './manifest.ts';

export interface DatasetExport {
  readonly id: string;
  readonly tenant: string;
  /** `gs://bucket/prefix/`, in a location that BigQuery can export to from the dataset's. */
  readonly destination: string;
  /** The id of the operation: another attempt of it goes on where this one ended. */
  readonly operation: string;
}

export interface ExportedDataset {
  /** `gs://…/dataset.json` */
  readonly manifest: string;
  readonly tables: number;
  readonly rows: number;
  readonly views: number;
  /** `NOT_EXPORTED` for what has no rows of its own that could be. */
  readonly notes: readonly Note[];
}

export type Held = Pick<JobSeries, 'signal' | 'assertHeld'>;

const tablesAtATime = 8;

/**
 * Writes a tenant's dataset to Cloud Storage: each table's rows as gzipped lines of JSON and its schema, the views'
 * queries, and last of all the manifest that `restoreDataset` reads.
 *
 * @returns undefined where there is no such dataset
 * @throws OperationError `DATASET_EXISTS` where it isn't the tenant's; `TABLE_BEING_WRITTEN`, retryable; `GOOGLE_…`
 */
export async function exportDataset(wanted: DatasetExport, held: Held): Promise<ExportedDataset | undefined> {
  const { id, tenant, destination } = wanted;
  const { signal } = held;
  const folder = parseArchivePlace(destination);
  const dataset = await findTenantDataset(id, tenant, signal);
  if (dataset === undefined) return undefined;
  const resources = await readTables(id, signal);
  const views = resources.filter(({ type }) => type === 'VIEW');
  const others = resources.filter(({ type }) => type !== 'VIEW' && type !== 'TABLE');
  const tables = await inBatches(
    resources.filter(({ type }) => type === 'TABLE'),
    (table) => exportTable(wanted, table, folder, held),
  );
  const manifest: DatasetManifest = {
    format: 'drover-dataset',
    formatVersion,
    project: config().GOOGLE_CLOUD_PROJECT,
    dataset: id,
    tenant,
    location: dataset.location,
    settings: pick(dataset, datasetSettings),
    tables,
    views: views.map((view) => ({ id: idOf(view), settings: pick(view, viewSettings) })),
    others: others.map((other) => ({ id: idOf(other), type: other.type, definition: { ...other } })),
  };
  const place = inArchive(folder, manifestName);
  await writeJson(place, manifest, held);
  return {
    manifest: formatPlace(place),
    tables: tables.length,
    rows: tables.reduce((sum, { rows }) => sum + rows, 0),
    views: views.length,
    notes: others.map((other) => notExported(id, other)),
  };
}

async function readTables(dataset: string, signal: AbortSignal): Promise<Table[]> {
  const found = await inBatches(await listTables(dataset, signal), (id) => findTable(dataset, id, signal));
  return found.filter((table) => table !== undefined);
}

async function exportTable(
  { id: dataset, operation }: DatasetExport,
  table: Table,
  folder: ObjectPlace,
  held: Held,
): Promise<DatasetManifest['tables'][number]> {
  requireFlushed(dataset, table);
  const id = idOf(table);
  const name = encodeURIComponent(id);
  const schema = `schemas/${name}.json`;
  await writeJson(inArchive(folder, schema), table.schema?.fields ?? [], held);
  // Each job has a folder of its own: files of one that was not accepted are never taken for another's.
  const objectsOf = (number: number) => `rows/${name}/${number}/*.json.gz`;
  const described = { id, schema, settings: pick(table, tableSettings) };
  if (table.numRows === '0') return { ...described, rows: 0, objects: null, files: 0 };
  return runJobs(
    {
      name: `drover_export_${operation}_${hash(dataset, id).slice(0, 16)}`,
      location: table.location,
      ...held,
    },
    (number) => ({
      extract: {
        sourceTable: { ...table.tableReference, datasetId: dataset },
        destinationUris: [formatPlace(inArchive(folder, objectsOf(number)))],
        destinationFormat: 'NEWLINE_DELIMITED_JSON',
        compression: 'GZIP',
      },
    }),
    async ({ isFresh, statistics }, number) => {
      const now = (await findTable(dataset, id, held.signal)) ?? table;
      if (isUnchangedSince(statistics.startTime, now)) {
        return {
          ...described,
          rows: Number(now.numRows),
          objects: objectsOf(number),
          files: Number(statistics.extract?.destinationUriFileCounts?.[0]),
        };
      }
      if (isFresh) throw beingWritten(`${dataset}.${id}`);
      return undefined;
    },
  );
}

async function writeJson(place: ObjectPlace, value: unknown, { signal, assertHeld }: Held): Promise<void> {
  assertHeld();
  await writeObject(place, `${JSON.stringify(value, undefined, 2)}\n`, {
    signal,
    contentType: 'application/json',
  });
}

async function inBatches<T, R>(all: readonly T[], work: (one: T) => Promise<R>): Promise<R[]> {
  const done: R[] = [];
  for (let first = 0; first < all.length; first += tablesAtATime) {
    done.push(...(await Promise.all(all.slice(first, first + tablesAtATime).map(work))));
  }
  return done;
}

function idOf({ tableReference }: Table): string {
  return tableReference.tableId;
}

function notExported(dataset: string, table: Table): Note {
  return {
    code: 'NOT_EXPORTED',
    message: `${dataset}.${idOf(table)} is a ${table.type}: the manifest has its definition, and none of its rows`,
  };
}
