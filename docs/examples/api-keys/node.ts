import { createDecipheriv } from 'node:crypto';
import type { KeyManagementServiceClient } from '@google-cloud/kms';
import type { SecretManagerServiceClient } from '@google-cloud/secret-manager';

export interface ApiKeySource {
  readonly secrets: SecretManagerServiceClient;
  readonly kms: KeyManagementServiceClient;
  readonly tenant: string;
  /** `projects/acme-prod/secrets/tenant-acme-api-key/versions/current` */
  readonly version: string;
  /** `projects/acme-prod/locations/europe-west1/keyRings/drover/cryptoKeys/api-keys` */
  readonly kmsKey: string;
}

/** The API key of a tenant, as its secret holds it now. */
export async function readApiKey({ secrets, kms, tenant, version, kmsKey }: ApiKeySource): Promise<string> {
  const [secret] = await secrets.accessSecretVersion({ name: version });
  const sealed = JSON.parse(String(secret.payload?.data));
  if (sealed.version !== 1) throw new Error(`${version} has a format that this doesn't know`);

  const bytes = (text: string) => Buffer.from(text, 'base64');
  const additionalAuthenticatedData = Buffer.from(tenant);
  const [{ plaintext: dataKey }] = await kms.decrypt({
    name: kmsKey,
    ciphertext: bytes(sealed.dataKey),
    additionalAuthenticatedData,
  });
  const encrypted = bytes(sealed.ciphertext);
  const decipher = createDecipheriv('aes-256-gcm', dataKey as Buffer, bytes(sealed.nonce), {
    authTagLength: 16,
  });
  decipher.setAAD(additionalAuthenticatedData).setAuthTag(encrypted.subarray(-16));
  return decipher.update(encrypted.subarray(0, -16), undefined, 'utf8') + decipher.final('utf8');
}
