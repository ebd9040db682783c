import type { protos } from '@google-cloud/kms';
import { config } from '../config.ts';
import { OperationError } from '../operation/errors.ts';
import { crc32c } from './crc32c.ts';
import { emulatorOptions } from './grpc-emulator.ts';
import { onFirstUse } from './on-first-use.ts';
import { repeatable } from './repeats.ts';
import { hasStatus } from './status.ts';

type Checksum = protos.google.protobuf.IInt64Value | null | undefined;

const client = onFirstUse(async () => {
  // By its default: bundled, a CommonJS library has no other export.
  const { default: library } = await import('@google-cloud/kms');
  const opened = new library.KeyManagementServiceClient({
    projectId: config().GOOGLE_CLOUD_PROJECT,
    ...(await emulatorOptions('KMS_EMULATOR_HOST')),
  });
  await opened.initialize();
  return opened;
});

/** Closes the client's connections, if there are any. */
export const closeKms = client.close;

/**
 * The key that Drover encrypts with.
 *
 * @throws OperationError `KMS_KEY_MISSING`
 */
export function kmsKey(): string {
  const key = config().DROVER_KMS_KEY;
  if (key !== '') return key;
  throw new OperationError(
    'KMS_KEY_MISSING',
    'API keys are encrypted by a key of Cloud KMS, and none is configured. Set DROVER_KMS_KEY to projects/…/locations/…/keyRings/…/cryptoKeys/…',
    { details: { setting: 'DROVER_KMS_KEY' } },
  );
}

/**
 * Encrypts with Drover's key.
 *
 * @param plaintext up to 64 KiB
 * @param additional what has to be said again to decrypt it, up to 64 KiB
 * @throws OperationError `KMS_KEY_MISSING`; `CHECKSUM_MISMATCH` (retryable) where something arrived damaged
 * @see https://cloud.google.com/kms/docs/data-integrity-guidelines
 */
export async function encrypt(plaintext: Buffer, additional: Buffer): Promise<Buffer> {
  const name = kmsKey();
  const kms = await client.get();
  const [answer] = await kms
    .encrypt(
      {
        name,
        plaintext,
        plaintextCrc32c: { value: crc32c(plaintext) },
        additionalAuthenticatedData: additional,
        additionalAuthenticatedDataCrc32c: { value: crc32c(additional) },
      },
      repeatable,
    )
    .catch(rethrow);
  const { verifiedPlaintextCrc32c, verifiedAdditionalAuthenticatedDataCrc32c } = answer;
  if (!verifiedPlaintextCrc32c || !verifiedAdditionalAuthenticatedDataCrc32c) throw damaged();
  return undamaged(answer.ciphertext, answer.ciphertextCrc32c);
}

/**
 * Decrypts what Drover's key encrypted.
 *
 * @param additional the same as when it was encrypted
 * @returns undefined where it isn't what that key encrypted with this
 * @throws OperationError `KMS_KEY_MISSING`; `CHECKSUM_MISMATCH` (retryable) where something arrived damaged
 */
export async function decrypt(ciphertext: Buffer, additional: Buffer): Promise<Buffer | undefined> {
  const name = kmsKey();
  const kms = await client.get();
  try {
    const [answer] = await kms
      .decrypt(
        {
          name,
          ciphertext,
          ciphertextCrc32c: { value: crc32c(ciphertext) },
          additionalAuthenticatedData: additional,
          additionalAuthenticatedDataCrc32c: { value: crc32c(additional) },
        },
        repeatable,
      )
      .catch(rethrow);
    return undamaged(answer.plaintext, answer.plaintextCrc32c);
  } catch (error) {
    if (hasStatus(error, 'INVALID_ARGUMENT')) return undefined;
    throw error;
  }
}

/** The service compares checksums, too, and has no status of its own for those that differ. */
function rethrow(error: unknown): never {
  if (hasStatus(error, 'INVALID_ARGUMENT') && /crc32c/i.test(String(error))) throw damaged(error);
  throw error;
}

function undamaged(bytes: Uint8Array | string | null | undefined, sent: Checksum): Buffer {
  const data = Buffer.from((bytes ?? []) as Uint8Array);
  if (Number(sent?.value ?? 0) !== crc32c(data)) throw damaged();
  return data;
}

function damaged(cause?: unknown): OperationError {
  return new OperationError('CHECKSUM_MISMATCH', 'What Cloud KMS was sent or answered arrived damaged', {
    retryable: true,
    cause,
  });
}
