import { beforeEach, describe, expect, test } from 'vitest';
import { crc32c } from '../../../shared/gcp/crc32c.ts';
import {
  accessText,
  invalid,
  missing,
  newSecret,
  newVersion,
  precondition,
  staleEtag,
  unsupported,
  useSecretManager,
} from './fixture.ts';

const cloud = useSecretManager();
let secret = '';

beforeEach(async () => {
  secret = (await newSecret(cloud)).name;
});

const get = async (name: string) => (await cloud.client.getSecretVersion({ name }))[0];

describe('a version', () => {
  test('has the next number, is enabled, and is found by id and number of the project', async () => {
    const first = await newVersion(cloud, secret, 'one');
    const second = await newVersion(cloud, secret, 'two');
    expect(first).toMatchObject({
      name: `${secret}/versions/1`,
      state: 'ENABLED',
      replicationStatus: { automatic: {} },
      clientSpecifiedPayloadChecksum: false,
      destroyTime: null,
      etag: expect.stringMatching(/^"[0-9a-f]+"$/),
    });
    expect(second.name).toBe(`${secret}/versions/2`);
    expect(second.etag).not.toBe(first.etag);
    expect(await get(first.name)).toMatchObject({ name: first.name, etag: first.etag });
    const byId = second.name.replace(/^projects\/\d+/, 'projects/test-project');
    expect(await accessText(cloud, byId)).toBe('two');
  });

  test('never gets the number of a destroyed one', async () => {
    const { name } = await newVersion(cloud, secret);
    await cloud.client.destroySecretVersion({ name });
    expect((await newVersion(cloud, secret)).name).toBe(`${secret}/versions/2`);
  });

  test('is latest if it was created last, whatever its state', async () => {
    await newVersion(cloud, secret, 'one');
    const second = await newVersion(cloud, secret, 'two');
    expect(await accessText(cloud, `${secret}/versions/latest`)).toBe('two');
    await cloud.client.disableSecretVersion({ name: second.name });
    expect(await get(`${secret}/versions/latest`)).toMatchObject({ name: second.name, state: 'DISABLED' });
    await expect(accessText(cloud, `${secret}/versions/latest`)).rejects.toMatchObject(
      precondition(`Secret Version [${second.name}] is in DISABLED state.`),
    );
  });

  test('is not found where there is none', async () => {
    const nothing = missing(`Secret [${secret}] not found or has no versions.`);
    await expect(get(`${secret}/versions/latest`)).rejects.toMatchObject(nothing);
    await expect(accessText(cloud, `${secret}/versions/latest`)).rejects.toMatchObject(nothing);
    for (const number of ['0', '1']) {
      await expect(get(`${secret}/versions/${number}`)).rejects.toMatchObject(
        missing(`Secret Version [${secret}/versions/${number}] not found.`),
      );
    }
    await expect(get(`${secret}x/versions/1`)).rejects.toMatchObject(
      missing(`Secret [${secret}x] not found.`),
    );
    await expect(newVersion(cloud, `${secret}x`)).rejects.toMatchObject({ code: 5 });
    await expect(get(`${secret}/versions`)).rejects.toMatchObject(invalid(/expected format/));
  });
});

describe('a payload', () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const add = async (data: Uint8Array, dataCrc32c?: number) => {
    const payload = dataCrc32c === undefined ? { data } : { data, dataCrc32c };
    return (await cloud.client.addSecretVersion({ parent: secret, payload }))[0];
  };

  test('comes back byte for byte, with its checksum', async () => {
    const { name = '' } = await add(bytes);
    const [answer] = await cloud.client.accessSecretVersion({ name });
    expect(answer).toMatchObject({ name, payload: { dataCrc32c: String(crc32c(bytes)) } });
    expect(bytes.equals(answer.payload?.data as Buffer)).toBe(true);
  });

  test('is compared with the checksum that comes with it', async () => {
    expect(await add(bytes, crc32c(bytes))).toMatchObject({ clientSpecifiedPayloadChecksum: true });
    for (const wrong of [0, crc32c(bytes) + 1]) {
      await expect(add(bytes, wrong)).rejects.toMatchObject(
        invalid('Provided SecretPayload.data crc32c does not match calculated crc32c.'),
      );
    }
    const [versions] = await cloud.client.listSecretVersions({ parent: secret });
    expect(versions).toHaveLength(1);
  });

  test('has 1 byte to 64 KiB', async () => {
    await add(Buffer.alloc(1));
    await add(Buffer.alloc(64 * 1024));
    await expect(add(Buffer.alloc(64 * 1024 + 1))).rejects.toMatchObject(invalid(/too large/));
    await expect(add(Buffer.alloc(0))).rejects.toMatchObject(invalid('Secret Payload cannot be empty.'));
    await expect(cloud.client.addSecretVersion({ parent: secret })).rejects.toMatchObject({ code: 3 });
  });
});

