import { setTimeout as pause } from 'node:timers/promises';
import { Storage } from '@google-cloud/storage';
import { adaptNotification } from '../../functions/ingest-object/notification.ts';
import { attribute } from '../../shared/operation/request.ts';
import { localProject, type Stack } from '../stack.ts';
import { drover } from './drover.ts';
import type { Upload } from './step.ts';

/** The bucket that others upload to. */
export const uploads = `${localProject}-uploads`;

const betweenLooksMs = 200;

export function bucketOf({ environment }: Pick<Stack, 'environment'>) {
  const apiEndpoint = environment['STORAGE_EMULATOR_HOST'] ?? '';
  return new Storage({ projectId: localProject, apiEndpoint }).bucket(uploads);
}

/** Uploads an object with the official client, and waits for what comes of that. @returns the record of the operation */
export async function upload(stack: Stack, { object, content, follow }: Upload): Promise<unknown> {
  const file = bucketOf(stack).file(object);
  await file.save(await content(), { resumable: false });
  const record = await endOf(stack, 'ingest-object', operationIdOf(object, String(file.metadata.generation)));
  const { sync } = (record.result ?? {}) as { sync?: { function: string; operationId: string } };
  return follow && sync ? endOf(stack, sync.function, sync.operationId) : record;
}

/** The id that the event of an upload is known by. */
function operationIdOf(objectId: string, objectGeneration: string): string {
  const adapted = adaptNotification({
    data: Buffer.from('{"metageneration":"1"}'),
    attributes: { eventType: 'OBJECT_FINALIZE', bucketId: uploads, objectId, objectGeneration },
  });
  if (adapted === undefined || 'ignore' in adapted) throw new Error(`${objectId} is no upload`);
  return adapted.attributes[attribute.operationId] ?? '';
}

interface Ended {
  readonly state: string;
  readonly function: string;
  readonly result?: unknown;
}

async function endOf(stack: Stack, functionName: string, id: string): Promise<Ended> {
  for (;;) {
    const found = await look(stack, id);
    if (found?.function === functionName && ['succeeded', 'planned', 'failed'].includes(found.state))
      return found;
    await pause(betweenLooksMs);
  }
}

/** Its event may not have come yet. */
async function look(stack: Stack, id: string): Promise<Ended | undefined> {
  const output = await drover(['operations', id, '--json'], stack).catch(() => undefined);
  return output === undefined ? undefined : (JSON.parse(output) as Ended);
}
