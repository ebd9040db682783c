import { parseArchivePlace } from '../../../shared/archive/place.ts';
import { copyObjects, deleteObjects } from '../../../shared/gcp/storage/folder.ts';
import type { Made, Saga } from '../saga/step.ts';
import { isFormerStorage, ownerMarker, prefixOf } from '../steps/storage.ts';
import { archiveOf } from './archive.ts';

/** Copies the tenant's objects within Cloud Storage. Those that are there already are left. */
export async function archiveObjects(saga: Saga): Promise<Made> {
  const { operation, record } = saga;
  if (await isFormerStorage(saga)) return { changes: [] };
  const to = archiveOf(record).storage;
  const copied = await copyObjects(prefixOf(record), parseArchivePlace(to), ownerMarker, operation.signal);
  return { changes: [{ action: 'create', kind: 'archive', name: to, detail: `${copied} objects` }] };
}

export async function deleteObjectsOf(saga: Saga): Promise<Made> {
  const { operation, record } = saga;
  if (await isFormerStorage(saga)) return { changes: [] };
  operation.assertHeld();
  const deleted = await deleteObjects(prefixOf(record), operation.signal);
  const name = record.place.storage ?? '';
  return { changes: [{ action: 'revoke', kind: 'storage', name, detail: `${deleted} objects deleted` }] };
}
