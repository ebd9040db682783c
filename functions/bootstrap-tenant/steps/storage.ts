import { parseArchivePlace } from '../../../shared/archive/place.ts';
import type { ObjectPlace } from '../../../shared/gcp/storage/client.ts';
import { deleteObject, findObject } from '../../../shared/gcp/storage/objects.ts';
import { writeObject } from '../../../shared/gcp/storage/write.ts';
import { classify } from '../../../shared/operation/classify.ts';
import { OperationError } from '../../../shared/operation/errors.ts';
import type { TenantRecord } from '../../../shared/registry/tenants/model.ts';
import type { Saga, Step } from '../saga/step.ts';

/** The tenant's place in the tenants' bucket: an object there says whose it is. */
export const storage: Step = {
  name: 'storage',
  position: 6,
  needs: [],
  applies: ({ place }) => place.storage !== null,
  look: async ({ operation, record }) =>
    (await findObject(markerOf(record), operation.signal)) ? 'present' : 'absent',
  async make(saga) {
    const { operation, record } = saga;
    if (await isMarked(saga)) return { changes: [] };
    operation.assertHeld();
    try {
      await writeObject(markerOf(record), JSON.stringify(ownerOf(record)), {
        signal: operation.signal,
        contentType: 'application/json',
        metadata: ownerOf(record),
        ifGenerationMatch: 0,
      });
    } catch (error) {
      // The client sends again what it got no answer to; the first may have been done.
      if (classify(error).code !== 'GOOGLE_FAILED_PRECONDITION' || !(await isMarked(saga))) throw error;
    }
    return created(record);
  },
  plan: async ({ record }, found) => (found === 'present' ? { changes: [] } : created(record)),
  async undo(saga) {
    const { operation, record } = saga;
    const marker = await findObject(markerOf(record), operation.signal);
    if (!marker || !belongs(marker.metadata, record)) return [];
    operation.assertHeld();
    await deleteObject(marker, operation.signal);
    return [{ action: 'revoke', kind: 'storage', name: record.place.storage ?? '', detail: 'deleted' }];
  },
};

function created({ place }: TenantRecord) {
  return { changes: [{ action: 'create', kind: 'storage', name: place.storage ?? '' } as const] };
}

/** The object that says whose a place is. */
export const ownerMarker = '.tenant.json';

/** The bucket, and the prefix with a slash at its end. */
export function prefixOf({ place }: TenantRecord): ObjectPlace {
  return parseArchivePlace(place.storage ?? '');
}

function markerOf(record: TenantRecord): ObjectPlace {
  const { bucket, name } = prefixOf(record);
  return { bucket, name: name + ownerMarker };
}

function ownerOf({ tenant, incarnation }: TenantRecord) {
  return { tenant, incarnation: String(incarnation) };
}

function belongs(metadata: Readonly<Record<string, string>>, record: TenantRecord): boolean {
  const owner = ownerOf(record);
  return metadata['tenant'] === owner.tenant && metadata['incarnation'] === owner.incarnation;
}

/** Whether what is there was a former tenant's, and kept: nothing of it is this one's. */
export async function isFormerStorage({ operation, record }: Saga): Promise<boolean> {
  const marker = await findObject(markerOf(record), operation.signal);
  return marker !== undefined && !belongs(marker.metadata, record);
}

/** @throws OperationError `STORAGE_TAKEN` where a former tenant's objects were kept: the next one must not see them */
async function isMarked({ operation, record }: Saga): Promise<boolean> {
  const marker = await findObject(markerOf(record), operation.signal);
  if (marker === undefined || belongs(marker.metadata, record)) return marker !== undefined;
  throw new OperationError(
    'STORAGE_TAKEN',
    `${record.place.storage} has the objects of a former tenant, kept when it was removed. Move them away, or choose another id.`,
    { details: { storage: record.place.storage } },
  );
}