describe('the state of a version', () => {
  test('goes to and fro between enabled and disabled', async () => {
    const { name } = await newVersion(cloud, secret, 'text');
    expect((await cloud.client.disableSecretVersion({ name }))[0]).toMatchObject({ name, state: 'DISABLED' });
    await expect(accessText(cloud, name)).rejects.toMatchObject(
      precondition(`Secret Version [${name}] is in DISABLED state.`),
    );
    expect((await cloud.client.enableSecretVersion({ name }))[0]).toMatchObject({ name, state: 'ENABLED' });
    expect(await accessText(cloud, name)).toBe('text');
  });

  test('stays destroyed', async () => {
    const { name } = await newVersion(cloud, secret);
    await cloud.client.disableSecretVersion({ name });
    const [destroyed] = await cloud.client.destroySecretVersion({ name });
    expect(destroyed).toMatchObject({ state: 'DESTROYED', destroyTime: { seconds: expect.any(String) } });
    expect(await get(name)).toEqual(destroyed);
    await expect(accessText(cloud, name)).rejects.toMatchObject(
      precondition(`Secret Version [${name}] is in DESTROYED state.`),
    );
    const already = precondition('SecretVersion.state is already DESTROYED.');
    await expect(cloud.client.enableSecretVersion({ name })).rejects.toMatchObject(already);
    await expect(cloud.client.disableSecretVersion({ name })).rejects.toMatchObject(already);
    await expect(cloud.client.destroySecretVersion({ name })).rejects.toMatchObject(already);
  });

  test('is changed by number only', async () => {
    await newVersion(cloud, secret);
    const name = `${secret}/versions/latest`;
    const byNumber = invalid(/Secret Version ID \[.*\/versions\/latest\] does not match the expected format/);
    await expect(cloud.client.enableSecretVersion({ name })).rejects.toMatchObject(byNumber);
    await expect(cloud.client.disableSecretVersion({ name })).rejects.toMatchObject(byNumber);
    await expect(cloud.client.destroySecretVersion({ name })).rejects.toMatchObject(byNumber);
  });
});

describe('the etag of a version', () => {
  test('changes with each call, even one that changes nothing, and that of no other version', async () => {
    const other = await newVersion(cloud, secret);
    const { name, etag } = await newVersion(cloud, secret);
    const [enabled] = await cloud.client.enableSecretVersion({ name, etag });
    const [again] = await cloud.client.enableSecretVersion({ name });
    expect(new Set([etag, enabled.etag, again.etag]).size).toBe(3);
    expect((await get(name)).etag).toBe(again.etag);
    expect((await get(other.name)).etag).toBe(other.etag);
  });

  test('has to be the current one where it is given', async () => {
    const { name, etag } = await newVersion(cloud, secret);
    await cloud.client.disableSecretVersion({ name, etag });
    await expect(cloud.client.enableSecretVersion({ name, etag })).rejects.toMatchObject(staleEtag);
    await expect(cloud.client.disableSecretVersion({ name, etag })).rejects.toMatchObject(staleEtag);
    await expect(cloud.client.destroySecretVersion({ name, etag })).rejects.toMatchObject(staleEtag);
    expect(await get(name)).toMatchObject({ state: 'DISABLED' });
  });
});

test('regional versions are not supported', async () => {
  const name = 'projects/test-project/locations/europe-west1/secrets/a/versions/1';
  await expect(accessText(cloud, name)).rejects.toMatchObject(unsupported(/regional secrets/));
});
