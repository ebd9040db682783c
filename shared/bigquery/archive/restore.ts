import { inArchive, parseArchivePlace } from '../../archive/place.ts';
import { config } from '../../config.ts';
import { callBigQuery } from '../../gcp/bigquery.ts';
import { formatPlace } from '../../gcp/storage/client.ts';
import { findObject } from '../../gcp/storage/objects.ts';
import { readObject } from '../../gcp/storage/read.ts';
import { hash } from '../../operation/canonical.ts';
import { OperationError } from '../../operation/errors.ts';
import type { Change, Note } from '../../operation/outcome.ts';
import { refusedWith } from '../errors.ts';
import { runJobs } from '../jobs.ts';
import type { Dataset } from '../model.ts';
import { findDataset } from '../resources.ts';
import type { Held } from './export.ts';
import { type DatasetManifest, manifestName, readManifest } from './manifest.ts';

export interface DatasetRestore {
  /** `gs://…/dataset.json` */
  readonly manifest: string;
  /** The dataset to fill, which is there: `ensureTenantDataset` makes it. */
  readonly id: string;
  /** The id of the operation: another attempt of it goes on where this one ended. */
  readonly operation: string;
}

export interface RestoredDataset {
  readonly changes: readonly Change[];
  /** `VIEW_NOT_RESTORED` with the query, where BigQuery refuses it here. */
  readonly notes: readonly Note[];
  readonly rows: number;
}

type ArchivedTable = DatasetManifest['tables'][number];
type ArchivedView = DatasetManifest['views'][number];

/**
 * Makes the tables and views of an archive in a dataset and loads their rows. Queries of views stay as they are: those
 * that name another dataset go on reading that.
 *
 * @throws OperationError `ARCHIVE_NOT_FOUND`, `ARCHIVE_DAMAGED`, `DATASET_NOT_FOUND`; `GOOGLE_ALREADY_EXISTS` where a
 * table has rows; `GOOGLE_…`
 */
export async function restoreDataset(wanted: DatasetRestore, held: Held): Promise<RestoredDataset> {
  const { folder, manifest } = await openManifest(wanted.manifest, held.signal);
  const dataset = await findDataset(wanted.id, held.signal);
  if (dataset === undefined) {
    throw new OperationError('DATASET_NOT_FOUND', `There is no dataset ${wanted.id} to restore to`);
  }
  const changes: Change[] = [];
  for (const table of manifest.tables) {
    await createIn(wanted.id, table, held);
    if (table.objects !== null) {
      const objects = formatPlace(inArchive(folder, table.objects));
      await load(wanted, dataset, table, objects, held);
    }
    changes.push({
      action: 'create',
      kind: 'table',
      name: `${wanted.id}.${table.id}`,
      detail: `${table.rows} rows`,
    });
  }
  const restored = await restoreViews(wanted.id, manifest.views, held);
  return {
    changes: [...changes, ...restored.changes],
    notes: restored.notes,
    rows: manifest.tables.reduce((sum, { rows }) => sum + rows, 0),
  };
}

/** @returns the manifest, and the folder that it is in */
async function openManifest(uri: string, signal: AbortSignal) {
  const folder = parseArchivePlace(uri.slice(0, uri.lastIndexOf('/') + 1));
  const object = await findObject(inArchive(folder, manifestName), signal);
  if (object === undefined) {
    const message = `There is no ${uri}: there is no archive, or it was not finished`;
    throw new OperationError('ARCHIVE_NOT_FOUND', message);
  }
  return { folder, manifest: readManifest((await readObject(object, signal)).toString(), uri) };
}

/** A table or a view; one that is there already stays as it is. */
async function createIn(dataset: string, { id, settings }: ArchivedTable | ArchivedView, held: Held) {
  held.assertHeld();
  const tableReference = { projectId: config().GOOGLE_CLOUD_PROJECT, datasetId: dataset, tableId: id };
  const request = {
    method: 'POST',
    path: `datasets/${dataset}/tables`,
    body: { ...settings, tableReference },
  } as const;
  try {
    await callBigQuery(request, held.signal);
  } catch (error) {
    if (!refusedWith(error, 'ALREADY_EXISTS')) throw error;
  }
}

async function load(
  { id: dataset, operation }: DatasetRestore,
  { location }: Dataset,
  table: ArchivedTable,
  objects: string,
  held: Held,
): Promise<void> {
  const name = `drover_restore_${operation}_${hash(dataset, table.id).slice(0, 16)}`;
  const loaded = await runJobs(
    { name, location, ...held },
    () => ({
      load: {
        sourceUris: [objects],
        sourceFormat: 'NEWLINE_DELIMITED_JSON',
        schema: table.settings['schema'],
        destinationTable: {
          projectId: config().GOOGLE_CLOUD_PROJECT,
          datasetId: dataset,
          tableId: table.id,
        },
        createDisposition: 'CREATE_NEVER',
        writeDisposition: 'WRITE_EMPTY',
      },
    }),
    async ({ statistics: { load } }) => ({
      rows: Number(load?.outputRows),
      files: Number(load?.inputFiles),
    }),
  );
  if (loaded.rows === table.rows && loaded.files === table.files) return;
  throw new OperationError(
    'ARCHIVE_DAMAGED',
    `${objects} has ${loaded.rows} rows in ${loaded.files} objects, where the manifest says ${table.rows} in ${table.files}`,
    { details: { table: table.id, ...loaded } },
  );
}

/** Views may read each other, in an order that nobody knows: those that can't be made yet are tried again. */
async function restoreViews(dataset: string, views: readonly ArchivedView[], held: Held) {
  const changes: Change[] = [];
  let left = views.map((view) => ({ view, reason: '' }));
  for (let before = Number.POSITIVE_INFINITY; left.length > 0 && left.length < before; ) {
    before = left.length;
    const refused: typeof left = [];
    for (const { view } of left) {
      try {
        await createIn(dataset, view, held);
        changes.push({ action: 'create', kind: 'view', name: `${dataset}.${view.id}` });
      } catch (error) {
        if (!refusedWith(error, 'INVALID_ARGUMENT') && !refusedWith(error, 'NOT_FOUND')) throw error;
        refused.push({ view, reason: (error as OperationError).message });
      }
    }
    left = refused;
  }
  return { changes, notes: left.map(({ view, reason }) => notRestored(dataset, view, reason)) };
}

function notRestored(dataset: string, { id, settings }: ArchivedView, reason: string): Note {
  const { query } = settings['view'] as { query?: string };
  return {
    code: 'VIEW_NOT_RESTORED',
    message: `The view ${dataset}.${id} could not be made: ${reason}`,
    statements: [query ?? ''],
  };
}
