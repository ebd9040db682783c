import { beforeEach, describe, expect, it } from 'vitest';
import { ApiError } from '../../../../local/http/api-error.ts';
import { ConnectionLost } from '../../../../local/http/connection-lost.ts';
import { noteOnObject } from '../../../../shared/gcp/storage/notes.ts';
import { deleteObject, findObject, type StoredObject } from '../../../../shared/gcp/storage/objects.ts';
import { readObject } from '../../../../shared/gcp/storage/read.ts';
import { writeObject } from '../../../../shared/gcp/storage/write.ts';
import { classify } from '../../../../shared/operation/classify.ts';
import { bucket, contentType, useStorage } from './fixture.ts';

const storage = useStorage();
const { signal } = new AbortController();
const tags = { 'drover-state': 'failed', 'drover-error': 'NOT_AN_IMAGE' };

let count = 0;
let object: StoredObject;
beforeEach(async () => {
  object = await writeObject({ bucket, name: `${++count}.jpg` }, 'content', {
    signal,
    contentType,
    metadata: { owner: 'Änn' },
  });
});

const notes = async () => (await findObject(object, signal))?.metadata;
const failure = async (call: Promise<unknown>) => classify(await call.catch((error: unknown) => error));

describe('a note', () => {
  it('is made beside those that are there, and taken away again; the content stays', async () => {
    expect(await noteOnObject(object, tags, signal)).toBe(true);
    expect(await notes()).toEqual({ owner: 'Änn', ...tags });

    expect(await noteOnObject(object, { 'drover-state': null, 'drover-error': null }, signal)).toBe(true);
    expect(await notes()).toEqual({ owner: 'Änn' });
    expect((await readObject(object, signal)).toString()).toBe('content');
  });

  it('is not made on another generation, or on nothing', async () => {
    await writeObject(object, 'newer', { signal, contentType });
    expect(await noteOnObject(object, tags, signal)).toBe(false);
    expect(await notes()).toEqual({});

    await deleteObject(object, signal);
    expect(await noteOnObject(object, tags, signal)).toBe(false);
  });

  it('is made where somebody noted something since the object was found', async () => {
    await noteOnObject(object, { owner: 'Bob', seen: 'yes' }, signal);

    expect(await noteOnObject(object, tags, signal)).toBe(true);

    expect(await notes()).toEqual({ owner: 'Bob', seen: 'yes', ...tags });
  });

  it('is not made on what was written while it was tried', async () => {
    await noteOnObject(object, { seen: 'yes' }, signal);
    let replaced = false;
    storage.server.intercept = async ({ method, phase }) => {
      if (method !== 'objects.patch' || phase !== 'before' || replaced) return;
      replaced = true;
      await writeObject(object, 'newer', { signal, contentType });
    };

    expect(await noteOnObject(object, tags, signal)).toBe(false);
    expect(await notes()).toEqual({});
  });

  it('of which the answer was lost is made once', async () => {
    let lost = false;
    storage.server.intercept = ({ method, phase }) => {
      if (method !== 'objects.patch' || phase !== 'after' || lost) return;
      lost = true;
      throw new ConnectionLost();
    };

    expect(await noteOnObject(object, tags, signal)).toBe(true);

    expect(lost).toBe(true);
    expect(await findObject(object, signal)).toMatchObject({ metadata: tags, metageneration: '2' });
  });

  it('that others come before again and again is for another time', async () => {
    let others = 0;
    let other = false;
    storage.server.intercept = async ({ method, phase }) => {
      if (method !== 'objects.patch' || phase !== 'before' || other) return;
      other = true;
      const found = await findObject(object, signal);
      if (found) await noteOnObject(found, { others: String(++others) }, signal);
      other = false;
    };

    expect(await failure(noteOnObject(object, tags, signal))).toMatchObject({
      code: 'GOOGLE_ABORTED',
      retryable: true,
      message: expect.stringContaining(object.name),
    });
    expect(await notes()).toEqual({ owner: 'Änn', others: '3' });
  });

  it('that is refused is an error', async () => {
    storage.server.intercept = ({ method }) => {
      if (method === 'objects.patch')
        throw new ApiError(403, 'forbidden', 'no storage.objects.update access');
    };

    expect(await failure(noteOnObject(object, tags, signal))).toMatchObject({
      code: 'GOOGLE_PERMISSION_DENIED',
      retryable: false,
    });
  });
});
