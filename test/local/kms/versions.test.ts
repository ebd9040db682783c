import { describe, expect, test } from 'vitest';
import { invalid, missing, newKey, precondition, useKms } from './fixture.ts';

const cloud = useKms();

const plaintext = Buffer.from('a data key');

const encrypt = async (name: string) => (await cloud.client.encrypt({ name, plaintext }))[0];
const decrypt = async (name: string, ciphertext: unknown) =>
  (await cloud.client.decrypt({ name, ciphertext: ciphertext as Buffer }))[0];

async function addVersion(parent: string): Promise<string> {
  const [{ name }] = await cloud.client.createCryptoKeyVersion({ parent });
  return String(name);
}

async function setState(name: string, state: 'ENABLED' | 'DISABLED') {
  const [version] = await cloud.client.updateCryptoKeyVersion({
    cryptoKeyVersion: { name, state },
    updateMask: { paths: ['state'] },
  });
  return version;
}

describe('the primary version', () => {
  test('encrypts, and the ones before it go on decrypting what they encrypted', async () => {
    const name = newKey(cloud);
    const old = await encrypt(name);
    const second = await addVersion(name);
    expect(second).toBe(`${name}/cryptoKeyVersions/2`);
    expect((await encrypt(name)).name).toBe(`${name}/cryptoKeyVersions/1`);

    const [key] = await cloud.client.updateCryptoKeyPrimaryVersion({ name, cryptoKeyVersionId: '2' });
    expect(key.primary?.name).toBe(second);
    const renewed = await encrypt(name);
    expect(renewed.name).toBe(second);
    expect(await decrypt(name, renewed.ciphertext)).toMatchObject({ plaintext, usedPrimary: true });
    expect(await decrypt(name, old.ciphertext)).toMatchObject({ plaintext, usedPrimary: false });
  });

  test('is one that is there and enabled', async () => {
    const name = newKey(cloud);
    await setState(await addVersion(name), 'DISABLED');
    const make = (cryptoKeyVersionId: string) =>
      cloud.client.updateCryptoKeyPrimaryVersion({ name, cryptoKeyVersionId });
    await expect(make('2')).rejects.toMatchObject(precondition(/is not enabled/));
    await expect(make('3')).rejects.toMatchObject(missing(/CryptoKeyVersion .*\/3 not found/));
    await expect(make('x')).rejects.toMatchObject(invalid(/valid resource name/));
    expect((await cloud.client.getCryptoKey({ name }))[0].primary?.name).toMatch(/\/1$/);
  });
});

describe('a version', () => {
  test('that is named encrypts, the primary one or not', async () => {
    const name = newKey(cloud);
    const second = await addVersion(name);
    const { ciphertext, name: used } = await encrypt(second);
    expect(used).toBe(second);
    expect(await decrypt(name, ciphertext)).toMatchObject({ plaintext, usedPrimary: false });
    await expect(decrypt(second, ciphertext)).rejects.toMatchObject(invalid(/CryptoKey/));
  });

  test('that is disabled does nothing until it is enabled again', async () => {
    const name = newKey(cloud);
    const version = `${name}/cryptoKeyVersions/1`;
    const { ciphertext } = await encrypt(name);
    expect(await setState(version, 'DISABLED')).toMatchObject({ state: 'DISABLED' });
    const refusal = precondition(`${version} is not enabled, current state is: DISABLED.`);
    await expect(encrypt(name)).rejects.toMatchObject(refusal);
    await expect(decrypt(name, ciphertext)).rejects.toMatchObject(refusal);
    expect((await cloud.client.getCryptoKey({ name }))[0].primary?.state).toBe('DISABLED');
    await setState(version, 'ENABLED');
    expect(await decrypt(name, ciphertext)).toMatchObject({ plaintext });
  });

  test('is destroyed thirty days after that was said, for ever', async () => {
    const name = newKey(cloud);
    const version = `${name}/cryptoKeyVersions/1`;
    const { ciphertext } = await encrypt(name);
    const [scheduled] = await cloud.client.destroyCryptoKeyVersion({ name: version });
    expect(scheduled.state).toBe('DESTROY_SCHEDULED');
    const days = (Number(scheduled.destroyTime?.seconds) - Date.now() / 1000) / 86_400;
    expect(days).toBeCloseTo(30, 1);
    await expect(decrypt(name, ciphertext)).rejects.toMatchObject(precondition(/DESTROY_SCHEDULED/));
    await expect(setState(version, 'ENABLED')).rejects.toMatchObject(precondition(/DESTROY_SCHEDULED/));
    const again = cloud.client.destroyCryptoKeyVersion({ name: version });
    await expect(again).rejects.toMatchObject(precondition(/DESTROY_SCHEDULED/));

    cloud.server.advance(30 * 86_400);
    const [destroyed] = await cloud.client.getCryptoKeyVersion({ name: version });
    expect(destroyed).toMatchObject({ state: 'DESTROYED', destroyTime: null });
    expect(destroyed.destroyEventTime).toEqual(scheduled.destroyTime);
    await expect(decrypt(name, ciphertext)).rejects.toMatchObject(precondition(/is: DESTROYED/));
  });

  test('changes in its state only, to what can be asked for', async () => {
    const name = `${newKey(cloud)}/cryptoKeyVersions/1`;
    const update = (state: string, ...paths: string[]) =>
      cloud.client.updateCryptoKeyVersion({
        cryptoKeyVersion: { name, state: state as 'ENABLED' },
        updateMask: { paths },
      });
    await expect(update('DISABLED')).rejects.toMatchObject(invalid(/No fields/));
    await expect(update('DISABLED', 'name')).rejects.toMatchObject(invalid(/name can't be updated/));
    await expect(update('DESTROYED', 'state')).rejects.toMatchObject(invalid(/DESTROYED/));
    expect((await cloud.client.getCryptoKeyVersion({ name }))[0].state).toBe('ENABLED');
  });

  test('is listed with the others in the order of their numbers', async () => {
    const parent = newKey(cloud);
    for (let version = 2; version <= 11; version++) await addVersion(parent);
    const [versions] = await cloud.client.listCryptoKeyVersions({ parent, pageSize: 4 });
    expect(versions.map(({ name }) => name?.split('/').at(-1))).toEqual(
      Array.from({ length: 11 }, (_, index) => String(index + 1)),
    );
  });
});
