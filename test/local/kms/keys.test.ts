import { describe, expect, test } from 'vitest';
import {
  invalid,
  location,
  missing,
  newId,
  newKey,
  project,
  refusal,
  unsupported,
  useKms,
} from './fixture.ts';

const cloud = useKms();

const newRing = async () => {
  const [{ name }] = await cloud.client.createKeyRing({ parent: location, keyRingId: newId() });
  return String(name);
};

describe('a key ring', () => {
  test('is made once, and found', async () => {
    const keyRingId = newId();
    const [made] = await cloud.client.createKeyRing({ parent: location, keyRingId });
    expect(made.name).toBe(`${location}/keyRings/${keyRingId}`);
    expect(Math.abs(Number(made.createTime?.seconds) - Date.now() / 1000)).toBeLessThan(60);
    expect((await cloud.client.getKeyRing({ name: made.name ?? '' }))[0]).toEqual(made);
    await expect(cloud.client.createKeyRing({ parent: location, keyRingId })).rejects.toMatchObject(
      refusal(6, `KeyRing ${made.name} already exists.`),
    );
  });

  test('is listed in its location only, page by page in the order of names', async () => {
    const parent = `projects/${project}/locations/us-east1`;
    for (const keyRingId of ['c', 'a', 'b']) await cloud.client.createKeyRing({ parent, keyRingId });
    await newRing();
    const [all] = await cloud.client.listKeyRings({ parent });
    const names = all.map(({ name }) => name?.split('/').at(-1));
    expect(names).toEqual(['a', 'b', 'c']);
    const options = { autoPaginate: false };
    const [first, , answer] = await cloud.client.listKeyRings({ parent, pageSize: 2 }, options);
    expect(first.map(({ name }) => name)).toEqual(all.slice(0, 2).map(({ name }) => name));
    expect(answer).toMatchObject({ totalSize: 3, nextPageToken: expect.stringMatching(/./) });
    const pageToken = answer.nextPageToken ?? '';
    const [second, , last] = await cloud.client.listKeyRings({ parent, pageSize: 2, pageToken }, options);
    expect(second.map(({ name }) => name)).toEqual([all[2]?.name]);
    expect(last.nextPageToken).toBe('');
    const wrong = cloud.client.listKeyRings({ parent, pageToken: 'rubbish' });
    await expect(wrong).rejects.toMatchObject(invalid(/page token/));
  });
});

describe('a key', () => {
  test('has a first version, which is its primary one', async () => {
    const parent = await newRing();
    const cryptoKey = { purpose: 'ENCRYPT_DECRYPT' as const };
    const [key] = await cloud.client.createCryptoKey({ parent, cryptoKeyId: 'k', cryptoKey });
    const name = `${parent}/cryptoKeys/k`;
    expect(key).toMatchObject({
      name,
      purpose: 'ENCRYPT_DECRYPT',
      versionTemplate: { algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION', protectionLevel: 'SOFTWARE' },
      primary: { name: `${name}/cryptoKeyVersions/1`, state: 'ENABLED' },
    });
    expect((await cloud.client.getCryptoKey({ name }))[0]).toEqual(key);
    expect((await cloud.client.listCryptoKeys({ parent }))[0]).toEqual([key]);
    expect((await cloud.client.listCryptoKeys({ parent: await newRing() }))[0]).toEqual([]);
    const again = cloud.client.createCryptoKey({ parent, cryptoKeyId: 'k', cryptoKey });
    await expect(again).rejects.toMatchObject(refusal(6, `CryptoKey ${name} already exists.`));
  });

  test('made without a version has no primary one, and encrypts nothing', async () => {
    const [key] = await cloud.client.createCryptoKey({
      parent: await newRing(),
      cryptoKeyId: 'k',
      cryptoKey: { purpose: 'ENCRYPT_DECRYPT' },
      skipInitialVersionCreation: true,
    });
    expect(key.primary).toBeNull();
    const encrypted = cloud.client.encrypt({ name: key.name ?? '', plaintext: Buffer.from('x') });
    await expect(encrypted).rejects.toMatchObject(refusal(9, /no primary version/));
  });

  test('that is made for wiring is made once, with its key ring', async () => {
    const name = newKey(cloud);
    const [key] = await cloud.client.getCryptoKey({ name });
    expect(cloud.server.createKey(name)).toBe(name);
    expect((await cloud.client.getCryptoKey({ name }))[0]).toEqual(key);
    expect(cloud.server.createKey(`${name}-2`)).toBe(`${name}-2`);
    expect(() => cloud.server.createKey('api-keys')).toThrow(/not a valid resource name/);
  });

  test('of another kind is not supported', async () => {
    const parent = await newRing();
    const make = (cryptoKey: object) =>
      cloud.client.createCryptoKey({ parent, cryptoKeyId: newId(), cryptoKey });
    await expect(make({})).rejects.toMatchObject(invalid(/purpose/));
    await expect(make({ purpose: 'MAC' })).rejects.toMatchObject(unsupported(/MAC/));
    const hardware = { purpose: 'ENCRYPT_DECRYPT', versionTemplate: { protectionLevel: 'HSM' } };
    await expect(make(hardware)).rejects.toMatchObject(unsupported(/HSM/));
    const rotated = { purpose: 'ENCRYPT_DECRYPT', rotationPeriod: { seconds: 90_000 } };
    await expect(make(rotated)).rejects.toMatchObject(unsupported(/rotation_period/));
  });
});

describe('what is asked for', () => {
  test('has to be there, and has to have a name of its kind', async () => {
    const key = `${location}/keyRings/none/cryptoKeys/none`;
    await expect(cloud.client.getCryptoKey({ name: key })).rejects.toMatchObject(
      missing(`CryptoKey ${key} not found.`),
    );
    const parent = `${location}/keyRings/none`;
    await expect(cloud.client.getKeyRing({ name: parent })).rejects.toMatchObject(
      missing(`KeyRing ${parent} not found.`),
    );
    await expect(cloud.client.listCryptoKeys({ parent })).rejects.toMatchObject(missing(/KeyRing/));
    const inNone = { parent, cryptoKeyId: 'k', cryptoKey: { purpose: 'ENCRYPT_DECRYPT' as const } };
    await expect(cloud.client.createCryptoKey(inNone)).rejects.toMatchObject(missing(/KeyRing/));
    await expect(cloud.client.getCryptoKey({ name: parent })).rejects.toMatchObject(invalid(/CryptoKey/));
    await expect(cloud.client.createKeyRing({ parent: location, keyRingId: 'a/b' })).rejects.toMatchObject(
      invalid(/pattern/),
    );
    const other = { name: key.replace(project, 'another') };
    await expect(cloud.client.getCryptoKey(other)).rejects.toMatchObject(refusal(7, /Permission denied/));
  });

  test('and isn’t served is UNIMPLEMENTED, single fields too', async () => {
    const bytes = cloud.client.generateRandomBytes({ location, lengthBytes: 8 });
    await expect(bytes).rejects.toMatchObject({ code: 12 });
    const name = `${newKey(cloud)}/cryptoKeyVersions/1`;
    await expect(cloud.client.restoreCryptoKeyVersion({ name })).rejects.toMatchObject({ code: 12 });
    const filtered = cloud.client.listKeyRings({ parent: location, filter: 'name:x' });
    await expect(filtered).rejects.toMatchObject(unsupported(/filter/));
  });
});
