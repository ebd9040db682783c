import { archiveSchemas } from '../../../shared/archive/archive.ts';
import { parseArchivePlace } from '../../../shared/archive/place.ts';
import { exportDataset } from '../../../shared/bigquery/archive/export.ts';
import { config } from '../../../shared/config.ts';
import { findObject } from '../../../shared/gcp/storage/objects.ts';
import { OperationError } from '../../../shared/operation/errors.ts';
import { findDatabase } from '../../../shared/postgres/databases/database.ts';
import { filledSchemas } from '../../../shared/postgres/databases/schemas.ts';
import { schemaExists } from '../../../shared/postgres/schema/drop.ts';
import { schemasOf } from '../../../shared/registry/databases.ts';
import type { RemoveMessage } from '../message.ts';
import type { Made, Saga } from '../saga/step.ts';
import { isFormerDataset } from '../steps/dataset.ts';
import { archiveOf } from './archive.ts';

/** Archives what is in the tenant's schema; of a database of its own, what is in all of them. */
export function archiveContent({ allowIncomplete }: RemoveMessage): (saga: Saga) => Promise<Made> {
  return async (saga) => {
    const { operation, record } = saga;
    const schemas = await schemasToArchive(saga, allowIncomplete);
    if (schemas.length === 0) return { changes: [] };
    const { tenant, displayName, contact, plan, isolation, incarnation } = record;
    const { place, manifest } = await archiveSchemas(
      operation.pools,
      {
        target: { instance: record.place.instance, database: record.place.database },
        schemas,
        destination: archiveOf(record).database,
        description: { tenant, displayName, contact, plan, isolation, incarnation },
      },
      { ...operation, allowIncomplete },
    );
    const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0);
    const detail = `${manifest.tables.length} tables, ${rows} rows`;
    return { changes: [{ action: 'create', kind: 'archive', name: place, detail }] };
  };
}

/** @throws OperationError `ARCHIVE_INCOMPLETE` where a database has something in schemas that aren't Drover's */
async function schemasToArchive(
  { operation, ref, record }: Saga,
  allowIncomplete: boolean,
): Promise<string[]> {
  const { place, isolation } = record;
  if (isolation === 'schema')
    return (await schemaExists(place, place.schema, operation)) ? [place.schema] : [];
  if ((await findDatabase(place, operation)) === undefined) return [];
  const managed = new Set(await schemasOf(ref.firestore, place));
  const filled = await filledSchemas(place, operation);
  const foreign = filled.filter((schema) => !managed.has(schema));
  if (foreign.length > 0 && !allowIncomplete) {
    throw new OperationError(
      'ARCHIVE_INCOMPLETE',
      `The database ${place.database} has something in schemas that aren't Drover's: ${foreign.join(', ')}. Have create-schema adopt them, move it away, or say "allowIncomplete": true.`,
      { details: { schemas: foreign } },
    );
  }
  const there = await Promise.all(
    [...managed].map(async (schema) => ((await schemaExists(place, schema, operation)) ? [schema] : [])),
  );
  return there.flat();
}

/** Whether the content was archived, now or before. */
export async function findArchive({ operation, record }: Saga): Promise<string | null> {
  if (config().DROVER_ARCHIVE_BUCKET === '') return null;
  const { database, manifest } = archiveOf(record);
  const { bucket, name } = parseArchivePlace(database);
  const found = await findObject({ bucket, name: `${name}manifest.json` }, operation.signal);
  return found ? manifest : null;
}

/** Exports the tenant's dataset to the archive. */
export async function exportOwnDataset(saga: Saga): Promise<Made> {
  const { operation, record } = saga;
  if (await isFormerDataset(saga)) return { changes: [] };
  const id = record.place.dataset ?? '';
  const destination = archiveOf(record).dataset;
  const request = { id, tenant: record.tenant, destination, operation: operation.id };
  const exported = await exportDataset(request, operation);
  if (exported === undefined) return { changes: [] };
  const { manifest: name, tables, rows, views, notes } = exported;
  const detail = `${tables} tables, ${rows} rows, ${views} views`;
  return { changes: [{ action: 'create', kind: 'archive', name, detail }], notes };
}
