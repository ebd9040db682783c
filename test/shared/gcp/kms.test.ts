import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { clientProtos } from '../../../local/grpc/client-protos.ts';
import { GrpcError, type Message, startGrpcServer, type UnaryHandler } from '../../../local/grpc/server.ts';
import { crc32c } from '../../../shared/gcp/crc32c.ts';
import { closeKms, decrypt, encrypt, kmsKey } from '../../../shared/gcp/kms.ts';
import { classify } from '../../../shared/operation/classify.ts';
import { kmsKeyName, useKmsKey } from '../../support/kms.ts';

const kms = useKmsKey();

const plaintext = Buffer.from('a data key');
const aad = Buffer.from('acme');

/** Has a method fail so often. @returns how often it was called */
function fail(method: string, code: status, times: number) {
  const seen = { calls: 0 };
  kms.server.intercept = (call) => {
    if (call.method !== method || call.phase !== 'before') return;
    seen.calls += 1;
    if (seen.calls <= times) throw new GrpcError(code, 'not now');
  };
  return seen;
}

describe('what is encrypted', () => {
  it('is decrypted with the same additional data only', async () => {
    const ciphertext = await encrypt(plaintext, aad);
    expect(ciphertext.includes(plaintext)).toBe(false);
    expect(await decrypt(ciphertext, aad)).toEqual(plaintext);
    expect(await decrypt(ciphertext, Buffer.from('acme2'))).toBeUndefined();
    expect(await decrypt(ciphertext.subarray(1), aad)).toBeUndefined();
  });

  it('goes with checksums', async () => {
    const requests: Message[] = [];
    kms.server.intercept = ({ phase, request }) => {
      if (phase === 'before') requests.push(request);
    };
    const ciphertext = await encrypt(plaintext, aad);
    await decrypt(ciphertext, aad);
    const checksum = (data: Buffer) => ({ value: String(crc32c(data)) });
    expect(requests).toMatchObject([
      {
        name: kmsKeyName,
        plaintextCrc32c: checksum(plaintext),
        additionalAuthenticatedDataCrc32c: checksum(aad),
      },
      {
        name: kmsKeyName,
        ciphertextCrc32c: checksum(ciphertext),
        additionalAuthenticatedDataCrc32c: checksum(aad),
      },
    ]);
  });
});

describe('a call', () => {
  it.each([
    ['Encrypt', status.UNAVAILABLE],
    ['Encrypt', status.RESOURCE_EXHAUSTED],
    ['Decrypt', status.UNAVAILABLE],
    ['Decrypt', status.RESOURCE_EXHAUSTED],
  ])('of %s is made again after %i', async (method, code) => {
    const seen = fail(method, code, 2);
    expect(await decrypt(await encrypt(plaintext, aad), aad)).toEqual(plaintext);
    expect(seen.calls).toBe(3);
  });

  it.each([status.PERMISSION_DENIED, status.FAILED_PRECONDITION, status.NOT_FOUND])(
    'that is refused with %i is not, and the refusal is told',
    async (code) => {
      const ciphertext = await encrypt(plaintext, aad);
      const seen = fail('Decrypt', code, 1);
      await expect(decrypt(ciphertext, aad)).rejects.toMatchObject({ code });
      expect(seen.calls).toBe(1);
    },
  );

  it('needs a key, and says which setting has none', async () => {
    kms.configure('');
    const missing = {
      code: 'KMS_KEY_MISSING',
      retryable: false,
      message: expect.stringContaining('DROVER_KMS_KEY'),
    };
    await expect(encrypt(plaintext, aad)).rejects.toMatchObject(missing);
    await expect(decrypt(plaintext, aad)).rejects.toMatchObject(missing);
    expect(() => kmsKey()).toThrow(/DROVER_KMS_KEY/);
  });

  it('works after the client was closed', async () => {
    const ciphertext = await encrypt(plaintext, aad);
    await closeKms();
    expect(await decrypt(ciphertext, aad)).toEqual(plaintext);
  });
});

describe('what arrives damaged', () => {
  const good = { value: String(crc32c(plaintext)) };
  const wrong = { value: String(crc32c(plaintext) ^ 1) };
  const verified = { verifiedPlaintextCrc32c: true, verifiedAdditionalAuthenticatedDataCrc32c: true };

  /** Answers as a service would whose connection damages what goes over it. */
  async function against(handlers: Record<string, UnaryHandler>, use: () => Promise<void>): Promise<void> {
    const server = await startGrpcServer({
      protoJson: clientProtos('@google-cloud/kms'),
      services: { 'google.cloud.kms.v1.KeyManagementService': { unary: handlers } },
      port: 0,
      intercept: () => undefined,
    });
    await closeKms();
    process.env['KMS_EMULATOR_HOST'] = `127.0.0.1:${server.port}`;
    try {
      await use();
    } finally {
      await closeKms();
      process.env['KMS_EMULATOR_HOST'] = kms.server.host;
      await server.close();
    }
  }

  it.each([
    ['a ciphertext', { ...verified, ciphertextCrc32c: wrong }],
    ['a ciphertext without a checksum', verified],
    [
      'a plaintext that wasn’t compared',
      { ...verified, verifiedPlaintextCrc32c: false, ciphertextCrc32c: good },
    ],
    [
      'additional data that weren’t compared',
      { ...verified, verifiedAdditionalAuthenticatedDataCrc32c: false, ciphertextCrc32c: good },
    ],
  ])('is not used: %s', async (_, answer) => {
    await against({ Encrypt: () => ({ ciphertext: plaintext, ...answer }) }, async () => {
      const error = await encrypt(plaintext, aad).catch((thrown) => thrown);
      expect(error).toMatchObject({ code: 'CHECKSUM_MISMATCH', retryable: true });
      expect(error.message).not.toContain(plaintext.toString());
    });
  });

  it('is used where only the test said otherwise', async () => {
    const whole = { ciphertext: plaintext, ...verified, ciphertextCrc32c: good };
    await against({ Encrypt: () => whole }, async () => {
      expect(await encrypt(plaintext, aad)).toEqual(plaintext);
    });
  });

  it.each([wrong, undefined])('is not used: a plaintext with the checksum %j', async (plaintextCrc32c) => {
    await against({ Decrypt: () => ({ plaintext, plaintextCrc32c }) }, async () => {
      await expect(decrypt(plaintext, aad)).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH' });
    });
  });

  it('is not taken for what was encrypted by another key, nor for a mistake of ours', async () => {
    const refuse = () => {
      throw new GrpcError(
        status.INVALID_ARGUMENT,
        'The checksum in field ciphertext_crc32c did not match the data in field ciphertext.',
      );
    };
    await against({ Decrypt: refuse, Encrypt: refuse }, async () => {
      for (const call of [decrypt(plaintext, aad), encrypt(plaintext, aad)]) {
        const error = await call.catch(classify);
        expect(error).toMatchObject({ code: 'CHECKSUM_MISMATCH', retryable: true });
      }
    });
  });
});
