import { describe, expect, test } from 'vitest';
import { GrpcError } from '../../../local/grpc/server.ts';
import { crc32c } from '../../../shared/gcp/crc32c.ts';
import { checksum, invalid, missing, newKey, useKms } from './fixture.ts';

const cloud = useKms();

const plaintext = Buffer.from('a data key');
const aad = Buffer.from('acme');

async function encrypt(name: string, additionalAuthenticatedData = aad, text = plaintext): Promise<Buffer> {
  const [answer] = await cloud.client.encrypt({ name, plaintext: text, additionalAuthenticatedData });
  return answer.ciphertext as Buffer;
}

function decrypt(name: string, ciphertext: Buffer, additionalAuthenticatedData = aad) {
  return cloud.client.decrypt({ name, ciphertext, additionalAuthenticatedData });
}

describe('a plaintext', () => {
  test('comes back from its ciphertext, which is another one each time and has nothing of it', async () => {
    const name = newKey(cloud);
    const [one, two] = [await encrypt(name), await encrypt(name)];
    expect(one.equals(two)).toBe(false);
    expect(one.includes(plaintext)).toBe(false);
    for (const ciphertext of [one, two]) {
      const [answer] = await decrypt(name, ciphertext);
      expect(answer.plaintext).toEqual(plaintext);
      expect(answer).toMatchObject({ usedPrimary: true, protectionLevel: 'SOFTWARE' });
    }
  });

  test.each([
    ['nothing', Buffer.alloc(0), Buffer.alloc(0)],
    ['64 KiB, with as much that is authenticated', Buffer.alloc(65_536, 1), Buffer.alloc(65_536, 2)],
  ])('may be %s', async (_, text, additional) => {
    const name = newKey(cloud);
    const [answer] = await decrypt(name, await encrypt(name, additional, text), additional);
    expect(Buffer.from(answer.plaintext as Buffer).equals(text)).toBe(true);
  });

  test('may not be larger, nor what is authenticated with it', async () => {
    const name = newKey(cloud);
    const large = Buffer.alloc(65_537);
    await expect(encrypt(name, aad, large)).rejects.toMatchObject(invalid(/plaintext has 65537 bytes/));
    await expect(encrypt(name, large)).rejects.toMatchObject(
      invalid(/additional_authenticated_data has 65537/),
    );
  });
});

describe('a ciphertext', () => {
  test('is refused with other additional data than it was made with', async () => {
    const name = newKey(cloud);
    const ciphertext = await encrypt(name);
    for (const other of ['acme2', 'Acme', ''].map((text) => Buffer.from(text))) {
      await expect(decrypt(name, ciphertext, other)).rejects.toMatchObject(
        invalid('Decryption failed: the ciphertext is invalid.'),
      );
    }
  });

  test('is refused when a bit of it is another one, wherever, or an end is missing', async () => {
    const name = newKey(cloud);
    const ciphertext = await encrypt(name);
    for (let position = 0; position < ciphertext.length; position++) {
      const damaged = Buffer.from(ciphertext);
      damaged[position] = (damaged[position] ?? 0) ^ 1;
      await expect(decrypt(name, damaged)).rejects.toMatchObject(invalid(/^Decryption failed: /));
    }
    for (const length of [0, 4, 8, 20, 35, ciphertext.length - 1]) {
      const cut = ciphertext.subarray(0, length);
      await expect(decrypt(name, cut)).rejects.toMatchObject(invalid(/^Decryption failed: /));
    }
  });

  test('is refused by another key', async () => {
    const ciphertext = await encrypt(newKey(cloud));
    await expect(decrypt(newKey(cloud), ciphertext)).rejects.toMatchObject(
      invalid("Decryption failed: verify that 'name' refers to the correct CryptoKey."),
    );
    await expect(decrypt(`${newKey(cloud)}-2`, ciphertext)).rejects.toMatchObject(missing(/CryptoKey/));
  });
});

describe('a checksum', () => {
  test('that is sent is compared and told of, and answers have their own', async () => {
    const name = newKey(cloud);
    const request = { name, plaintext, additionalAuthenticatedData: aad };
    const [unchecked] = await cloud.client.encrypt(request);
    expect(unchecked).toMatchObject({
      verifiedPlaintextCrc32c: false,
      verifiedAdditionalAuthenticatedDataCrc32c: false,
    });
    const [checked] = await cloud.client.encrypt({
      ...request,
      plaintextCrc32c: checksum(crc32c(plaintext)),
      additionalAuthenticatedDataCrc32c: checksum(crc32c(aad)),
    });
    expect(checked).toMatchObject({
      name: `${name}/cryptoKeyVersions/1`,
      verifiedPlaintextCrc32c: true,
      verifiedAdditionalAuthenticatedDataCrc32c: true,
      ciphertextCrc32c: { value: String(crc32c(checked.ciphertext as Buffer)) },
    });
    const [back] = await decrypt(name, checked.ciphertext as Buffer);
    expect(back.plaintextCrc32c).toEqual({ value: String(crc32c(plaintext)) });
  });

  test('that is wrong is refused, whatever it is of', async () => {
    const name = newKey(cloud);
    const ciphertext = await encrypt(name);
    const wrong = (of: Buffer) => checksum(crc32c(of) ^ 1);
    const encrypting = { name, plaintext, additionalAuthenticatedData: aad };
    const decrypting = { name, ciphertext, additionalAuthenticatedData: aad };
    const refusals = [
      cloud.client.encrypt({ ...encrypting, plaintextCrc32c: wrong(plaintext) }),
      cloud.client.encrypt({ ...encrypting, additionalAuthenticatedDataCrc32c: wrong(aad) }),
      cloud.client.decrypt({ ...decrypting, ciphertextCrc32c: wrong(ciphertext) }),
      cloud.client.decrypt({ ...decrypting, additionalAuthenticatedDataCrc32c: wrong(aad) }),
    ];
    for (const refused of await Promise.allSettled(refusals)) {
      expect(refused).toMatchObject({ reason: invalid(/^The checksum in field .*_crc32c did not match/) });
    }
  });
});

test('an interceptor sees calls and refuses them', async () => {
  const name = newKey(cloud);
  const calls: string[] = [];
  cloud.server.intercept = ({ method, phase, request }) => {
    calls.push(`${method} ${phase} ${request['name']}`);
    if (calls.length > 1) throw new GrpcError(7, 'denied');
  };
  await expect(encrypt(name)).rejects.toMatchObject({ code: 7, details: 'denied' });
  expect(calls).toEqual([`Encrypt before ${name}`, `Encrypt after ${name}`]);
});
