import { call, formatPlace, type ObjectPlace, storage } from './client.ts';
import { deleteObject, type StoredObject, storedObject } from './objects.ts';

const objectsAtATime = 16;

/** All objects whose names begin with a prefix, in the order of their names. */
export async function listObjects(place: ObjectPlace, signal: AbortSignal): Promise<StoredObject[]> {
  const [files] = await call(place, signal, (_, bucket) => bucket.getFiles({ prefix: place.name }));
  return files.map((file) => storedObject({ bucket: place.bucket, name: file.name }, file.metadata));
}

/**
 * Deletes all objects whose names begin with a prefix, also those that arrive meanwhile. In a bucket with versions the
 * noncurrent ones stay.
 *
 * @returns how many were deleted
 */
export async function deleteObjects(place: ObjectPlace, signal: AbortSignal): Promise<number> {
  if (!place.name.endsWith('/')) throw new Error(`not the name of a folder: ${formatPlace(place)}`);
  let deleted = 0;
  for (;;) {
    const [files] = await call(place, signal, (_, bucket) =>
      bucket.getFiles({ prefix: place.name, autoPaginate: false, maxResults: 1000 }),
    );
    if (files.length === 0) return deleted;
    for (let first = 0; first < files.length; first += objectsAtATime) {
      const some = files.slice(first, first + objectsAtATime);
      const results = await Promise.all(
        some.map((file) => deleteObject({ bucket: place.bucket, name: file.name }, signal)),
      );
      deleted += results.filter(Boolean).length;
    }
  }
}

/**
 * Copies all objects whose names begin with a prefix, within Cloud Storage. Those that are there already, with the same
 * content, are left.
 *
 * @param except one that is left out, by its name below the prefix
 * @returns how many there are
 */
export async function copyObjects(
  from: ObjectPlace,
  to: ObjectPlace,
  except: string,
  signal: AbortSignal,
): Promise<number> {
  const all = await listObjects(from, signal);
  const objects = all.filter(({ name }) => name !== from.name + except);
  const there = new Map((await listObjects(to, signal)).map((object) => [object.name, object.crc32c]));
  const target = (await storage()).bucket(to.bucket);
  const left = objects.filter(({ name, crc32c }) => there.get(renamed(name)) !== crc32c);
  for (let first = 0; first < left.length; first += objectsAtATime) {
    const some = left.slice(first, first + objectsAtATime);
    await Promise.all(
      some.map((object) => call(object, signal, (file) => file.copy(target.file(renamed(object.name))))),
    );
  }
  return objects.length;

  function renamed(name: string): string {
    return to.name + name.slice(from.name.length);
  }
}
