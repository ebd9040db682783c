import { openArchive } from '../../../shared/archive/open.ts';
import { parseArchivePlace } from '../../../shared/archive/place.ts';
import { restoreSchemas } from '../../../shared/archive/restore.ts';
import { restoreDataset } from '../../../shared/bigquery/archive/restore.ts';
import { copyObjects, listObjects } from '../../../shared/gcp/storage/folder.ts';
import { deleteObject, findObject } from '../../../shared/gcp/storage/objects.ts';
import { hash } from '../../../shared/operation/canonical.ts';
import { filledSchemas } from '../../../shared/postgres/databases/schemas.ts';
import { schemaLevels } from '../../../shared/postgres/names.ts';
import type { TenantRecord } from '../../../shared/registry/tenants/model.ts';
import { applySchema } from '../../../shared/schemas/apply.ts';
import { archiveWith } from '../removal/archive.ts';
import type { Made, Saga, Step } from '../saga/step.ts';
import { ownerMarker, prefixOf } from './storage.ts';

const common = {
  once: 'tenant',
  plan: async () => ({ changes: [] }),
  // What it is in is taken back.
  undo: async () => [],
} satisfies Partial<Step>;

/** The content of an archive, before anybody can log in. */
export const restore: Step = {
  ...common,
  name: 'restore',
  position: 3,
  needs: ['schema'],
  applies: ({ restored }) => restored !== null,
  look: async (saga) => ((await isFilled(saga)) ? 'present' : 'absent'),
  async make(saga, begun) {
    const { operation, record } = saga;
    const source = (record.restored ?? '').replace(/manifest\.json$/, '');
    // It is one transaction, and nobody else could log in: what is there an earlier attempt has brought.
    if (begun && (await isFilled(saga))) return { changes: [] };
    const { instance, database } = record.place;
    const restored = await restoreSchemas(
      operation.pools,
      { source, target: { instance, database }, rename: await prepareSchemas(source, saga) },
      operation,
    );
    const notes = restored.leftOut.map((message) => ({ code: 'NOT_RESTORED', message }));
    return { ...created(source, `${restored.tables} tables, ${restored.rows} rows`), notes };
  },
  plan: async ({ record }) => created(record.restored ?? '', 'restored'),
};

/** What is in the tenant's dataset, where it was exported. */
export const restoreAnalytics: Step = {
  ...common,
  name: 'restore-dataset',
  position: 5.5,
  needs: ['dataset'],
  applies: ({ restored, place }) => place.dataset !== null && archiveFor(restored) !== undefined,
  look: async () => 'absent',
  async make({ operation, record }) {
    const place = archiveFor(record.restored)?.dataset ?? '';
    const { bucket, name } = parseArchivePlace(place);
    const manifest = await findObject({ bucket, name: `${name}dataset.json` }, operation.signal);
    if (manifest === undefined || record.place.dataset === null) return { changes: [] };
    const request = { manifest: `${place}dataset.json`, id: record.place.dataset, operation: nameOf(record) };
    const { rows, notes } = await restoreDataset(request, operation);
    return { ...created(place, `${rows} rows into the dataset ${record.place.dataset}`), notes };
  },
};

/** The tenant's objects, where they were archived. */
export const restoreObjects: Step = {
  ...common,
  name: 'restore-storage',
  position: 6.5,
  needs: ['storage'],
  applies: ({ restored, place }) => place.storage !== null && archiveFor(restored) !== undefined,
  look: async () => 'absent',
  async make({ operation, record }) {
    const place = archiveFor(record.restored)?.storage ?? '';
    const copied = await copyObjects(
      parseArchivePlace(place),
      prefixOf(record),
      ownerMarker,
      operation.signal,
    );
    return created(place, `${copied} objects`);
  },
  // The place itself ends with its marker: what was copied there would be found by the next one of this id.
  async undo({ operation, record }) {
    const from = parseArchivePlace(archiveFor(record.restored)?.storage ?? '');
    const to = prefixOf(record);
    for (const { name } of await listObjects(from, operation.signal)) {
      const copy = name.slice(from.name.length);
      if (copy === ownerMarker) continue;
      operation.assertHeld();
      await deleteObject({ bucket: to.bucket, name: to.name + copy }, operation.signal);
    }
    return [];
  },
};

/** Jobs are named by the tenant: another operation that goes on finds what was loaded. */
function nameOf({ tenant, incarnation }: TenantRecord): string {
  return hash('restore', tenant, String(incarnation)).slice(0, 40);
}

function archiveFor(manifest: TenantRecord['restored']) {
  return manifest === null ? undefined : archiveWith(manifest);
}

function created(name: string, detail: string): Made {
  return { changes: [{ action: 'create', kind: 'content', name, detail }] };
}

/**
 * Sees to it that there are the schemas that the archive is of: in a database of the tenant's own it may have had others
 * beside its own.
 *
 * @returns what they are called here
 */
async function prepareSchemas(source: string, { operation, record }: Saga): Promise<Record<string, string>> {
  const { manifest } = await openArchive(source, operation.signal);
  const { schemas } = manifest;
  const { place, isolation } = record;
  const [only] = schemas;
  // A tenant that shared a database had one, whatever it was called.
  if (only && schemas.length === 1) return { [only.name]: place.schema };
  if (isolation === 'schema') return {};
  for (const { name, levels } of schemas) {
    if (name === place.schema) continue;
    const known = schemaLevels.filter((level) => level !== 'owner' && levels.includes(level));
    const desired = {
      database: place.database,
      schema: name,
      levels: known,
      adopt: false,
      lockDatabase: false,
    };
    await applySchema(place, desired, operation);
  }
  return {};
}

async function isFilled({ operation, record: { place } }: Saga): Promise<boolean> {
  return (await filledSchemas(place, operation)).includes(place.schema);
}
