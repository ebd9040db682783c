import { randomBytes } from 'node:crypto';
import { decrypt, encrypt, kmsKey } from '../gcp/kms.ts';
import {
  additionalData,
  dataKeyBytes,
  decryptKey,
  encryptKey,
  formatEnvelope,
  parseEnvelope,
} from './envelope.ts';
import { parseApiKey } from './key.ts';

/** An API key that was opened; or why it can't be, without anything of the content. */
export type Opened = { readonly key: string } | Unopened;

export interface Unopened {
  readonly problem: string;
  /** Nobody else can open it either. */
  readonly isUseless: boolean;
}

/**
 * Encrypts an API key for Secret Manager: by a data key of its own, which Cloud KMS encrypts. Who is to read it needs
 * both the secret and the right to decrypt with the key of Cloud KMS.
 *
 * @throws OperationError `KMS_KEY_MISSING`, `CHECKSUM_MISMATCH`
 * @see https://cloud.google.com/kms/docs/envelope-encryption
 */
export async function seal(tenant: string, key: string): Promise<Buffer> {
  const plain = randomBytes(dataKeyBytes);
  const name = kmsKey();
  const dataKey = await encrypt(plain, additionalData(tenant));
  const sealed = formatEnvelope({ tenant, kmsKey: name, dataKey, ...encryptKey(key, plain, tenant) });
  plain.fill(0);
  return sealed;
}

/**
 * Opens what {@link seal} made for this tenant. Another key of Cloud KMS than Drover's is never asked: whoever may add
 * versions to a secret would choose it.
 *
 * @throws OperationError `KMS_KEY_MISSING`, `CHECKSUM_MISMATCH`
 */
export async function open(tenant: string, value: Buffer): Promise<Opened> {
  const envelope = parseEnvelope(value);
  if (envelope === undefined) return useless('holds no encrypted API key');
  if (envelope.tenant !== tenant) return useless('holds the API key of another tenant');
  if (envelope.kmsKey !== kmsKey())
    return { problem: 'was encrypted by another key than DROVER_KMS_KEY', isUseless: false };
  const dataKey = await decrypt(envelope.dataKey, additionalData(tenant));
  const key = dataKey && decryptKey(envelope, dataKey, tenant);
  dataKey?.fill(0);
  if (key === undefined) return useless("holds an API key that can't be decrypted");
  return parseApiKey(key)?.tenant === tenant ? { key } : useless('holds something that is no API key');
}

function useless(problem: string): Unopened {
  return { problem, isUseless: true };
}
