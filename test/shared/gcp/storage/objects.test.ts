import { beforeAll, describe, expect, it } from 'vitest';
import { listObjects } from '../../../../shared/gcp/storage/folder.ts';
import { noteOnObject } from '../../../../shared/gcp/storage/notes.ts';
import {
  findGeneration,
  findObject,
  type StoredObject,
  storedObject,
} from '../../../../shared/gcp/storage/objects.ts';
import { signReadUrl } from '../../../../shared/gcp/storage/sign.ts';
import { writeObject } from '../../../../shared/gcp/storage/write.ts';
import { bucket, contentType, get, useStorage } from './fixture.ts';

useStorage();
const { signal } = new AbortController();
const place = { bucket, name: 'x' };

describe('an object', () => {
  let written: StoredObject;
  let before: number;
  beforeAll(async () => {
    before = Date.now();
    written = await writeObject(place, '1', { signal, contentType, cacheControl: 'no-store' });
  });

  it('tells its type, and when it was written', () => {
    expect(written).toMatchObject({ contentType, metageneration: '1' });
    expect(written.createdAt.getTime()).toBeGreaterThanOrEqual(before);
    expect(written.createdAt.getTime()).toBeLessThanOrEqual(Date.now());
  });

  it('tells whoever reads it how long it may be kept', async () => {
    const { headers } = await get(await signReadUrl(place, { signal, seconds: 60 }));

    expect(headers['cache-control']).toBe('no-store');
  });

  it('says the same of itself wherever it is found, and changes with its notes', async () => {
    const find = async () => [
      await findObject(place, signal),
      await findGeneration(place, written.generation, signal),
      ...(await listObjects(place, signal)),
    ];
    expect(await find()).toEqual([written, written, written]);

    await noteOnObject(written, { seen: 'yes' }, signal);

    const noted = { ...written, metageneration: '2', metadata: { seen: 'yes' } };
    expect(await find()).toEqual([noted, noted, noted]);
  });
});

describe('an object that its writer has encrypted with a key of his own', () => {
  it('is refused for good: its checksums are not told, and nobody else can read it', () => {
    const customerEncryption = { encryptionAlgorithm: 'AES256', keySha256: 'x' };
    const given = { generation: '1', metageneration: '1', size: '3', timeCreated: '2026-01-01T00:00:00Z' };
    expect(() => storedObject({ bucket: 'b', name: 'a' }, { ...given, customerEncryption })).toThrow(
      expect.objectContaining({ code: 'OBJECT_ENCRYPTED', retryable: false }),
    );
  });
});
