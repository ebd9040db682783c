import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import * as z from 'zod';

const cipherName = 'AES-256-GCM';
const algorithm = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;

export const dataKeyBytes = 32;

const bytes = z
  .base64()
  .max(4096)
  .transform((text): Buffer => Buffer.from(text, 'base64'));

const envelope = z.strictObject({
  /** Of this format. */
  version: z.literal(1),
  /** Authenticated with both ciphertexts. */
  tenant: z.string().max(50),
  cipher: z.literal(cipherName),
  /** The key of Cloud KMS that encrypted `dataKey`. */
  kmsKey: z.string().max(1024),
  dataKey: bytes,
  nonce: bytes.refine(({ length }) => length === nonceBytes),
  /** The encrypted API key and the tag. */
  ciphertext: bytes.refine(({ length }) => length > tagBytes),
});

/** An encrypted API key, as a version of a secret holds it; the format is described in `docs/api-keys.md`. */
export type Envelope = z.infer<typeof envelope>;

/** What is authenticated with the data key and with the API key. */
export function additionalData(tenant: string): Buffer {
  return Buffer.from(tenant);
}

/** Encrypts an API key by a data key, which has to be used once only. */
export function encryptKey(
  key: string,
  dataKey: Buffer,
  tenant: string,
): Pick<Envelope, 'nonce' | 'ciphertext'> {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv(algorithm, dataKey, nonce).setAAD(additionalData(tenant));
  const ciphertext = Buffer.concat([cipher.update(key, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return { nonce, ciphertext };
}

/** @returns undefined where it isn't what that data key encrypted for that tenant */
export function decryptKey(
  { nonce, ciphertext }: Pick<Envelope, 'nonce' | 'ciphertext'>,
  dataKey: Buffer,
  tenant: string,
): string | undefined {
  if (dataKey.length !== dataKeyBytes) return undefined;
  const decipher = createDecipheriv(algorithm, dataKey, nonce, { authTagLength: tagBytes })
    .setAAD(additionalData(tenant))
    .setAuthTag(ciphertext.subarray(-tagBytes));
  try {
    const parts = [decipher.update(ciphertext.subarray(0, -tagBytes)), decipher.final()];
    return Buffer.concat(parts).toString();
  } catch {
    return undefined;
  }
}

export function formatEnvelope({
  dataKey,
  nonce,
  ciphertext,
  ...rest
}: Omit<Envelope, 'version' | 'cipher'>): Buffer {
  const text = (data: Buffer) => data.toString('base64');
  return Buffer.from(
    JSON.stringify({
      version: 1,
      cipher: cipherName,
      ...rest,
      dataKey: text(dataKey),
      nonce: text(nonce),
      ciphertext: text(ciphertext),
    }),
  );
}

/** @returns undefined for what is no envelope */
export function parseEnvelope(value: Buffer): Envelope | undefined {
  try {
    return envelope.parse(JSON.parse(value.toString()));
  } catch {
    return undefined;
  }
}
