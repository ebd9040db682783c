import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/**
 * What a ciphertext is made of: the id of the key version's material, the nonce, the encrypted bytes, the tag. The
 * service's own format is not published either.
 */
const idBytes = 8;
const nonceBytes = 12;
const tagBytes = 16;

/** The secret of a key version, and by what its ciphertexts are recognised. */
export interface KeyMaterial {
  readonly id: Buffer;
  readonly secret: Buffer;
}

export function newMaterial(): KeyMaterial {
  return { id: randomBytes(idBytes), secret: randomBytes(32) };
}

/** AES-256-GCM. @see https://cloud.google.com/kms/docs/algorithms#symmetric_encryption_algorithms */
export function encrypt({ id, secret }: KeyMaterial, plaintext: Buffer, additional: Buffer): Buffer {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', secret, nonce).setAAD(additional);
  const encrypted = [cipher.update(plaintext), cipher.final()];
  return Buffer.concat([id, nonce, ...encrypted, cipher.getAuthTag()]);
}

/** The id of the material that a ciphertext was made with. */
export function materialId(ciphertext: Buffer): Buffer {
  return ciphertext.subarray(0, idBytes);
}

/** @returns undefined where the ciphertext or the additional data isn't what it was */
export function decrypt({ secret }: KeyMaterial, ciphertext: Buffer, additional: Buffer): Buffer | undefined {
  if (ciphertext.length < idBytes + nonceBytes + tagBytes) return undefined;
  const nonce = ciphertext.subarray(idBytes, idBytes + nonceBytes);
  const decipher = createDecipheriv('aes-256-gcm', secret, nonce, { authTagLength: tagBytes })
    .setAAD(additional)
    .setAuthTag(ciphertext.subarray(-tagBytes));
  try {
    const encrypted = ciphertext.subarray(idBytes + nonceBytes, -tagBytes);
    return Buffer.concat([decipher.update(encrypted), decipher.final()]);
  } catch {
    return undefined;
  }
}
